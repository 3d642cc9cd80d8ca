/**
 * Where an IdP says that everything of a person must end: Global Token Revocation, which Okta calls Universal Logout.
 *
 * What is answered 204 has happened: the id of the JWT is entered in the transaction that raises the barrier. From then on nothing that was
 * issued to her works, and only a sign-in that is newer counts (docs/adr/0013). The same request again, whose answer was lost, hears what the first
 * one did, and nothing is done twice; the same JWT with anybody else in the body is refused.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { signalErrors } from '@drawbridge/core/signals/error'
import { parseSubjectIdentifier, type SubjectIdentifier } from '@drawbridge/core/signals/subject-identifier'
import { type AnsweredRevocation, type AskedRevocation, findAnswer, rememberAnswer } from '@drawbridge/store/answered-revocations'
import type { Unheard } from '@drawbridge/store/refused-security-events'
import { believeOnceHere, forgetBelieved } from '@drawbridge/store/replays'
import { alarmTaken, type NamedPerson, type TakenAway, takeAway } from '@drawbridge/store/signals'
import { inTenant } from '@drawbridge/store/transaction'
import { issuersOfConnection } from '@drawbridge/upstream/signals/connection-signature'
import { type GlobalTokenRevocationToken, verifyGlobalTokenRevocation } from '@drawbridge/upstream/signals/global-token-revocation'
import type { SignalRefusal } from '@drawbridge/upstream/signals/signal-refusal'
import { subjectLinkOf } from '@drawbridge/upstream/subject-link'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { noteBelieved, ofSenders } from '../http/believed-senders.js'
import { globalTokenRevocationUrlOf } from '../http/connection-addresses.js'
import { endpoint, type HttpRequest } from '../http/endpoint.js'
import { type AnyPresentConnection, presentConnectionToHear } from '../http/present-connection.js'
import { refuseAsJson } from '../http/write-error.js'
import { fullRetrySeconds, noteFull } from './note-refusal.js'

const bodyBytes = 8192
const bearer = /^Bearer +([A-Za-z0-9._-]+)$/i

/** @spec draft-parecki-oauth-global-token-revocation §3 */
export const globalTokenRevocationEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/global-token-revocation/:connection',
  spec: 'draft-parecki-oauth-global-token-revocation §3',
  summary: 'Ends everything that was issued to one person of a connection, because her IdP says so (Okta Universal Logout).',
  tag: 'Signals',
  permission: 'JWT signed by the IdP of the connection (Bearer)',
  ...ofSenders,
  servesSuspended: true,
  maxBodyBytes: bodyBytes,
  output: { status: 204 },
  run: async (http, deps) => {
    const authorization = http.headers['authorization']
    if (authorization === undefined) return refuse(deps, { reason: 'revocation_token_missing' })
    const connection = await presentConnectionToHear(http, deps)
    if (!connection) return refuse(deps, { reason: 'revocation_token_refused', detail: { rule: 'connection' } })
    const token = await verify(deps, connection, bearer.exec(authorization)?.[1])
    if (!token.ok) return refuse(deps, token.error)
    const person = readPerson(http, connection)
    const busy = http.spend(person.ok ? 'signal_source' : 'signal_refused', connection.id)
    if (busy) return busy
    if (!person.ok) return refuse(deps, person.error)
    const taken = await revoke(http, deps, { connection, token: token.value, person: person.value })
    if ('again' in taken) return answerAgain(deps, taken)
    noteBelieved(deps, http)
    const { outcome, isMass } = taken
    if (outcome !== 'full') return answer(deps, outcome, isMass)
    await noteFull(http, deps, connection, unheardOf(token.value, person.value))
    return refuse(deps, { reason: 'unmatched_signals_full', detail: { retryAfterSeconds: fullRetrySeconds } })
  },
})

function verify(
  deps: BrokerDeps,
  { tenant, id, configuration }: AnyPresentConnection,
  token: string | undefined,
): Promise<Result<GlobalTokenRevocationToken, SignalRefusal>> {
  if (token === undefined) return Promise.resolve(err({ reason: 'revocation_token_refused', detail: { rule: 'malformed' } }))
  const expected = { token, endpointUrl: globalTokenRevocationUrlOf(tenant, id), now: deps.clock.now() }
  return verifyGlobalTokenRevocation(deps.fetchSafely, configuration, expected)
}

