/** A trip to the IdP and home, through the product's own statements, at whatever moment the process that begins it believes it is. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { namesOfIdpSession } from '@drawbridge/core/logout/idp-session'
import type { AuthorizationRequestId, BrowserSessionId, CredentialHash, LoginRequestId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { completeLogin } from '@drawbridge/store/complete-login'
import { insertLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { presentVersions } from './a-grant.js'
import type { ATenant } from './a-tenant.js'
import type { TestDatabase } from './database.js'

export const aTripIssuer = 'https://idp.example'

export type Traveller = {
  readonly sub?: string
  readonly sid?: string
  readonly previous?: CredentialHash
  readonly browser?: CredentialHash
  /** As the IdP's clock says. Absent: an hour ahead. */
  readonly issuedAt?: Instant
  /** Absent: when the trip began. */
  readonly authenticatedAt?: Instant
  /** Absent: none. */
  readonly claims?: object
}
export type ASession = { readonly id: BrowserSessionId; readonly handleHash: CredentialHash }
export type ATrip = {
  /** `believed`, or what became of it. */
  comeHome(): Promise<string>
  readonly session: ASession
}

/** Throws where the trip may not begin. */
export async function aTrip(
  { fixture, tenant, now }: { readonly fixture: TestDatabase; readonly tenant: ATenant; readonly now: Instant },
  traveller: Traveller = {},
): Promise<ATrip> {
  const { tenantId, connectionId, issuerId, clientId } = tenant
  const { sub = 'ada', sid, previous, browser = hashCredential(randomUUID()) } = traveller
  const { issuedAt = addSeconds(now, 3600), authenticatedAt = now, claims = {} } = traveller
  const [id, hot, later] = [randomUUID() as LoginRequestId, onHotPath(fixture.database), addSeconds(now, 3600)]
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt: later, saved: false },
  }
  const request = { ongoing, browserHash: browser, decidedOn: await presentVersions(fixture, tenant) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt: later, freshDemanded: false, now }
  const begun = await insertLoginRequest(hot, tenantId, request, trip)
  if (begun.kind !== 'written') throw new Error(`the trip could not begin: ${begun.kind}`)
  const idpSession = { sessionIndex: undefined, nameId: undefined, sid, subject: { issuer: aTripIssuer, sub } }
  const session = { id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()) }
  const comeHome = async (): Promise<string> => {
    const done = await completeLogin(hot, tenantId, {
      ...{ id, issuerId, connectionId, browserHash: browser, issuedAt, now: addSeconds(now, 10) },
      ...{ replays: [{ kind: 'oidc_id_token' as const, id }], replayableUntil: later, scimLink: undefined },
      addresses: { claimed: [], own: undefined },
      subject: { id: randomUUID() as SubjectId, stableId: sub, claims },
      session: {
        ...{ ...session, acr: undefined, amr: [], authenticatedAt, expiresAt: later, sealedLogoutHint: Buffer.from('hint') },
        ...{ idpSession: { ...idpSession, sid: sid ?? null }, idpSessionNames: namesOfIdpSession(idpSession) },
      },
      ...{ previousHandleHash: previous, requestId: 'request', address: '127.0.0.1' },
    })
    return done.kind === 'refused' ? done.reason : done.kind
  }
  return { comeHome, session }
}
