/**
 * Where an admin's test login begins: her browser opens the one-time URL, sees what it is, and takes it on with a click.
 *
 * Opening alone does nothing, so a mail scanner or a link preview spends no URL; and the click counts only with the cookie of the browser
 * that was shown the page, so no foreign page can run a test in somebody's browser behind her back. security.md §17
 */
import { testLoginAsked } from '@drawbridge/core/identity/test-login'
import { addSeconds } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { CredentialHash, LoginRequestId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findLivingSetupLink } from '@drawbridge/store/setup-links'
import { findWaitingTestLogin, insertTestTrip, redeemTestLogin, type StoredTestLogin } from '@drawbridge/store/test-logins'
import { inTenant } from '@drawbridge/store/transaction'
import type { StartedLogin } from '@drawbridge/upstream/connector'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { BrokerDeps } from '../deps.js'
import { type Answer, page, withCookies } from '../http/answer.js'
import { bindBrowser, browserHashOf } from '../http/browser-binding.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { html } from '../http/html.js'
import { leaveFor, upstreamTargets } from '../http/leave-for.js'
import { sealContextOf } from '../http/seal-context.js'
import { setupSessionHashOf } from '../http/setup-cookie.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { failureOfAnswer } from './login-trace.js'
import { loginTtlSeconds } from './start-login.js'
import { isStepProof, type ProvenStep, stepProof } from './step-proof.js'
import { foundOfFailure, keepFound } from './test-login-result.js'
import { refuseUpstream } from './upstream-refusal.js'

const tokenShape = /^dbl_[A-Za-z0-9_-]{43}$/
const path = '/t/:tenant/test-login'
const common = { path, spec: 'ours', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const
const noStore = { headers: { 'cache-control': 'no-store' } }

type Waiting = { readonly test: StoredTestLogin; readonly connection: ResolvedConnection; readonly tokenHash: CredentialHash }

/** `undefined`: no such URL, taken on already, or too late; a stranger is told no more. */
async function findWaiting(http: HttpRequest, deps: BrokerDeps, token: string | undefined): Promise<Waiting | undefined> {
  const tenant = tenantOf(http)
  if (token === undefined || !tokenShape.test(token)) return undefined
  const tokenHash = hashCredential(new Secret(token))
  const test = await inTenant(deps.database, tenant.id, (db) => findWaitingTestLogin(db, tenant.id, tokenHash, deps.clock.now()))
  if (test?.setupLinkId !== undefined && !(await isOfThisSetup(http, deps, test.setupLinkId))) return undefined
  const connection = test && tenant.connection(test.connectionId)
  return test && connection && { test, connection, tokenHash }
}

/** A company's IT runs its test itself: in the browser that has opened the link which asked for it, while that lives. */
async function isOfThisSetup(http: HttpRequest, deps: BrokerDeps, setupLinkId: string): Promise<boolean> {
  const { id: tenant } = tenantOf(http)
  const session = setupSessionHashOf(http, deps)
  if (session === undefined) return false
  const link = await inTenant(deps.database, tenant, (db) => findLivingSetupLink(db, tenant, session, deps.clock.now()))
  return link?.id === setupLinkId
}

const proofOf = (http: HttpRequest, { test }: Waiting, browserHash: CredentialHash): ProvenStep => ({
  ...{ tenant: tenantOf(http).id, request: test.id, browserHash, step: 'test_login' },
})

export const testLoginPageEndpoint = endpoint({
  ...common,
  method: 'GET',
  summary: 'Shows an admin what the test login that she asked for will do.',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const token = http.query.ok ? http.query.value['token'] : undefined
    const waiting = await findWaiting(http, deps, token)
    if (!waiting || token === undefined) return refuseOnPage({ reason: 'test_login_over' })
    const browser = bindBrowser(http, deps)
    const proof = stepProof(deps.sealer, proofOf(http, waiting, browser.hash))
    const shown = page(
      'Test the sign-in',
      html`<p>You are about to sign in at <strong>${waiting.connection.name}</strong> of ${tenant.name}, as a test. Nothing is opened: no session, no access.</p><p class="notice" role="note">What this sign-in says of you, with names and values, will be shown ${waiting.test.setupLinkId === undefined ? 'to the administrator who made this link' : 'on the set-up page of this browser'}, for an hour. Go on only if that is you.</p><form method="post" action="${tenant.issuer.url}/test-login"><input type="hidden" name="token" value="${token}"><input type="hidden" name="proof" value="${proof}"><button>Start the test</button></form>`,
      { ...noStore, formTargets: upstreamTargets(tenant.connections) },
    )
    return withCookies(shown, browser.setCookies)
  },
})

