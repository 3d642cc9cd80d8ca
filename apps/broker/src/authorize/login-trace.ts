/**
 * Leaves the trace of a login that failed, and puts its code on the page that the person is shown.
 *
 * Written on failures alone: a login that is believed costs not one statement more. What cannot be kept any more in this hour is counted,
 * and its page carries no code.
 */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import type { LoginFailureReason } from '@drawbridge/core/identity/login-failure'
import { loginFailures } from '@drawbridge/core/identity/login-failure'
import {
  type FailedOutcome,
  type LoginStage,
  showTraceCode,
  type TraceContents,
  traceCodeLength,
  traceCodeOf,
  traceContentsToText,
  traceLimits,
} from '@drawbridge/core/identity/login-trace'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import type { Explanation } from '@drawbridge/core/policy/decision'
import { keepLoginTrace, recordsFailedClaims } from '@drawbridge/store/login-traces'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { AnswerOutline, RefusedAnswer, Shown } from '@drawbridge/upstream/answer-outline'
import { stageOfRefusal } from '@drawbridge/upstream/explain-failure'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import { html } from '../http/html.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'

/** Where and when it failed. */
export type Failing = {
  readonly http: Pick<HttpRequest, 'requestId'>
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly connection: Pick<ResolvedConnection, 'id' | 'kind'>
  readonly now: Instant
}

export type LoginFailure = {
  readonly stage: LoginStage
  readonly outcome: FailedOutcome
  readonly reason: string
  /** The IdP was proven to have spoken. */
  readonly proven: boolean
  readonly detail?: TraceContents['detail']
  readonly answer?: AnswerOutline | undefined
  readonly identity?: NormalizedIdentity | undefined
  readonly explanation?: Explanation | undefined
}

/** The IdP could not be asked, or its answer does not count. */
export function failureOfAnswer(refusal: RefusedAnswer, outcome: 'unavailable' | 'refused', shown: Shown = 'structure'): LoginFailure {
  const answer = refusal.outline?.(shown)
  return {
    stage: outcome === 'unavailable' ? 'start' : stageOfRefusal(refusal.reason),
    outcome,
    reason: refusal.reason,
    proven: refusal.proven === true || answer?.proven === true,
    detail: { ...refusal.detail },
    answer,
  }
}

/** A refusal by mapping, directory or policy; or of what belongs to no login of this browser. */
export const failureOf = (reason: LoginFailureReason, rest: Partial<LoginFailure> = {}): LoginFailure => ({
  stage: loginFailures[reason].stage,
  outcome: 'refused',
  reason,
  proven: true,
  ...rest,
})

/** The page, with the code by which the administrators find what happened. */
export async function traced(failing: Failing, failure: LoginFailure, answer: Answer): Promise<Answer> {
  const { deps, tenant } = failing
  deps.metrics.count('drawbridge_login_failures_total', { stage: failure.stage, proven: String(failure.proven) })
  const code = await inTenant(deps.database, tenant.id, (db) => keepTrace(db, failing, failure))
  return code === undefined ? answer : withTraceCode(answer, code)
}

async function keepTrace(db: Db, { http, deps, tenant, connection, now }: Failing, failure: LoginFailure): Promise<string | undefined> {
  const { stage, outcome, reason, proven, detail = {}, answer, identity, explanation } = failure
  const isRecorded = identity !== undefined && (await recordsFailedClaims(db, tenant.id))
  const contents: TraceContents = {
    ...{ stage, protocol: connection.kind, requestId: http.requestId, detail, answer, explanation },
    claimNames: identity && [...identity.claims.keys()],
    identity: isRecorded ? recordedOf(identity) : undefined,
  }
  const id = deps.random.uuid()
  const code = traceCodeOf(deps.random.bytes(traceCodeLength))
  const context = sealContextOf({ deps, tenant }, 'login_traces', 'sealed', id)
  const sealed = deps.sealer.seal(octetsToKeep(contents, proven), context)
  const kept = await keepLoginTrace(db, tenant.id, { id, code, connectionId: connection.id, at: now, outcome, reason, proven, sealed })
  return kept ? code : undefined
}

/** A stranger's words are not worth the room that many of them take. */
function octetsToKeep(contents: TraceContents, proven: boolean): Buffer {
  const whole = Buffer.from(traceContentsToText(contents), 'utf8')
  if (proven || whole.byteLength <= traceLimits.unprovenOctets) return whole
  return Buffer.from(traceContentsToText({ ...contents, answer: undefined }), 'utf8')
}

/** What the mapping made of the login. Handles of the session at the IdP are no claims, and a logout could name them. */
export function recordedOf(identity: NormalizedIdentity) {
  const { stableId, claims, groups, authentication, sessionExpiresAt } = identityToJson(identity)
  return { stableId, claims, groups, authentication, sessionExpiresAt }
}

/** An answer that belongs to no login of this browser: nobody is proven to be anybody. */
export const tracedStray = (
  failing: Failing,
  reason: 'login_unsolicited' | 'relay_state_lost' | 'request_not_of_browser',
  answer: Answer,
): Promise<Answer> => traced(failing, failureOf(reason, { proven: false }), answer)

const withTraceCode = (answer: Answer, code: string): Answer =>
  answer.kind !== 'page'
    ? answer
    : {
        ...answer,
        body: html`${answer.body}<p>Your administrators can see why: tell them the code <strong><code>${showTraceCode(code)}</code></strong>.</p>`,
      }
