/**
 * Certificates of IdPs, each parsed once: OpenSSL takes as long for one as for a dozen verified signatures, and one look at metadata asks
 * of the same two or three a dozen times.
 */
import { X509Certificate } from 'node:crypto'

/** Some two hundred companies' worth; the longest unused go first. */
export const mostKnownCertificates = 512
/** A longer one is parsed each time, so that what is kept here stays below 2 MB. */
const longestKept = 4096

const known = new Map<string, X509Certificate>()

/** PEM, or its base64 alone, folded or not. Undefined: it is no certificate. Says nothing of its key or its dates. */
export function readCertificate(text: string): X509Certificate | undefined {
  const base64 = text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s+/g, '')
  const kept = known.get(base64)
  const certificate = kept ?? parse(base64)
  if (certificate === undefined || base64.length > longestKept) return certificate
  known.delete(base64)
  known.set(base64, certificate)
  if (known.size > mostKnownCertificates) known.delete(known.keys().next().value as string)
  return certificate
}

function parse(base64: string): X509Certificate | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}

/** Of one that has been read before and is stored since: that it is no certificate would be our own mistake. */
export function certificateOf(pem: string): X509Certificate {
  const certificate = readCertificate(pem)
  if (certificate === undefined) throw new Error('invariant broken: a stored certificate cannot be read')
  return certificate
}
