/** Which limit of the library a message exceeds, in words for the admin. */
import { samlMessageErrors } from './message-error.js'
import type { LimitName } from './prescan.js'

const limitWords: Readonly<Record<LimitName, string>> = {
  octets: 'octets',
  depth: 'levels of elements',
  elements: 'elements',
  attributes: 'attributes',
  attributesPerElement: 'attributes of one element',
  namespaceDeclarations: 'namespace declarations',
  namespaceDeclarationsPerElement: 'namespace declarations of one element',
  namespaceLength: 'characters in a namespace',
}

/** The words of the catalogue with the limit by its name. Undefined: the detail is not of this refusal. */
export function explainReaderLimit(detail: Readonly<Record<string, unknown>> = {}): { cause: string; remedy: string } | undefined {
  const { limit, most } = detail
  if (typeof limit !== 'string' || typeof most !== 'number' || !Object.hasOwn(limitWords, limit)) return undefined
  const { cause, remedy } = samlMessageErrors.saml_reader_limit_exceeded
  return { cause: `${cause} The limit is ${limit}: at most ${most} ${limitWords[limit as LimitName]}.`, remedy }
}
