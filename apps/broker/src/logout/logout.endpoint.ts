/**
 * Where a person signs out of her session in this browser. It is asked on a page of ours first, whoever led her here: a hint that an
 * application would bring, and an address to return to, are not looked at.
 */
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { findLiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { endOwnSession } from '@drawbridge/store/end-own-session'
import { grantsOutliveLogout } from '@drawbridge/store/end-session'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { browserHashOf } from '../http/browser-binding.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { type Bound, formProof, isFormProof } from '../http/form-proof.js'
import { clearSessionCookie, sessionHandleOf } from '../http/session-cookie.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsPage } from '../http/write-error.js'
import { askPage, signedOutPage } from './pages.js'
import { finishUpstream, leaveUpstream } from './upstream-logout.js'

/** Shown for this session of this browser: it ends no other, and is worth nothing after it. */
const boundTo = (tenant: ResolvedTenant, handleHash: CredentialHash): Bound => [tenant.id, handleHash.toString('hex')]

/** @spec OIDC RP-Initiated Logout §2 without a matching hint the person is asked */
const ask = endpoint({
  method: 'GET',
  path: '/t/:tenant/logout',
  spec: 'OIDC RP-Initiated Logout §2',
  summary: 'Asks a person whether she wants to sign out here, and at her IdP where it offers that.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const handleHash = sessionHandleOf(http, deps, tenant)
    const wanted = handleHash && { handleHash, issuerId: tenant.issuer.id, now: deps.clock.now() }
    const session = wanted && (await findLiveBrowserSession(onHotPath(deps.database), tenant.id, wanted))
    if (!session) return signedOutPage('here', handleHash ? [clearSessionCookie(deps, tenant)] : [])
    return askPage(tenant, {
      connection: tenant.connection(session.connectionId),
      proof: formProof(deps.sealer, 'sign-out-proof', boundTo(tenant, wanted.handleHash)),
      grantsLiveOn: await inTenant(deps.database, tenant.id, (db) => grantsOutliveLogout(db, tenant.id)),
    })
  },
})

const signOut = endpoint({
  method: 'POST',
  path: '/t/:tenant/logout',
  spec: 'OIDC RP-Initiated Logout §2',
  summary: 'Ends the session of this browser, with what was granted from it, and leads on to the IdP where it offers that.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const handleHash = sessionHandleOf(http, deps, tenant)
    if (!handleHash) return signedOutPage('here')
    const proof = http.form.ok ? http.form.value['proof'] : undefined
    if (!isFormProof(deps.sealer, 'sign-out-proof', boundTo(tenant, handleHash), proof))
      return refuseAsPage(oauthErrors.step_proof_invalid, { reason: 'step_proof_invalid' })
    const { requestId, address } = http
    const ending = {
      tenant: tenant.id,
      reason: 'signed_out' as const,
      now: deps.clock.now(),
      requestId,
      address,
      newId: () => deps.random.uuid(),
    }
    const browser = { handleHash, issuerId: tenant.issuer.id, browserHash: browserHashOf(http, deps) }
    const ended = await inTenant(deps.database, tenant.id, (db) => endOwnSession(db, ending, browser))
    deps.metrics.count('drawbridge_logouts_total', { way: 'here', outcome: ended ? 'ended' : 'nothing' })
    const setCookies = [clearSessionCookie(deps, tenant)]
    return ended ? leaveUpstream(http, deps, ended, setCookies) : signedOutPage('here', setCookies)
  },
})

/** @spec OIDC RP-Initiated Logout §3 post_logout_redirect_uri */
const done = endpoint({
  method: 'GET',
  path: '/t/:tenant/logout/done',
  spec: 'OIDC RP-Initiated Logout §3',
  summary: 'Where an OpenID provider sends the browser after a sign-out there.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: (http, deps) => {
    const parameters = new Map(Object.entries(http.query.ok ? http.query.value : {}))
    return finishUpstream(http, deps, { binding: 'query', parameters })
  },
})

export const signOutEndpoints = [ask, signOut, done]
