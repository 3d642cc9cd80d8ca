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
    for (const padding of wrappedKey.paddings) {
      const opened = open(wrappedKey.wrapped, key, padding)
      if (opened?.length === wrappedKey.keyOctets) return opened
    }
  }
  return unknowableKey(wrappedKey, keys[0] as KeyObject)
}

function open(wrapped: Buffer, key: KeyObject, padding: Oaep): Buffer | undefined {
  try {
    return padding.digest === padding.mask
      ? privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: padding.digest }, wrapped)
      : decodeOaep(privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, wrapped), padding)
  } catch {
    return undefined
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
