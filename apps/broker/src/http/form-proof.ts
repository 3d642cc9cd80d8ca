/**
 * The proof that a form was shown by us, and of what it showed.
 *
 * SameSite alone is not relied upon: a sibling subdomain is same-site. The proof is an HMAC over what the form is bound to, so nothing is
 * stored for it; whatever it must die with has to be among that.
 *
 * @spec RFC 9700 §4.7 CSRF
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Sealer } from '@drawbridge/crypto/seal'

/** Which kind of form; each has a key of its own. */
export type FormKind = 'step-proof' | 'sign-out-proof' | 'setup-proof'
export type Bound = readonly (string | null)[]

const mac = (sealer: Sealer, version: number, kind: FormKind, bound: Bound): Buffer =>
  createHmac('sha256', sealer.derive(kind, version)).update(JSON.stringify(bound)).digest()

export const formProof = (sealer: Sealer, kind: FormKind, bound: Bound): string =>
  `${sealer.currentVersion}.${mac(sealer, sealer.currentVersion, kind, bound).toString('base64url')}`

export function isFormProof(sealer: Sealer, kind: FormKind, bound: Bound, presented: string | undefined): boolean {
  const match = /^([1-9]\d{0,8})\.([A-Za-z0-9_-]{43})$/.exec(presented ?? '')
  const version = Number(match?.[1])
  if (!match || !sealer.versions.includes(version)) return false
  // As it is written: the last character of base64url carries two bits that a decoder drops.
  const expected = mac(sealer, version, kind, bound).toString('base64url')
  return timingSafeEqual(Buffer.from(match[2] as string), Buffer.from(expected))
}
