/** AES over the octets of a CipherValue: the initialisation vector stands first, in GCM the tag last. */
import { createDecipheriv } from 'node:crypto'
import { type ContentCipher, isAuthenticated } from './encryption-algorithms.js'

const gcm = { ivOctets: 12, tagOctets: 16 } as const
const blockOctets = 16

/** Undefined where there is nothing that could be looked at. */
export const decryptContent = (cipher: ContentCipher, key: Buffer, content: Buffer): Buffer | undefined =>
  isAuthenticated(cipher) ? decryptGcm(cipher, key, content) : decryptCbc(cipher, key, content)

/** @spec XML Encryption 1.1 §5.2.4 AES-GCM */
function decryptGcm({ name }: ContentCipher, key: Buffer, content: Buffer): Buffer | undefined {
  if (content.length <= gcm.ivOctets + gcm.tagOctets) return undefined
  const tagAt = content.length - gcm.tagOctets
  const decipher = createDecipheriv(name as 'aes-256-gcm', key, content.subarray(0, gcm.ivOctets), { authTagLength: gcm.tagOctets })
  decipher.setAuthTag(content.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(content.subarray(gcm.ivOctets, tagAt)), decipher.final()])
  } catch {
    return undefined
  }
}

/**
 * Padding that is wrong is no failure of its own: nothing is cut off, and what remains is no XML. So there is no step that only a
 * message with right padding reaches, which is what an oracle needs.
 *
 * @spec XML Encryption 1.1 §5.2.1 the last octet tells the length of the padding, the others of it are arbitrary
 */
function decryptCbc({ name }: ContentCipher, key: Buffer, content: Buffer): Buffer | undefined {
  if (content.length < 2 * blockOctets || content.length % blockOctets !== 0) return undefined
  const decipher = createDecipheriv(name, key, content.subarray(0, blockOctets)).setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(content.subarray(blockOctets)), decipher.final()])
  const length = padded[padded.length - 1] as number
  return length >= 1 && length <= blockOctets ? padded.subarray(0, padded.length - length) : padded
}
