/**
 * OAEP where the digest of the label and that of the mask differ: Java's default, and what `rsa-oaep-mgf1p` with SHA-256 means.
 * Node's own unpadding uses one hash for both, so this one undoes the padding itself after Node has done the RSA.
 *
 * Whoever learns at which step it fails can decrypt (Manger): every step is always taken, no branch depends on the octets, and there is one
 * failure.
 *
 * @spec RFC 8017 §7.1.2 RSAES-OAEP decryption operation, step 3
 * @spec RFC 8017 §B.2.1 MGF1
 */
import { createHash } from 'node:crypto'
import type { Oaep, OaepHash } from './encryption-algorithms.js'

const hashOctets = { sha1: 20, sha256: 32 } as const

/** `encoded` is as long as the modulus; the label is empty. Undefined: it is no such encoding. */
export function decodeOaep(encoded: Buffer, { digest, mask }: Oaep): Buffer | undefined {
  const length = hashOctets[digest]
  if (encoded.length < 2 * length + 2) return undefined
  const maskedSeed = encoded.subarray(1, 1 + length)
  const maskedBlock = encoded.subarray(1 + length)
  const seed = xor(maskedSeed, maskOf(mask, maskedBlock, length))
  const block = xor(maskedBlock, maskOf(mask, seed, maskedBlock.length))
  const label = createHash(digest).digest()
  let wrong = encoded[0] as number
  for (let index = 0; index < length; index += 1) wrong |= (block[index] as number) ^ (label[index] as number)
  const separator = findSeparator(block, length)
  return wrong === 0 && separator.found === 1 ? block.subarray(separator.index + 1) : undefined
}

/** Zeros, then one octet 0x01. Looks at every octet; anything else before it leaves `found` at 0. */
function findSeparator(block: Buffer, from: number): { readonly found: number; readonly index: number } {
  let looking = 1
  let found = 0
  let index = 0
  for (let at = from; at < block.length; at += 1) {
    const octet = block[at] as number
    const isOne = isZero(octet ^ 1)
    found |= looking & isOne
    index |= at & -(looking & isOne)
    looking &= isZero(octet)
  }
  return { found, index }
}

/** 1 for 0, otherwise 0, without a branch; for octets. */
const isZero = (octet: number): number => ((octet - 1) >>> 31) & 1

function maskOf(hash: OaepHash, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = []
  const counter = Buffer.alloc(4)
  for (let count = 0; count * hashOctets[hash] < length; count += 1) {
    counter.writeUInt32BE(count)
    blocks.push(createHash(hash).update(seed).update(counter).digest())
  }
  return Buffer.concat(blocks).subarray(0, length)
}

function xor(left: Buffer, right: Buffer): Buffer {
  const result = Buffer.allocUnsafe(left.length)
  for (let index = 0; index < left.length; index += 1) result[index] = (left[index] as number) ^ (right[index] as number)
  return result
}
