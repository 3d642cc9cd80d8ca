import { aGif, aJpeg, aLosslessWebp, aLossyWebp, aPng, aWebp } from '@drawbridge/testkit/a-picture'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAcceptableLogoUri, logoLimits, readPicture } from './client-logo.js'

const kinds = [
  { kind: 'a PNG', make: aPng, mediaType: 'image/png' },
  { kind: 'a GIF', make: aGif, mediaType: 'image/gif' },
  { kind: 'a JPEG', make: aJpeg, mediaType: 'image/jpeg' },
  { kind: 'an extended WebP', make: aWebp, mediaType: 'image/webp' },
  { kind: 'a lossy WebP', make: aLossyWebp, mediaType: 'image/webp' },
  { kind: 'a lossless WebP', make: aLosslessWebp, mediaType: 'image/webp' },
] as const

describe.each(kinds)('$kind', ({ make, mediaType }) => {
  it('is known by its octets, and its size is read', () => {
    expect(readPicture(make({ width: 300, height: 200 }))).toEqual({ ok: true, value: { mediaType, width: 300, height: 200 } })
  })
  it('may have the size of the limit and not one pixel more, on either side', () => {
    const { pixels } = logoLimits
    expect(readPicture(make({ width: pixels, height: pixels })).ok).toBe(true)
    expect(readPicture(make({ width: pixels + 1, height: 1 }))).toEqual({ ok: false, error: 'logo_too_large' })
    expect(readPicture(make({ width: 1, height: pixels + 1 }))).toEqual({ ok: false, error: 'logo_too_large' })
  })
  it('that breaks off before its size is none', () => {
    expect(readPicture(make().subarray(0, 9))).toEqual({ ok: false, error: 'logo_not_a_picture' })
  })
})

/** To a decoder 65,535 pixels on each side: the octet that fills up makes of the frame a long segment, behind which another frame says 1. */
const frameOf = (pixels: number) => [0xff, 0xc0, 0, 17, 8, pixels >> 8, pixels & 255, pixels >> 8, pixels & 255]
const filledJpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, ...frameOf(65_535)]), Buffer.alloc(0xc000 - 8), Buffer.from(frameOf(1))])

it.each([
  { what: 'nothing', octets: Buffer.alloc(0) },
  { what: 'an SVG', octets: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>') },
  { what: 'an SVG behind a declaration', octets: Buffer.from('<?xml version="1.0"?><svg/>') },
  { what: 'a page', octets: Buffer.from('<!doctype html><img src=x onerror=alert(1)>') },
  { what: 'a PNG of nothing', octets: aPng({ width: 0, height: 64 }) },
  { what: 'a GIF of nothing', octets: aGif({ width: 64, height: 0 }) },
  { what: 'the name of a PNG without its header', octets: Buffer.concat([aPng().subarray(0, 8), Buffer.alloc(100)]) },
  { what: 'a WebP of an unknown kind', octets: Buffer.from(aWebp().toString('latin1').replace('VP8X', 'VP9X'), 'latin1') },
  { what: 'a RIFF that is a sound', octets: Buffer.from(aWebp().toString('latin1').replace('WEBP', 'WAVE'), 'latin1') },
  { what: 'a GIF without a frame', octets: aGif({ frames: 0 }) },
  { what: 'a GIF without its end', octets: aGif().subarray(0, -1) },
  { what: 'a GIF with something between its blocks', octets: Buffer.concat([aGif().subarray(0, -1), Buffer.from([0, 0x3b])]) },
  { what: 'a JPEG that is filled up before its frame', octets: filledJpeg },
  {
    what: 'a JPEG with a mark without length before its frame',
    octets: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xd0]), aJpeg().subarray(2)]),
  },
  { what: 'a JPEG whose segment has no length', octets: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0]) },
  { what: 'a JPEG without a frame', octets: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 2, 0xff, 0xe1, 0, 2, 0xff, 0xd9]) },
  { what: 'an icon of Windows', octets: Buffer.from([0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0]) },
])('$what is no picture', ({ octets }) => {
  expect(readPicture(octets)).toEqual({ ok: false, error: 'logo_not_a_picture' })
})

it.each([
  { what: 'a GIF with two frames', octets: aGif({ frames: 2 }) },
  { what: 'a PNG with an animation control', octets: aPng({}, '\0\0\0\0\0\0\0\x08acTL\0\0\0\x02') },
  { what: 'a WebP with a frame of an animation', octets: Buffer.concat([aWebp(), Buffer.from('ANMF\0\0\0\0')]) },
])('$what moves, so an admin may not have seen what people would', ({ octets }) => {
  expect(readPicture(octets)).toEqual({ ok: false, error: 'logo_moves' })
})

it('a frame of a GIF counts as far as it reaches beyond its screen', () => {
  const octets = aGif({ width: 10, height: 10, frame: { width: 64 } })
  expect(readPicture(octets)).toEqual({ ok: true, value: { mediaType: 'image/gif', width: 64, height: 10 } })
  expect(readPicture(aGif({ frame: { height: logoLimits.pixels + 1 } }))).toEqual({ ok: false, error: 'logo_too_large' })
})

it('a file may have as many octets as the limit, and not one more', () => {
  const fill = (octets: number) => Buffer.concat([aPng(), Buffer.alloc(octets - aPng().length)])
  expect(readPicture(fill(logoLimits.octets)).ok).toBe(true)
  expect(readPicture(fill(logoLimits.octets + 1))).toEqual({ ok: false, error: 'logo_too_large' })
})

it('whatever comes is judged, and nothing larger than the limits is taken', () => {
  const starts = kinds.map(({ make }) => make())
  const anything = fc.tuple(fc.constantFrom(Buffer.alloc(0), ...starts), fc.nat(40), fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(anything, ([start, kept, rest]) => {
      const read = readPicture(Buffer.concat([start.subarray(0, kept), rest]))
      if (!read.ok) return
      expect(read.value.width).toBeLessThanOrEqual(logoLimits.pixels)
      expect(read.value.height).toBeLessThanOrEqual(logoLimits.pixels)
    }),
  )
})

it.each([
  { given: 'https://client.example/logo.png', is: true },
  { given: 'http://client.example/logo.png', is: false },
  { given: 'data:image/png;base64,iVBORw0KGgo=', is: false },
  { given: 'https://user@client.example/logo.png', is: false },
  { given: 'https://client.example/logo.svg#x', is: false },
  { given: 'javascript:alert(1)', is: false },
])('$given may be where a logo is: $is', ({ given, is }) => {
  expect(isAcceptableLogoUri(given)).toBe(is)
})
