/** The little HTTP that the simulator needs: reading a form, writing a page, all with limits and headers. */
import type { IncomingMessage, ServerResponse } from 'node:http'

const maxFormBytes = 256 * 1024

export class FormTooLarge extends Error {}

export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxFormBytes) throw new FormTooLarge('the form is too large')
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}

/** `extraPolicy`: what one page needs beyond nothing at all. */
export function sendPage(response: ServerResponse, status: number, markup: string, extraPolicy = "; form-action 'self'"): void {
  send(response, status, 'text/html; charset=utf-8', markup, {
    'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'${extraPolicy}`,
  })
}

export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    ...headers,
  })
  response.end(body)
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'content-length': 0 })
  response.end()
}