function readPerson(http: HttpRequest, connection: AnyPresentConnection): Result<NamedPerson, SignalRefusal> {
  const body = http.json.ok && typeof http.json.value === 'object' && http.json.value !== null ? http.json.value : {}
  const named = 'sub_id' in body ? parseSubjectIdentifier(body.sub_id) : undefined
  return named === undefined ? err({ reason: 'revocation_body_malformed' }) : toPerson(named, connection)
}

/** An id without an issuer is in the words of the IdP that this connection is of. A SAML login has no issuer and sub by which to hold it. */
function toPerson(named: SubjectIdentifier, { configuration }: AnyPresentConnection): Result<NamedPerson, SignalRefusal> {
  if (named.format === 'email') return ok({ by: 'email', address: named.address })
  const issuers = issuersOfConnection(configuration)
  if (named.format === 'iss_sub' && !issuers.includes(named.issuer)) return err({ reason: 'revocation_subject_of_another' })
  const id = named.format === 'iss_sub' ? named.sub : named.id
  const issuer = configuration.kind === 'oidc' ? configuration.issuer : undefined
  return ok({ by: 'id', id, issuer, link: subjectLinkOf(configuration) })
}

const endsAll = 'global_token_revocation' as const

const unheardOf = ({ id, replayableUntil }: GlobalTokenRevocationToken, person: NamedPerson): Unheard => ({
  ...{ kind: endsAll, id, until: replayableUntil, person, reason: endsAll },
})

type Revocation = {
  readonly connection: AnyPresentConnection
  readonly token: GlobalTokenRevocationToken
  readonly person: NamedPerson
}

/** The JWT has been believed before. `undefined`: of another person. */
type Repeated = { readonly again: AnsweredRevocation | undefined }

function revoke(http: HttpRequest, deps: BrokerDeps, { connection, token, person }: Revocation): Promise<TakenAway | Repeated> {
  const { tenant, id: connectionId } = connection
  const at = { tenant: tenant.id, connectionId, now: deps.clock.now(), requestId: http.requestId }
  const asked: AskedRevocation = { connectionId, id: token.id, person, until: token.replayableUntil }
  return inTenant(deps.database, tenant.id, async (db) => {
    const replay = { scopeId: connectionId, kind: endsAll, id: token.id, expiresAt: token.replayableUntil }
    if (!(await believeOnceHere(db, tenant.id, replay))) return { again: await findAnswer(db, tenant.id, asked) }
    const taken = await takeAway(db, {
      ...{ ...at, person, deactivate: false, reason: endsAll, toldAt: undefined, newId: () => deps.random.uuid() },
    })
    if (taken.outcome === 'full') await forgetBelieved(db, tenant.id, replay)
    else await rememberAnswer(db, tenant.id, asked, taken.outcome)
    await alarmTaken(db, at, taken)
    return taken
  })
}

function answer(deps: BrokerDeps, outcome: AnsweredRevocation, isMass: boolean): Answer {
  if (isMass) deps.metrics.count('drawbridge_mass_revocations_total')
  deps.metrics.count('drawbridge_signals_total', { way: 'revocation', outcome: outcome === 'done' ? 'done' : 'unmatched' })
  return tell(outcome)
}

function answerAgain(deps: BrokerDeps, { again }: Repeated): Answer {
  if (again === undefined) return refuse(deps, { reason: 'revocation_token_replayed' })
  deps.metrics.count('drawbridge_signals_total', { way: 'revocation', outcome: 'repeated' })
  return tell(again)
}

function tell(outcome: AnsweredRevocation): Answer {
  if (outcome === 'done') return empty(204, { headers: { 'cache-control': 'no-store' } })
  return say({ reason: outcome === 'unknown' ? 'revocation_subject_unknown' : 'revocation_subject_ambiguous' })
}

function refuse(deps: BrokerDeps, refusal: SignalRefusal): Answer {
  deps.metrics.count('drawbridge_signals_total', { way: 'revocation', outcome: 'refused' })
  return say(refusal)
}

/** @spec RFC 6750 §3 */
function say(refusal: SignalRefusal): Answer {
  const entry = signalErrors[refusal.reason]
  const challenge = { 'www-authenticate': 'Bearer realm="drawbridge"' }
  const later = { 'retry-after': String(refusal.detail?.['retryAfterSeconds'] ?? 1) }
  return refuseAsJson(entry, refusal, { headers: { ...(entry.status === 401 && challenge), ...(entry.status === 503 && later) } })
}
