/** Chance, as an argument: the one place of the house that draws random numbers. */
import { randomBytes, randomFillSync } from 'node:crypto'

export type Random = {
  bytes(length: number): Buffer
  /** A version 4 UUID, RFC 9562 §5.4. */
  uuid(): string
  /** 256 bits in base64url: what every opaque credential is made of. */
  token(): string
}

/** Builds a `Random` over a source of bytes, so that tests may pass a seeded one and get the same shapes. */
export function randomOver(bytes: (length: number) => Buffer): Random {
  return { bytes, uuid: () => toUuid(bytes(16)), token: () => bytes(32).toString('base64url') }
}

export const systemRandom = (): Random => randomOver(cutFromBlocks())

const blockLength = 4096
const longestCut = 64

/**
 * The system's generator costs the same for 16 bytes and for a block of them, and a request draws four times: so small draws are cut from
 * a block, as `crypto.randomUUID` does. Every byte is given out once, and wiped from the block when it is.
 */
function cutFromBlocks(): (length: number) => Buffer {
  const block = Buffer.alloc(blockLength)
  let next = blockLength
  return (length) => {
    if (length > longestCut) return randomBytes(length)
    if (next + length > blockLength) {
      randomFillSync(block)
      next = 0
    }
    const cut = Buffer.from(block.subarray(next, next + length))
    block.fill(0, next, next + length)
    next += length
    return cut
  }
}

function toUuid(octets: Buffer): string {
  octets.writeUInt8((octets.readUInt8(6) & 0x0f) | 0x40, 6)
  octets.writeUInt8((octets.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = octets.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
