/**
 * Judges the IdP's answer to a test: everything that a login is judged by, in the same order and by the same words, and nothing is opened.
 *
 * The trip is consumed and the ids of the answer are entered by a statement of its own, which knows trips of tests alone, as the statement of
 * a login knows trips of logins alone. No subject, session, claim, grant or code is written anywhere behind this door.
 */
import { nextFactorStep, privilegedFrom, proofBy, turnOfOwnFactor } from '@drawbridge/core/factor/second-factor'
import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import { stepsOf } from '@drawbridge/core/identity/login-trace'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import {
  type OwnFactorOfTest,
  passedSteps,
  type TestLoginAsked,
  testLoginAsked,
  testOutcomeWords,
} from '@drawbridge/core/identity/test-login'
import { findResource } from '@drawbridge/core/oauth/resource'
import { type CompiledPolicy, compilePolicy, safeDefault } from '@drawbridge/core/policy/compile'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { strengthFor } from '@drawbridge/core/policy/strength'
import type { Result } from '@drawbridge/core/result'
import type { AuthorizationRequestId, ClientId, Scope, TestLoginId } from '@drawbridge/core/tenant/ids'
import { type FactorsOfPerson, findFactorsOfPerson } from '@drawbridge/store/factors'
import { type JudgedTest, judgeTestLogin } from '@drawbridge/store/judge-test-login'
import { findPolicy } from '@drawbridge/store/policies'
import { findTestLogin } from '@drawbridge/store/test-logins'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { RefusedAnswer } from '@drawbridge/upstream/answer-outline'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import { describeAssertion } from '@drawbridge/upstream/describe-assertion'
import { type Admission, admit, type Identified, identify } from '../admission/admit.js'
import { type Answer, page } from '../http/answer.js'
import { html } from '../http/html.js'
import { refuseOnPage } from './answer.js'
import { type Homecoming, loginToJudge, noteUnknownKey } from './homecoming.js'
import { failureOf, failureOfAnswer, recordedOf } from './login-trace.js'
import { isItsTurn, provesSeveral, relyingPartyOf } from './own-factor.js'
import { type FoundByTest, foundOfFailure, keepFound, nothingFound } from './test-login-result.js'
import { refuseUpstream } from './upstream-refusal.js'

export type TestHomecoming = Homecoming & { readonly testLoginId: TestLoginId }
type Verified = Result<LoginAssertion, RefusedAnswer>

export async function finishTestLogin(home: TestHomecoming, configuration: ConnectionConfiguration, verified: Verified): Promise<Answer> {
  if (!verified.ok) return refuseAnswer(home, verified.error)
  const assertion = verified.value
  const answer = { ...describeAssertion(assertion) }
  const identified = identify(configuration, assertion)
  if (!identified.ok) {
    const found = foundOfFailure(home.http.requestId, failureOf(identified.error.reason), answer)
    return conclude(home, { outcome: 'refused', found, isFinal: true })
  }
  const { deps, tenant } = home
  const judged = await judgeTestLogin(onHotPath(deps.database), tenant.id, loginToJudge(home, assertion, identified.value))
  if (!judged) return refuseOnPage({ reason: 'login_replayed', detail: { why: 'test_over' } })
  const identity = withDirectory(identified.value.identity, judged.directorySays, configuration.mapping)
  return conclude(home, await weigh(home, { answer, who: { ...identified.value, identity }, judged }))
}

/** Nothing is consumed: whoever brought a wrong answer has not ended the test. An admin sees the last refusal until a right one comes. */
async function refuseAnswer(home: TestHomecoming, refusal: RefusedAnswer): Promise<Answer> {
  await noteUnknownKey(home, refusal)
  const failure = failureOfAnswer(refusal, 'refused', 'values')
  const found = foundOfFailure(home.http.requestId, failure, failure.answer === undefined ? null : { ...failure.answer })
  const kept = await inTenant(home.deps.database, home.tenant.id, (db) =>
    keepFound(db, home, { outcome: 'refused', found, isFinal: false }),
  )
  return kept ? refuseUpstream(refusal) : refuseOnPage({ reason: 'test_login_over' })
}

async function conclude(home: TestHomecoming, result: FoundByTest): Promise<Answer> {
  const kept = await inTenant(home.deps.database, home.tenant.id, (db) => keepFound(db, home, result))
  return kept ? verdictPage(result) : refuseOnPage({ reason: 'test_login_over' })
}

type Weighed = { readonly answer: Readonly<Record<string, unknown>>; readonly who: Identified; readonly judged: JudgedTest }

/** Whether she would come in, and then what policy would say. */
async function weigh(home: TestHomecoming, { answer, who: { identity }, judged }: Weighed): Promise<FoundByTest> {
  const { refusal, mode, isKnown, deactivatesAt } = judged
  const { requestId } = home.http
  const admission = { comesIn: refusal === undefined, reason: refusal ?? null, mode, isKnown, endsAt: deactivatesAt ?? null }
  const common = { ...nothingFound, requestId, answer, identity: recordedOf(identity), admission }
  if (refusal !== undefined)
    return {
      outcome: 'not_admitted',
      isFinal: true,
      found: { ...common, steps: [...stepsOf('admission', true)], failure: { reason: refusal, detail: {} } },
    }
  const tenant = await home.deps.configuration.atVersion(home.tenant, judged.configurationVersion)
  const asked = await askPolicy({ ...home, tenant }, identity, judged)
  if (asked === undefined) return { outcome: 'admitted', isFinal: true, found: { ...common, steps: passedSteps('admission') } }
  const { decision, strength, ownFactor } = asked
  const judgedByPolicy = { ...common, strength, decision: { ...decision }, ownFactor: ownFactor ?? null }
  if (ownFactor?.asked === 'at_once')
    return { outcome: 'own_factor', isFinal: true, found: { ...judgedByPolicy, steps: passedSteps('policy') } }
  if (decision.kind === 'deny')
    return {
      outcome: 'denied',
      isFinal: true,
      found: { ...judgedByPolicy, steps: [...stepsOf('policy', true)], failure: { reason: decision.reason, detail: {} } },
    }
  return {
    outcome: decision.kind === 'allow' ? 'allowed' : 'step_up',
    isFinal: true,
    found: { ...judgedByPolicy, steps: passedSteps('policy') },
  }
}

