/** One signing certificate as an admin wants to see it: whose, which, until when, and what is old about it. */
import { type Instant, instant, secondsBetween } from '@drawbridge/core/instant'
import { certificateOf } from '../certificate.js'
import { toUsablePem } from '../connection-configuration.js'

export type IdpCertificate = {
  readonly pem: string
  readonly subject: string
  /** SHA-256 over the certificate, lower-case hex: what the IdP's console shows, without its colons. */
  readonly fingerprint: string
  readonly notBefore: Instant
  readonly notAfter: Instant
  /** Negative: expired. An expired certificate is kept and trusted (metadata keys are raw trust), but warned about. */
  readonly daysLeft: number
  readonly isSignedWithSha1: boolean
}

const secondsPerDay = 86_400
export const daysLeftOf = (notAfter: Instant, now: Instant): number => Math.floor(secondsBetween(now, notAfter) / secondsPerDay)

/** Undefined where its key is one that we accept no signature from. */
export function describeCertificate(certificate: string, now: Instant): IdpCertificate | undefined {
  const pem = toUsablePem(certificate)
  if (pem === undefined) return undefined
  const parsed = certificateOf(pem)
  const notAfter = instant(Date.parse(parsed.validTo))
  return {
    pem,
    subject: parsed.subject,
    fingerprint: parsed.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: instant(Date.parse(parsed.validFrom)),
    notAfter,
    daysLeft: daysLeftOf(notAfter, now),
    isSignedWithSha1: sha1Oids.includes(signatureOidOf(parsed.raw)),
  }
}

/** RSA and ECDSA with SHA-1, as DER writes the two identifiers. */
const sha1Oids: readonly string[] = ['2a864886f70d010105', '2a8648ce3d0401']

/** `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER … } … }` (RFC 5280 §4.1). */
function signatureOidOf(der: Buffer): string {
  const whole = contentOf(der, 0)
  const toBeSigned = contentOf(der, whole.start)
  const algorithm = contentOf(der, toBeSigned.end)
  const oid = contentOf(der, algorithm.start)
  return der.subarray(oid.start, oid.end).toString('hex')
}

/** The parser of certificates has accepted these octets already, so the lengths in them hold. */
function contentOf(der: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = der[at + 1] ?? 0
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const octets = first & 0x7f
  const start = at + 2 + octets
  return { start, end: start + der.readUIntBE(at + 2, octets) }
}
