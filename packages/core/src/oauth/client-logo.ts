/**
 * A client's logo: where it may be, and what of what is found there is a picture that people can be shown.
 *
 * The kind of a picture is what its octets begin with, never what its publisher calls it. Drawings that are programs (SVG) are none: they can
 * hold scripts and load more. Nor are pictures that move: an admin may have looked before the frame that people are to see. Nothing is decoded here;
 * the size that the picture names is read, because a browser would set that much memory aside.
 *
 * @spec RFC 7591 §2 logo_uri
 * @spec OAuth CIMD, displaying logos to end-users
 */
import { err, ok, type Result } from '../result.js'
import { isAcceptableJwksUri } from './client.js'
import { framesOfGif } from './gif-frames.js'

export const logoLimits = {
  /** Of the file. */
  octets: 128 * 1024,
  /** Of each side. */
  pixels: 1024,
} as const

/** The rule of key addresses: https, no user, nothing that a parser would repair. */
export const isAcceptableLogoUri = isAcceptableJwksUri

export type PictureType = 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp'
export type Picture = { readonly mediaType: PictureType; readonly width: number; readonly height: number }
export type NoPicture = 'logo_not_a_picture' | 'logo_too_large' | 'logo_moves'

type Size = { readonly width: number; readonly height: number }
type Reader = {
  readonly mediaType: PictureType
  readonly begins: (octets: Buffer) => boolean
  /** Undefined: it names none. */
  readonly sizeOf: (octets: Buffer) => Size | undefined
  readonly moves: (octets: Buffer) => boolean
}

const holds = (octets: Buffer, at: number, text: string): boolean => octets.toString('latin1', at, at + text.length) === text

/** Without the chunk of this name nothing moves. By chance it stands in one of 30,000 pictures: that one is refused, too. */
const holdsChunk = (name: 'acTL' | 'ANMF') => (octets: Buffer) => octets.includes(name, 0, 'latin1')

const readers: readonly Reader[] = [
  {
    mediaType: 'image/png',
    begins: (octets) => holds(octets, 0, '\x89PNG\r\n\x1a\n'),
    sizeOf: (octets) =>
      holds(octets, 12, 'IHDR') && octets.length >= 24 ? { width: octets.readUInt32BE(16), height: octets.readUInt32BE(20) } : undefined,
    moves: holdsChunk('acTL'),
  },
  {
    mediaType: 'image/gif',
    begins: (octets) => holds(octets, 0, 'GIF87a') || holds(octets, 0, 'GIF89a'),
    sizeOf: sizeOfGif,
    moves: (octets) => framesOfGif(octets)?.length !== 1,
  },
  {
    mediaType: 'image/webp',
    begins: (octets) => holds(octets, 0, 'RIFF') && holds(octets, 8, 'WEBP'),
    sizeOf: sizeOfWebp,
    moves: holdsChunk('ANMF'),
  },
  { mediaType: 'image/jpeg', begins: (octets) => holds(octets, 0, '\xff\xd8\xff'), sizeOf: sizeOfJpeg, moves: () => false },
]

/** Whoever takes it shows it as `mediaType` and as nothing else. */
export function readPicture(octets: Buffer): Result<Picture, NoPicture> {
  if (octets.length > logoLimits.octets) return err('logo_too_large')
  const reader = readers.find(({ begins }) => begins(octets))
  const size = reader?.sizeOf(octets)
  if (!reader || !size || size.width === 0 || size.height === 0) return err('logo_not_a_picture')
  if (size.width > logoLimits.pixels || size.height > logoLimits.pixels) return err('logo_too_large')
  return reader.moves(octets) ? err('logo_moves') : ok({ mediaType: reader.mediaType, ...size })
}

/** Browsers widen the screen for a frame that does not fit on it. */
function sizeOfGif(octets: Buffer): Size | undefined {
  const frames = framesOfGif(octets)
  if (frames === undefined || frames.length === 0) return undefined
  const width = Math.max(octets.readUInt16LE(6), ...frames.map(({ right }) => right))
  return { width, height: Math.max(octets.readUInt16LE(8), ...frames.map(({ bottom }) => bottom)) }
}

/** @spec RFC 9649 §2.5 to §2.7: extended, lossy, lossless */
function sizeOfWebp(octets: Buffer): Size | undefined {
  if (octets.length < 30) return undefined
  if (holds(octets, 12, 'VP8X')) return { width: octets.readUIntLE(24, 3) + 1, height: octets.readUIntLE(27, 3) + 1 }
  if (holds(octets, 12, 'VP8 ') && octets.readUIntBE(23, 3) === 0x9d012a)
    return { width: octets.readUInt16LE(26) & 0x3fff, height: octets.readUInt16LE(28) & 0x3fff }
  if (holds(octets, 12, 'VP8L') && octets[20] === 0x2f) {
    const bits = octets.readUInt32LE(21)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  return undefined
}

/** Frames that name the size: all but the tables among them. ITU T.81 table B.1 */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
/** What may stand before the frame, each with its length. Octets that fill up, and marks that have no length, decoders step over in ways of their own. */
const isSegment = (marker: number): boolean => marker >= 0xc0 && marker < 0xff && !(marker >= 0xd0 && marker <= 0xda)
const firstSegmentAt = 2

/** From segment to segment, each longer than nothing, so it ends. @spec ITU T.81 §B.1 */
function sizeOfJpeg(octets: Buffer): Size | undefined {
  let at = firstSegmentAt
  while (at + 9 <= octets.length && octets[at] === 0xff) {
    const marker = octets.readUInt8(at + 1)
    if (isFrame(marker)) return { height: octets.readUInt16BE(at + 5), width: octets.readUInt16BE(at + 7) }
    const length = octets.readUInt16BE(at + 2)
    if (!isSegment(marker) || length < 2) return undefined
    at += 2 + length
  }
  return undefined
}
