/**
 * What our security event tokens say, beside who signs them for whom: whom a revocation names, and events about a stream itself.
 *
 * @spec RFC 8417 §2.2 txn; RFC 9493 §3 formats; SSF 1.0 §3.2 complex subjects, §8.1.4 verification, §8.1.5 stream updated; CAEP 1.0 §2
 */
import type { DeprovisioningTarget } from '../revocation/deprovisioning-event.js'
import type { StreamStatus } from './event-stream.js'

const ssf = 'https://schemas.openid.net/secevent/ssf/event-type/'
export const verificationEvent = `${ssf}verification`
export const streamUpdatedEvent = `${ssf}stream-updated`

type Simple =
  | { readonly format: 'opaque'; readonly id: string }
  | { readonly format: 'iss_sub'; readonly iss: string; readonly sub: string }
export type SetSubject = Simple | ({ readonly format: 'complex' } & Readonly<Partial<Record<SubjectMember, Simple>>>)
type SubjectMember = (typeof subjectMembers)[number]

/** Of complex subjects. Whoever passes over one of them would misread whom an event names. */
export const subjectMembers = ['user', 'session', 'tenant', 'application', 'org_unit'] as const

export type Revoked = {
  readonly issuer: string
  readonly tenantSlug: string
  readonly target: DeprovisioningTarget
  readonly targetId: string
  /** Of a grant, where known: whose it is, and in which session at our issuer it was opened. */
  readonly grant?: { readonly subject: string | undefined; readonly session: string | undefined } | undefined
  /** The session itself has ended, not only this grant of it. */
  readonly isSessionEnd?: boolean
}

const opaque = (id: string): Simple => ({ format: 'opaque', id })

/**
 * Whom a revocation names, by what stands in our access tokens, so that a receiver can compare: `sub`, `sid` of a session that ended and `gid`
 * of a grant that did, `client_id`, `connection` and `tenant`.
 */
export function subjectOfRevocation({ issuer, tenantSlug, target, targetId, grant, isSessionEnd }: Revoked): SetSubject {
  switch (target) {
    case 'subject':
      return { format: 'iss_sub', iss: issuer, sub: targetId }
    case 'grant':
      return {
        format: 'complex',
        ...(grant?.subject === undefined ? {} : { user: { format: 'iss_sub', iss: issuer, sub: grant.subject } as const }),
        session: opaque((isSessionEnd ? grant?.session : undefined) ?? targetId),
        tenant: opaque(tenantSlug),
      }
    case 'client':
      return { format: 'complex', application: opaque(targetId), tenant: opaque(tenantSlug) }
    case 'connection':
      return { format: 'complex', org_unit: opaque(targetId), tenant: opaque(tenantSlug) }
    case 'tenant':
      return { format: 'complex', tenant: opaque(tenantSlug) }
  }
}

type StreamEvent = { readonly sub_id: SetSubject; readonly events: Readonly<Record<string, unknown>> }

export const verificationClaims = (streamId: string, state: string | undefined): StreamEvent => ({
  sub_id: opaque(streamId),
  events: { [verificationEvent]: state === undefined ? {} : { state } },
})

export const streamUpdatedClaims = (streamId: string, status: StreamStatus, reason: string | undefined): StreamEvent => ({
  sub_id: opaque(streamId),
  events: { [streamUpdatedEvent]: reason === undefined ? { status } : { status, reason } },
})
