/** Pictures as small as can be, of the four kinds that are shown, with the size that each says it has. */
type Sized = { readonly width?: number; readonly height?: number }

const bytes = (...parts: readonly (string | readonly number[] | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))
const big = (value: number, octets: number): readonly number[] =>
  Array.from({ length: octets }, (_, at) => (value >>> (8 * (octets - 1 - at))) & 255)
const little = (value: number, octets: number): readonly number[] => big(value, octets).toReversed()

export const aPng = ({ width = 64, height = 64 }: Sized = {}, more = ''): Buffer =>
  bytes('\x89PNG\r\n\x1a\n', big(13, 4), 'IHDR', big(width, 4), big(height, 4), [8, 6, 0, 0, 0], more)
const aGifFrame = ({ width = 64, height = 64 }: Sized): readonly number[] => [
  ...[0x2c, ...little(0, 4), ...little(width, 2), ...little(height, 2), 0],
  ...[2, 2, 0x44, 0x01, 0],
]
/** `frame`: of the size of the screen where it says no other. */
export const aGif = ({
  width = 64,
  height = 64,
  frame = {},
  frames = 1,
}: Sized & { readonly frame?: Sized; readonly frames?: number } = {}): Buffer =>
  bytes(
    ...['GIF89a', little(width, 2), little(height, 2), [0x80, 0, 0], [0, 0, 0, 255, 255, 255]],
    ...[[0x21, 0xfe, 4], 'logo', [0]],
    ...Array.from({ length: frames }, () => aGifFrame({ width, height, ...frame })),
    [0x3b],
  )
/** With a segment before the frame, as cameras and editors write it. */
export const aJpeg = ({ width = 64, height = 64 }: Sized = {}): Buffer =>
  bytes([0xff, 0xd8, 0xff, 0xe0], big(6, 2), 'JFIF', [0xff, 0xc0], big(17, 2), [8], big(height, 2), big(width, 2), [3, 0, 0, 0])
const webp = (kind: string, body: Buffer): Buffer => {
  const padded = body.length < 18 ? Buffer.concat([body, Buffer.alloc(18 - body.length)]) : body
  return bytes('RIFF', little(padded.length + 12, 4), 'WEBP', kind, little(padded.length, 4), padded)
}
export const aWebp = ({ width = 64, height = 64 }: Sized = {}): Buffer =>
  webp('VP8X', bytes([0, 0, 0, 0], little(width - 1, 3), little(height - 1, 3)))
export const aLossyWebp = ({ width = 64, height = 64 }: Sized = {}): Buffer =>
  webp('VP8 ', bytes([0, 0, 0, 0x9d, 0x01, 0x2a], little(width, 2), little(height, 2)))
export const aLosslessWebp = ({ width = 64, height = 64 }: Sized = {}): Buffer =>
  webp('VP8L', bytes([0x2f], little((width - 1) | ((height - 1) << 14), 4)))
