/**
 * A response whose assertion is encrypted: opened, then verified and read like any other.
 *
 * Encryption proves nothing about who wrote. So the assertion counts only if a key of the connection signed it inside, or signed the
 * response that carries the cipher text; what both signed must hold twice.
 *
 * Whoever changes AES-CBC bit by bit learns the text from our answers, if they differ. So every failure behind the decryption of an AES-CBC
 * text in an unsigned response is the same refusal, the rules of the profile included: a signature inside that holds does not say that nothing
 * was changed, because its own KeyInfo is not signed, and whether a block put there is text is just what an oracle tells. Where the
 * response's signature or GCM's tag held, nobody can have changed anything, and the refusal is told.
 *
 * @spec SAML Core §6.2 combining signatures and encryption
 * @spec XML Encryption 1.1 §6.1 chosen-ciphertext attacks
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { decryptAssertion } from './decrypt-assertion.js'
import { childrenNamed, type Element, isNamed, namespaces, type PlacedElement, walk } from './element.js'
import { encryptionNamespace, readEncryptedAssertion } from './encrypted-assertion.js'
import { isAuthenticated } from './encryption-algorithms.js'
import type { ReadMessage, SignatureReader, SignedPart } from './read-message.js'
import type { ServiceProvider } from './service-provider.js'

export type OpenedParts = {
  readonly response: Element | undefined
  readonly assertion: Element
  /** Whoever sent it may have changed the cipher text: what is wrong with the assertion is told to nobody. */
  readonly mayBeProbed: boolean
}

type Opened<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason): Result<never, UpstreamRefusal> => err({ reason })

/** Of an assertion. What is encrypted in an EncryptedID is the name in a plain one, see `open-name-id`. */
export const isEncrypted = ({ element, parent }: PlacedElement): boolean =>
  isNamed(element, namespaces.assertion, 'EncryptedAssertion') ||
  (element.name === 'EncryptedData' && !(parent !== undefined && isNamed(parent, namespaces.assertion, 'EncryptedID')))

/** One encrypted assertion directly in the response, and no other assertion of any kind. */
export function checkOneEncrypted(root: Element): Opened<undefined> {
  const all = [...walk(root)].map(({ element }) => element)
  const plain = all.filter(({ name }) => name === 'Assertion').length
  const encrypted = all.filter(({ name }) => name === 'EncryptedAssertion').length
  const direct = childrenNamed(root, namespaces.assertion, 'EncryptedAssertion').length
  if (plain > 0 || encrypted !== 1 || direct !== 1) return err({ reason: 'saml_assertion_count', detail: { count: plain + encrypted } })
  return all.filter(({ name }) => name === 'EncryptedData').length === 1 ? ok(undefined) : refuse('saml_encryption_shape_invalid')
}

/** `reader` reads what is inside, too. */
export type Opening = {
  readonly reader: SignatureReader
  readonly connection: SamlConnection
  readonly serviceProvider: Pick<ServiceProvider, 'decrypting'>
}

export function openEncrypted({ root, findSigned }: ReadMessage, { reader, connection, serviceProvider }: Opening): Opened<OpenedParts> {
  const signed = unlessUnsigned(findSigned(connection.certificates))
  if (!signed.ok) return signed
  const response = signed.value.find(({ of }) => of === 'message')?.element
  const element = childrenNamed(response ?? root, namespaces.assertion, 'EncryptedAssertion')[0]
  if (element === undefined) return refuse('saml_encryption_shape_invalid')
  const encrypted = readEncryptedAssertion(element, connection.contentEncryption)
  if (!encrypted.ok) return encrypted
  if (serviceProvider.decrypting.length === 0) return refuse('sp_key_missing')
  const text = decryptAssertion(
    encrypted.value,
    serviceProvider.decrypting.map(({ privateKey }) => privateKey()),
  )
  const assertion =
    text === undefined ? refuse('saml_decryption_failed') : readInside(text, reader, connection.certificates, response !== undefined)
  const mayBeProbed = response === undefined && !isAuthenticated(encrypted.value.cipher)
  if (assertion.ok) return ok({ response, assertion: assertion.value, mayBeProbed })
  return mayBeProbed ? refuse('saml_decryption_failed') : assertion
}

/** Here it is no refusal yet that nothing is signed: the signature may be inside. */
export const unlessUnsigned = (signed: Opened<readonly SignedPart[]>): Opened<readonly SignedPart[]> =>
  !signed.ok && signed.error.reason === 'saml_unsigned' ? ok([]) : signed

/** The decrypted text, read by the connection's reader within the same limits, first by itself: it must be one assertion and nothing else. */
function readInside(text: string, read: SignatureReader, certificates: readonly string[], isVouchedFor: boolean): Opened<Element> {
  const alone = read(text)
  if (!alone.ok) return alone
  const shape = checkInside(alone.value.root)
  if (!shape.ok) return shape
  const wrapped = read(`<${envelope}:Response xmlns:${envelope}="${namespaces.protocol}">${text}</${envelope}:Response>`)
  if (!wrapped.ok) return wrapped
  const signed = unlessUnsigned(wrapped.value.findSigned(certificates))
  if (!signed.ok) return signed
  const [part] = signed.value
  if (part !== undefined) return part.of === 'assertion' ? ok(part.element) : refuse('saml_signature_misplaced')
  const [assertion] = childrenNamed(wrapped.value.root, namespaces.assertion, 'Assertion')
  return isVouchedFor && assertion !== undefined ? ok(assertion) : refuse('saml_unsigned')
}

/** The readers look for signatures in a response; its prefix is one that no assertion uses, so that it changes no canonical form. */
const envelope = 'drawbridge-envelope'

function checkInside(root: Element): Opened<undefined> {
  if (!isNamed(root, namespaces.assertion, 'Assertion')) return refuse('saml_encryption_shape_invalid')
  const inside = [...walk(root)].map(({ element }) => element)
  if (inside.filter(({ name }) => name === 'Assertion').length !== 1) return refuse('saml_assertion_count')
  return inside.some(({ name, namespace }) => namespace === encryptionNamespace || name.startsWith('Encrypted'))
    ? refuse('saml_encryption_shape_invalid')
    : ok(undefined)
}
