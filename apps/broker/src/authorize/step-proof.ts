/**
 * The proof that a form was shown by us, to this browser, for this request, at this step, and what it showed.
 *
 * SameSite alone is not relied upon: a sibling subdomain is same-site. The proof is an HMAC, so nothing is stored for it, and it dies
 * with the request that it names.
 *
 * @spec RFC 9700 §4.7 CSRF
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { AuthorizationRequestId, CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import type { Sealer } from '@drawbridge/crypto/seal'

export type ProvenStep = {
  readonly tenant: TenantId
  readonly request: AuthorizationRequestId
  readonly browserHash: CredentialHash
  readonly step: 'choose_connection' | 'client_notice' | 'consent'
  /** What the person says yes to, where the page asks for that: a yes to something else proves nothing. */
  readonly shown?: string | undefined
}

const mac = (sealer: Sealer, version: number, at: ProvenStep): Buffer =>
  createHmac('sha256', sealer.derive('step-proof', version))
    .update(JSON.stringify([at.tenant, at.request, at.browserHash.toString('hex'), at.step, at.shown ?? null]))
    .digest()

export const stepProof = (sealer: Sealer, at: ProvenStep): string =>
  `${sealer.currentVersion}.${mac(sealer, sealer.currentVersion, at).toString('base64url')}`

export function isStepProof(sealer: Sealer, at: ProvenStep, presented: string | undefined): boolean {
  const match = /^(\d{1,9})\.([A-Za-z0-9_-]{43})$/.exec(presented ?? '')
  const version = Number(match?.[1])
  if (!match || !sealer.versions.includes(version)) return false
  const given = Buffer.from(match[2] as string, 'base64url')
  const expected = mac(sealer, version, at)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