export const testLoginEndpoint = endpoint({
  ...common,
  method: 'POST',
  summary: 'Takes a test login on, in this browser, once, and leaves for the IdP.',
  run: async (http, deps) => {
    const form = http.form.ok ? http.form.value : {}
    const browserHash = browserHashOf(http, deps)
    const waiting = await findWaiting(http, deps, form['token'])
    if (!waiting) return refuseOnPage({ reason: 'test_login_over' })
    if (!browserHash || !isStepProof(deps.sealer, proofOf(http, waiting, browserHash), form['proof']))
      return refuseOnPage({ reason: 'step_proof_invalid' })
    return begin(http, deps, waiting, browserHash)
  },
})

async function begin(http: HttpRequest, deps: BrokerDeps, waiting: Waiting, browserHash: CredentialHash): Promise<Answer> {
  const tenant = tenantOf(http)
  const { test, connection, tokenHash } = waiting
  const connector = deps.connectorFor(tenant, connection)
  if (!connector) return refuseOnPage({ reason: 'connection_unknown' })
  const id = deps.random.uuid() as LoginRequestId
  const now = deps.clock.now()
  const { secondFactor, loginHint } = testLoginAsked.parse(test.asked)
  const started = await connector.start({
    loginRequestId: id,
    callbackUrl: callbackUrlOf(tenant, connection),
    relayState: id,
    stepUpAcr: secondFactor ? 'mfa' : undefined,
    forceAuthn: secondFactor,
    loginHint,
    now,
  })
  if (!started.ok) return refuseStart({ http, deps, waiting }, started.error)
  const left = await inTenant(deps.database, tenant.id, async (db) => {
    if (!(await redeemTestLogin(db, tenant.id, tokenHash, now))) return false
    const trip = { id, testLoginId: test.id, connectionId: connection.id, browserHash, freshDemanded: secondFactor }
    await insertTestTrip(db, tenant.id, {
      ...trip,
      ...sealedTrip(deps, tenant, id, started.value),
      now,
      expiresAt: addSeconds(now, loginTtlSeconds),
    })
    return true
  })
  return left ? leaveFor(started.value.answer, 'Continue to your company\u2019s sign-in') : refuseOnPage({ reason: 'test_login_over' })
}

const sealedTrip = (deps: BrokerDeps, tenant: ReturnType<typeof tenantOf>, id: LoginRequestId, { upstreamId, state }: StartedLogin) => ({
  upstreamId,
  sealedState: deps.sealer.seal(Buffer.from(state.reveal(), 'utf8'), sealContextOf({ deps, tenant }, 'login_requests', 'sealed_state', id)),
})

/** The IdP could not be asked: that is the result. */
async function refuseStart(
  { http, deps, waiting }: { readonly http: HttpRequest; readonly deps: BrokerDeps; readonly waiting: Waiting },
  refusal: UpstreamRefusal,
): Promise<Answer> {
  const tenant = tenantOf(http)
  const now = deps.clock.now()
  const found = foundOfFailure(http.requestId, failureOfAnswer(refusal, 'unavailable'), null)
  const taken = await inTenant(deps.database, tenant.id, async (db) => {
    if (!(await redeemTestLogin(db, tenant.id, waiting.tokenHash, now))) return false
    return keepFound(db, { deps, tenant, testLoginId: waiting.test.id, now }, { outcome: 'unavailable', found, isFinal: true })
  })
  return taken ? refuseUpstream(refusal, 'login_unavailable') : refuseOnPage({ reason: 'test_login_over' })
}
