/**
 * A QR code as part of a page: an inline drawing, so that what it says leaves the page by no second request and needs no looser policy.
 *
 * The library says which squares are dark; the markup is ours. Black on white whatever the colours of the page, with the quiet zone around
 * it, because cameras need both.
 */
import encodeQR from 'qr'
import { type Html, html } from './html.js'

/** More of UTF-8 makes squares so small that a phone before a screen reads them badly: then none is drawn. */
export const mostQrCodeBytes = 800
/** In squares. ISO/IEC 18004 §6.3.8 */
const quietZone = 4

/** `label`: what is read out in its place; whatever it holds has to stand beside it as text, too. `undefined`: too much for one. */
export function qrCode(text: string, label: string): Html | undefined {
  if (Buffer.byteLength(text, 'utf8') > mostQrCodeBytes) return undefined
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: quietZone })
  const size = rows.length
  const path = rows.flatMap((row, y) => darkRuns(row).map(({ x, length }) => `M${x} ${y}h${length}v1h-${length}z`))
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path fill="#000" d="${path.join('')}"/></svg>`
}

function darkRuns(row: readonly boolean[]): readonly { readonly x: number; readonly length: number }[] {
  const runs: { x: number; length: number }[] = []
  row.forEach((isDark, x) => {
    const last = runs.at(-1)
    if (isDark && last !== undefined && last.x + last.length === x) last.length += 1
    else if (isDark) runs.push({ x, length: 1 })
  })
  return runs
}
