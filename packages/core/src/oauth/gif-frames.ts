/** The frames of a GIF: how many there are, and how far each reaches. Nothing is decoded. */
export type GifFrame = { readonly right: number; readonly bottom: number }

const blocks = { extension: 0x21, image: 0x2c, trailer: 0x3b } as const
const headerOctets = 13
const imageOctets = 10

/** Octets of the table of colours that these flags announce. GIF89a §18, §20 */
const tableOctets = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1))

/** What stands behind sub-blocks that begin here; each but the last is longer than nothing, so it ends. GIF89a §15, §16 */
function behindSubBlocks(octets: Buffer, from: number): number {
  let at = from
  for (let length = octets[at]; length !== undefined && length !== 0; length = octets[at]) at += 1 + length
  return at + 1
}

/**
 * From block to block, until the trailer. Undefined: it breaks off, or holds something of which decoders make different things.
 *
 * @spec GIF89a Appendix B
 */
export function framesOfGif(octets: Buffer): readonly GifFrame[] | undefined {
  if (octets.length < headerOctets) return undefined
  const frames: GifFrame[] = []
  for (let at = headerOctets + tableOctets(octets.readUInt8(10)); at < octets.length; ) {
    const kind = octets[at]
    if (kind === blocks.trailer) return frames
    if (kind === blocks.extension) at = behindSubBlocks(octets, at + 2)
    else if (kind === blocks.image && at + imageOctets < octets.length) {
      const [left, top, width, height] = [1, 3, 5, 7].map((member) => octets.readUInt16LE(at + member)) as [number, number, number, number]
      frames.push({ right: left + width, bottom: top + height })
      // One octet of the code size stands before the sub-blocks. GIF89a §22
      at = behindSubBlocks(octets, at + imageOctets + tableOctets(octets.readUInt8(at + 9)) + 1)
    } else return undefined
  }
  return undefined
}
