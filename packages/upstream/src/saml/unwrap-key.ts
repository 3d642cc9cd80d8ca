/**
 * The content key out of an EncryptedKey, with whichever of our keys opens it.
 *
 * There is always a content key: where none of ours opens it, it is one that nobody else can know and that opens nothing. Whoever probes
 * thus always meets the same next step, the decryption of the content, and never learns that it was the wrapping that failed.
 *
 * @spec XML Encryption 1.1 §5.5.2 RSA-OAEP
 */
import { constants, createHash, createHmac, type KeyObject, privateDecrypt } from 'node:crypto'
import type { Oaep } from './encryption-algorithms.js'
import { decodeOaep } from './oaep.js'

export type WrappedKey = { readonly wrapped: Buffer; readonly paddings: readonly Oaep[]; readonly keyOctets: number }

/** `keys` are in the order of likelihood; at least one. */
export function unwrapKey(wrappedKey: WrappedKey, keys: readonly KeyObject[]): Buffer {
  for (const key of keys) {
    const opened = open(wrappedKey, key).find((candidate) => candidate?.length === wrappedKey.keyOctets)
    if (opened !== undefined) return opened
  }
  return unknowableKey(wrappedKey, keys[0] as KeyObject)
}

/** RSA is done once per key, whatever the number of paddings: it is what a hostile message costs us. */
function open({ wrapped, paddings }: WrappedKey, key: KeyObject): readonly (Buffer | undefined)[] {
  const [first, second] = paddings
  try {
    if (first !== undefined && second === undefined && first.digest === first.mask)
      return [privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: first.digest }, wrapped)]
    const encoded = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, wrapped)
    return paddings.map((padding) => decodeOaep(encoded, padding))
  } catch {
    return []
  }
}

/** The same for the same message, so that asking twice tells nothing either. */
const unknowableKey = ({ wrapped, keyOctets }: WrappedKey, key: KeyObject): Buffer =>
  createHmac('sha256', secretOf(key)).update(wrapped).digest().subarray(0, keyOctets)

const secrets = new WeakMap<KeyObject, Buffer>()

function secretOf(key: KeyObject): Buffer {
  const known = secrets.get(key)
  if (known !== undefined) return known
  const secret = createHash('sha256')
    .update('drawbridge/saml/unknowable')
    .update(key.export({ format: 'der', type: 'pkcs8' }))
    .digest()
  secrets.set(key, secret)
  return secret
}
