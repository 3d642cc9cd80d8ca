import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Oaep } from './encryption-algorithms.js'
import { decodeOaep } from './oaep.js'

const octets = 256
const message = Buffer.from('0123456789abcdef')
const paddings: readonly Oaep[] = [
  { digest: 'sha256', mask: 'sha1' },
  { digest: 'sha1', mask: 'sha256' },
  { digest: 'sha256', mask: 'sha256' },
]

/** @spec RFC 8017 §B.2.1 MGF1, written once more */
function mask(hash: string, seed: Buffer, length: number): Buffer {
  let made = Buffer.alloc(0)
  for (let count = 0; made.length < length; count += 1)
    made = Buffer.concat([
      made,
      createHash(hash)
        .update(Buffer.concat([seed, Buffer.from([0, 0, 0, count])]))
        .digest(),
    ])
  return made.subarray(0, length)
}
const xor = (one: Buffer, other: Buffer) => Buffer.from(one.map((octet, index) => octet ^ (other[index] as number)))

/** @spec RFC 8017 §7.1.1 step 2, with one thing done otherwise */
function encode({ digest, mask: maskHash }: Oaep, change: (block: Buffer, length: number) => void = () => undefined, first = 0): Buffer {
  const label = createHash(digest).digest()
  const block = Buffer.alloc(octets - label.length - 1)
  label.copy(block)
  block[block.length - message.length - 1] = 1
  message.copy(block, block.length - message.length)
  change(block, label.length)
  const seed = randomBytes(label.length)
  const maskedBlock = xor(block, mask(maskHash, seed, block.length))
  return Buffer.concat([Buffer.from([first]), xor(seed, mask(maskHash, maskedBlock, seed.length)), maskedBlock])
}

test.each(paddings)('what was encoded with $digest and mask $mask is read, and with no other pair', (padding) => {
  expect(decodeOaep(encode(padding), padding)).toEqual(message)
  for (const other of paddings) if (other !== padding) expect(decodeOaep(encode(padding), other)).toBeUndefined()
})

test.each([
  { what: 'a first octet that is not zero', encoded: (padding: Oaep) => encode(padding, undefined, 1) },
  { what: 'another label', encoded: (padding: Oaep) => encode(padding, (block) => void (block[5] = (block[5] as number) ^ 1)) },
  { what: 'no separator', encoded: (padding: Oaep) => encode(padding, (block, length) => void block.fill(0, length)) },
  { what: 'something before the separator', encoded: (padding: Oaep) => encode(padding, (block, length) => void (block[length + 3] = 2)) },
  { what: 'too few octets', encoded: () => Buffer.alloc(40) },
])('is refused: $what', ({ encoded }) => {
  for (const padding of paddings) expect(decodeOaep(encoded(padding), padding)).toBeUndefined()
})

test('a message may be empty, and the first separator counts', () => {
  const padding = paddings[0] as Oaep
  expect(
    decodeOaep(
      encode(padding, (block, length) => void block.fill(0, length).fill(1, block.length - 1)),
      padding,
    ),
  ).toEqual(Buffer.alloc(0))
  const early = decodeOaep(
    encode(padding, (block, length) => void (block[length] = 1)),
    padding,
  )
  expect(early?.length).toBe(octets - 1 - 2 * 32 - 1)
})
