/**
 * Test logins on the set-up page: the chain of the admin API's, at the one connection that this link set up, read by this session alone.
 *
 * What a person's own login says of her is read by nobody else: no admin key, no other link, and no browser but the one that has opened the
 * link, which also is the only one that may take the test on. security.md §17
 */
import { mostScopesAsked, testLoginAsked } from '@drawbridge/core/identity/test-login'
import { findResource } from '@drawbridge/core/oauth/resource'
import type { TestLoginId } from '@drawbridge/core/tenant/ids'
import { testLoginLimits } from '@drawbridge/store/test-logins'
import { redirect } from '../../http/answer.js'
import { type Endpoint, endpoint } from '../../http/endpoint.js'
import type { SingleValuedForm } from '../../http/form.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import { askForTestLogin } from '../ask-for-test-login.js'
import { adminErrors } from '../error.js'
import { showTestLogin } from '../shown-test-login.js'
import { isAnswer, provenSession, refuse, sentence, setupCommon, staysAlive, tell } from './setup-act.js'
import { stepsPage } from './setup-pages.js'
import { findSetupSession } from './setup-session.js'
import { testResultPage } from './test-result-page.js'

/** The page offers a resource though no application is chosen; of one that is, every scope is asked for, so that each is explained. */
function readQuestion({ clientId, resource = '', loginHint, secondFactor }: SingleValuedForm, { resources }: ResolvedTenant) {
  const scopes = findResource(resource, resources)?.scopes.map(({ name }) => name) ?? []
  const forWhom = clientId ? { clientId, resource, scopes: scopes.slice(0, mostScopesAsked) } : {}
  const hint = loginHint?.trim()
  return testLoginAsked.safeParse({ ...forWhom, ...(hint && { loginHint: hint }), secondFactor: secondFactor === 'yes' })
}

const ask = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/test-logins',
  summary: 'Asks for a test login at the connection that this link set up, and leads to it.',
  run: async (http, deps) => {
    const session = await provenSession(http, deps)
    if (isAnswer(session)) return session
    const { tenant, link, draft } = session
    const asked = readQuestion(http.form.ok ? http.form.value : {}, tenant)
    if (session.testing === undefined || !asked.success) return refuse('setup_form_invalid')
    const limited = http.spend('setup', link.id)
    if (limited) return limited
    const made = await askForTestLogin(deps, tenant, {
      ...{ connectionId: draft.id, asked: asked.data, askedBy: link.id, most: testLoginLimits.mostOfSetupLink },
      mayAsk: (db) => staysAlive(db, deps, session),
      tell: (db, event) => tell(db, deps, http, { link, ...event }),
    })
    if (made.ok) return redirect(made.value.url, { headers: { 'cache-control': 'no-store' } })
    const { reason } = made.error
    if (reason === 'setup_link_unusable') return refuse(reason)
    return stepsPage(session, { trouble: { test: sentence(adminErrors[reason].say) }, status: 400, now: deps.clock.now() })
  },
})

const read = endpoint({
  ...setupCommon,
  method: 'GET',
  path: '/t/:tenant/setup/test-logins/:id',
  summary: 'Shows what a test login of this set-up session found: what was sent, claims, second factor, limits and scopes, with reasons.',
  run: async (http, deps) => {
    const session = await findSetupSession(http, deps)
    const id = http.params['id'] as TestLoginId
    const test = session?.testing?.tests.find((each) => each.id === id)
    return session && test ? testResultPage(session, showTestLogin(deps, session.tenant, test)) : refuse('setup_link_unusable')
  },
})

export const setupTestEndpoints: readonly Endpoint[] = [ask, read]
