/** A LogoutResponse on its way round by an address of ours: small enough for one, and not judged yet. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** A signed one with the certificate in it takes three thousand characters. Proxies before us refuse addresses of more than eight thousand. */
const mostCharacters = 6000
const mostOctets = 64 * 1024

/** Undefined: it is too long. */
export function packAnswer(response: string): string | undefined {
  const packed = deflateRawSync(Buffer.from(response, 'base64')).toString('base64url')
  return packed.length > mostCharacters ? undefined : packed
}

/** Undefined: it is none of ours. */
export function unpackAnswer(packed: string): string | undefined {
  if (packed === '' || packed.length > mostCharacters) return undefined
  try {
    return inflateRawSync(Buffer.from(packed, 'base64url'), { maxOutputLength: mostOctets }).toString('base64')
  } catch {
    return undefined
  }
}
