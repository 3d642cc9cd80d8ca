/** The only reader of request bodies, for both lanes: one limit, one place. */
import type { IncomingMessage } from 'node:http'
import { err, ok, type Result } from '@drawbridge/core/result'

export type BodyRefusal = 'body_too_large' | 'body_incomplete' | 'media_type_refused'

/** Unless an endpoint names another. Forms and JSON of a person's size fit many times. */
export const defaultMaxBodyBytes = 65_536

const noBody = ok(Buffer.alloc(0))

/** A request has a body if it says how that is framed. RFC 9112 §6.3. */
export const announcesBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

export function readBody(request: IncomingMessage, maxBytes: number): Promise<Result<Buffer, BodyRefusal>> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') return Promise.resolve(err('media_type_refused'))
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve(err('body_too_large'))
  if (!announcesBody(request)) return Promise.resolve(noBody)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) {
        request.pause()
        request.removeAllListeners('data')
        resolve(err('body_too_large'))
      } else chunks.push(chunk)
    })
    request.on('end', () => resolve(ok(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))))
    request.on('error', () => resolve(err('body_incomplete')))
    request.on('aborted', () => resolve(err('body_incomplete')))
  })
}

const deepestJson = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** JSON without surprises: valid UTF-8, no NUL and no half surrogate pair (PostgreSQL keeps neither), bounded depth. */
export function parseJsonBody(body: Buffer): Result<unknown, 'json_malformed'> {
  try {
    const text = utf8.decode(body)
    if (text.includes('\\u0000') || isTooDeep(text)) return err('json_malformed')
    const value: unknown = JSON.parse(text)
    return holdsHalfPair(text, value) ? err('json_malformed') : ok(value)
  } catch {
    return err('json_malformed')
  }
}

/** Only an escape can make half a pair, and `JSON.stringify` writes whole pairs plainly: what is still escaped after it is a half. */
const holdsHalfPair = (text: string, value: unknown): boolean => /\\ud/i.test(text) && /\\ud[89a-f]/.test(JSON.stringify(value))

/** Counts brackets before parsing, strings skipped: cheaper than walking the value, and nothing deep is ever built. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (quoted) {
      if (code === 0x5c) index += 1
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x7b || code === 0x5b) {
      depth += 1
      if (depth > deepestJson) return true
    } else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return false
}

/** `undefined` when the octets are not UTF-8. */
export function decodeUtf8(body: Buffer): string | undefined {
  try {
    return utf8.decode(body)
  } catch {
    return undefined
  }
}
