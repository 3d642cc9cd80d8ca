/** What a QR code of a page says to a camera, and that it says nothing but drawing to a browser. */

import fc from 'fast-check'
import decodeQR from 'qr/decode.js'
import { describe, expect, it } from 'vitest'
import { renderHtml } from './html.js'
import { mostQrCodeBytes, qrCode } from './qr-code.js'

const drawn = (text: string): string => renderHtml(qrCode(text, 'a code') ?? (undefined as never))
const pixels = 4

/** As a camera sees it: each square as some pixels. */
function seen(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1])
  const width = size * pixels
  const data = new Uint8ClampedArray(width * width * 4).fill(255)
  const dark = /fill="#000" d="([^"]*)"/.exec(svg)?.[1] ?? ''
  for (const [, x, y, length] of dark.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g))
    for (let row = Number(y) * pixels; row < (Number(y) + 1) * pixels; row += 1)
      for (let column = Number(x) * pixels; column < (Number(x) + Number(length)) * pixels; column += 1)
        data.fill(0, (row * width + column) * 4, (row * width + column) * 4 + 3)
  return decodeQR({ width, height: width, data })
}

describe('a QR code', () => {
  it('is read as what it was made of', () => {
    const uri =
      'otpauth://totp/Acme%20GmbH:ada%40acme.example?issuer=Acme%20GmbH&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6'
    expect(seen(drawn(uri))).toBe(uri)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 200 }), (text) => seen(drawn(text)) === text),
      { numRuns: 25 },
    )
  })
  it('is a drawing and nothing else: no style, script or address, and it is read out by its label', () => {
    const svg = drawn('"><script>alert(1)</script>')
    expect(svg.replaceAll(/ d="[Mhvz0-9 H-]+"/g, ' d=""')).toMatch(
      /^<svg class="qr" role="img" aria-label="a code" viewBox="0 0 \d+ \d+" shape-rendering="crispEdges"><path fill="#fff" d=""\/><path fill="#000" d=""\/><\/svg>$/,
    )
  })
  it('has a quiet zone of four squares', () => {
    const places = [...drawn('x').matchAll(/M(\d+) (\d+)h\d+v1/g)].flatMap(([, x, y]) => [Number(x), Number(y)])
    expect(Math.min(...places)).toBe(4)
  })
  it('is not made of more than a phone reads well', () => {
    expect(qrCode('x'.repeat(mostQrCodeBytes), 'a code')).toBeDefined()
    expect(qrCode('\u00e4'.repeat(mostQrCodeBytes / 2 + 1), 'a code')).toBeUndefined()
  })
})