type AskedPolicy = { readonly decision: PolicyDecision; readonly strength: string; readonly ownFactor: OwnFactorOfTest | undefined }

/** Undefined: the admin named no client, or what she named is no longer there. */
async function askPolicy(
  home: TestHomecoming,
  identity: NormalizedIdentity,
  { deactivatesAt }: Pick<JudgedTest, 'deactivatesAt'>,
): Promise<AskedPolicy | undefined> {
  const { deps, tenant, now, testLoginId } = home
  const test = await inTenant(deps.database, tenant.id, (db) => findTestLogin(db, tenant.id, testLoginId, now))
  const asked = testLoginAsked.parse(test?.asked ?? {})
  const { clientId, resource: indicator } = asked
  if (clientId === undefined || indicator === undefined) return undefined
  const client = await deps.clients.read({ tenantId: tenant.id, issuerId: tenant.issuer.id, id: clientId as ClientId })
  const resource = findResource(indicator, tenant.resources)
  const policy = await policyOf(home, asked)
  if (!client || !resource || !policy) return undefined
  const person = await inTenant(deps.database, tenant.id, (db) => findFactorsOfPerson(db, tenant.id, identity))
  const admission: Admission = {
    tenant: { ...tenant, policy },
    client,
    resource,
    identity,
    scopes: asked.scopes.map((scope) => scope as Scope),
    stepUpsDone: asked.secondFactor ? 1 : 0,
    session: { startedAt: now, isOwn: true },
    privilegedFrom: privilegedFrom(person.resetAt),
    deactivatesAt,
    from: home.http,
    now,
  }
  const { decision } = admit(admission)
  const ownFactor = ownFactorFor({ home, admission, person, decision })
  return { decision, ownFactor, strength: strengthFor('tenant', policy.strength, identity.authentication, identity.connectionId) }
}

type WithoutFactor = {
  readonly home: TestHomecoming
  readonly admission: Admission
  readonly person: FactorsOfPerson
  readonly decision: PolicyDecision
}

/** What a login would be asked of a factor of ours, by the rule that asks it, and what policy would say then. Nothing is asked, and nothing written. */
function ownFactorFor({ home, admission, person, decision }: WithoutFactor): OwnFactorOfTest | undefined {
  const { deps, tenant, now, testLoginId } = home
  const { identity } = admission
  const turn = turnOfOwnFactor(tenant.secondFactor, identity.connectionId)
  const isAtOnce = isItsTurn(decision, turn)
  // The IdP is asked first: what is said if it is asked in vain.
  const later = { ...admission, stepUpsDone: 1 }
  if (!isAtOnce && (decision.kind !== 'stepUp' || !isItsTurn(admit(later).decision, turn))) return undefined
  const asked = isAtOnce ? admission : later
  const withProof = (kind: Parameters<typeof proofBy>[0]) =>
    admit({ ...asked, identity: { ...identity, authentication: { ...identity.authentication, ownFactor: proofBy(kind, now) } } }).decision
  const step = nextFactorStep({
    factors: person.factors,
    // Nothing was enrolled in a test.
    requestId: testLoginId as string as AuthorizationRequestId,
    rpId: relyingPartyOf(deps, tenant.name).id,
    helps: (kind) => withProof(kind).kind === 'allow',
    idpWasAsked: true,
    idpProvedSeveral: provesSeveral(identity, asked.tenant.policy, now),
  })
  if (step === undefined) return undefined
  const kinds = step.kind === 'challenge' ? [...new Set(step.usable.map(({ kind }) => kind))] : [...step.kinds]
  const [first] = kinds
  if (first === undefined) return undefined
  return {
    asked: isAtOnce ? 'at_once' : 'after_idp',
    step: step.kind,
    kinds,
    permittedBy: step.kind === 'enrol' ? step.by : null,
    helpsAtOnce: step.kind === 'challenge' || step.by === 'code',
    decision: { ...withProof(first) },
  }
}

async function policyOf({ deps, tenant }: TestHomecoming, asked: TestLoginAsked): Promise<CompiledPolicy | undefined> {
  const { policyDocument, policyVersion } = asked
  if (policyDocument === undefined && policyVersion === undefined) return tenant.policy
  if (policyDocument === undefined && policyVersion === 0) return safeDefault(tenant.wall)
  const stored =
    policyVersion === undefined ? undefined : await inTenant(deps.database, tenant.id, (db) => findPolicy(db, tenant.id, policyVersion))
  const compiled = compilePolicy(policyDocument ?? stored?.document ?? '', { version: policyVersion, wall: tenant.wall })
  return compiled.ok ? compiled.value : undefined
}

const verdictPage = ({ outcome, found }: FoundByTest): Answer =>
  page(
    'The test is done',
    html`<p>${testOutcomeWords[outcome]}</p>${found.failure !== null && html`<p class="soft">Cause <code>${found.failure.reason}</code></p>`}<p>Nothing was opened by this. What was found, step by step, is read where the test was asked for. You may close this window.</p>`,
    { headers: { 'cache-control': 'no-store' } },
  )
