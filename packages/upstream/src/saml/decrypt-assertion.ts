/**
 * From an EncryptedAssertion to the text of the assertion in it. Everything that fails here is one failure.
 *
 * The text is a new message of a stranger: anybody can encrypt to our key. Nothing in it is believed for having been encrypted.
 */
import type { KeyObject } from 'node:crypto'
import { decryptContent } from './decrypt-content.js'
import type { EncryptedAssertion } from './encrypted-assertion.js'
import { unwrapKey } from './unwrap-key.js'

/** Undefined: it cannot be opened. `keys`: at least one. */
export function decryptAssertion(encrypted: EncryptedAssertion, keys: readonly KeyObject[]): string | undefined {
  const octets = decryptContent(encrypted.cipher, unwrapKey(encrypted.key, keys), encrypted.content)
  return octets === undefined ? undefined : decode(octets)
}

/** Of one element and nothing around it: no declaration, no white space. @spec XML Encryption 1.1 §4.4 Type Element */
function decode(octets: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets)
    return text.startsWith('<') && !text.startsWith('<?') && text.endsWith('>') ? text.replace(/\r\n?/g, '\n') : undefined
  } catch {
    return undefined
  }
}
