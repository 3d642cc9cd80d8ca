/**
 * A person's look at her own second factors: how it begins, what its sign-in has to show, and what it stands on afterwards. docs/adr/0055
 *
 * It begins with a sign-in of its own, which the IdP is told to ask for anew and has to say that it did. From then on it belongs to the
 * session which that opened, in the browser that began it: another session in the same browser, and every barrier, ends it.
 */
import { meetsDemand } from '@drawbridge/core/identity/fresh-login'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { CredentialHash, FactorVisitId, LoginRequestId } from '@drawbridge/core/tenant/ids'
import { findLiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { findBegunVisit, findFactorVisit, insertFactorVisit, openFactorVisit } from '@drawbridge/store/factor-visits'
import { listFactorsOfSubject, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, redirect } from '../http/answer.js'
import { browserHashOf } from '../http/browser-binding.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { leaveFor } from '../http/leave-for.js'
import { sealContextOf } from '../http/seal-context.js'
import { sessionHandleOf } from '../http/session-cookie.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { type FactorPlace, placeOfVisit } from './factor-place.js'
import type { FinishedLogin } from './flow.js'
import type { Homecoming } from './homecoming.js'
import { failureOfAnswer, traced } from './login-trace.js'
import { loginTtlSeconds } from './start-login.js'
import { refuseUpstream } from './upstream-refusal.js'

export const visitLocation = (tenant: ResolvedTenant, id?: FactorVisitId): string =>
  `${tenant.issuer.url}/factors${id === undefined ? '' : `?visit=${id}`}`

type Beginning = { readonly http: HttpRequest; readonly deps: BrokerDeps; readonly browserHash: CredentialHash }

/** Leaves for the IdP, which is told to ask her again. */
export async function beginVisit({ http, deps, browserHash }: Beginning, connection: ResolvedConnection): Promise<Answer> {
  const tenant = tenantOf(http)
  const connector = deps.connectorFor(tenant, connection)
  if (!connector) return refuseOnPage({ reason: 'connection_unknown' })
  const id = deps.random.uuid() as LoginRequestId
  const now = deps.clock.now()
  const started = await connector.start({
    loginRequestId: id,
    callbackUrl: callbackUrlOf(tenant, connection),
    relayState: id,
    stepUpAcr: undefined,
    forceAuthn: true,
    loginHint: undefined,
    now,
  })
  if (!started.ok)
    return traced(
      { http, deps, tenant, connection, now },
      failureOfAnswer(started.error, 'unavailable'),
      refuseUpstream(started.error, 'login_unavailable'),
    )
  const { answer, upstreamId, state } = started.value
  const sealedState = deps.sealer.seal(
    Buffer.from(state.reveal(), 'utf8'),
    sealContextOf({ deps, tenant }, 'login_requests', 'sealed_state', id),
  )
  const trip = { id, visitId: deps.random.uuid() as FactorVisitId, issuerId: tenant.issuer.id, connectionId: connection.id, browserHash }
  await inTenant(deps.database, tenant.id, (db) =>
    insertFactorVisit(db, tenant.id, { ...trip, upstreamId, sealedState, now, expiresAt: addSeconds(now, loginTtlSeconds) }),
  )
  return leaveFor(answer, 'Continue to your company\u2019s sign-in')
}

/** She has come home. A sign-in of which the IdP does not say that it is of just now opens a session as ever, and no visit. */
export async function arriveAtVisit(
  { deps, tenant, browserHash, now }: Homecoming,
  id: FactorVisitId,
  login: FinishedLogin,
): Promise<Answer> {
  if (login.kind !== 'believed') return refuseOnPage({ reason: 'factor_visit_over' })
  const { session } = login
  const outcome = await inTenant(deps.database, tenant.id, async (db) => {
    const begunAt = await findBegunVisit(db, tenant.id, { id, browserHash, now })
    if (begunAt === undefined) return 'factor_visit_over'
    if (!meetsDemand(session.authenticatedAt, begunAt)) return 'factor_visit_not_fresh'
    const opened = await openFactorVisit(db, tenant.id, { id, browserHash, sessionId: session.id, subjectId: session.subjectId, now })
    return opened ? 'opened' : 'factor_visit_over'
  })
  return outcome === 'opened'
    ? redirect(visitLocation(tenant, id), { headers: { 'cache-control': 'no-store' } })
    : refuseOnPage({ reason: outcome })
}

export type Visit = {
  readonly id: FactorVisitId
  readonly browserHash: CredentialHash
  readonly place: FactorPlace
  /** The oldest first. */
  readonly factors: readonly StoredFactor[]
  /** The factor that she has shown here; undefined: none, or too long ago, or it was taken away. */
  readonly provedBy: string | undefined
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The visit of this id that this browser, with the session that it has now, is in; or a page that says why there is none. */
export async function loadVisit(http: HttpRequest, deps: BrokerDeps, text: string | undefined): Promise<Result<Visit, Answer>> {
  const known = tenantOf(http)
  const over = err(refuseOnPage({ reason: 'factor_visit_over' }))
  const browserHash = browserHashOf(http, deps)
  const handleHash = sessionHandleOf(http, deps, known)
  if (!browserHash || !handleHash || text === undefined || !uuid.test(text)) return over
  const now = deps.clock.now()
  const issuerId = known.issuer.id
  const session = await findLiveBrowserSession(onHotPath(deps.database), known.id, { handleHash, issuerId, now })
  const identity = session && identityFromJson(session.claims)
  if (!session || !identity?.ok) return over
  const tenant = await deps.configuration.atVersion(known, session.configurationVersion)
  if (tenant.secondFactor.mode === 'off') return err(refuseOnPage({ reason: 'factors_off' }))
  const id = text as FactorVisitId
  const at = { id, issuerId, browserHash, sessionId: session.id, subjectId: session.subjectId, now }
  const [found, factors] = await inTenant(deps.database, tenant.id, async (db) => [
    await findFactorVisit(db, tenant.id, at),
    await listFactorsOfSubject(db, tenant.id, session.subjectId),
  ])
  if (!found) return over
  const place = placeOfVisit({ http, deps, tenant, now, session, identity: { ...identity.value, subjectId: session.subjectId } }, at)
  return ok({ id, browserHash, place, factors, provedBy: found.provedBy })
}
