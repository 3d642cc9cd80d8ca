/**
 * Test logins: an admin asks for one, opens its URL in her own browser, and reads here what was found.
 *
 * Whoever reads it reads what a login says of a person, names and values: both calls are `impersonate`, and the result is for the very key
 * that asked. The page that the person clicked on says that it is shown to whoever made the link, and that is one key: not another of the
 * same tenant, and not the vendor's.
 */
import { testLoginAsked } from '@drawbridge/core/identity/test-login'
import { addSeconds } from '@drawbridge/core/instant'
import type { TestLoginId } from '@drawbridge/core/tenant/ids'
import { readTestLogin, testLoginLimits } from '@drawbridge/store/test-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { askForTestLogin } from './ask-for-test-login.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'
import { shownTestLogin, showTestLogin } from './shown-test-login.js'

const tag = 'Test logins'

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/test-logins',
  tag,
  summary:
    'Ask for a test login: a one-time URL to open in one’s own browser. Nothing is opened by it; a disabled connection may be tested, too',
  permission: 'impersonate',
  body: testLoginAsked,
  status: 201,
  answer: z.strictObject({
    id: idShape,
    url: z.url().describe('Opens once, in one browser'),
    openBefore: time,
    readBefore: time,
  }),
  refuses: ['not_found', 'reference_unknown', 'policy_invalid', 'test_login_incomplete', 'test_logins_enough'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const made = await askForTestLogin(deps, tenant, {
      connectionId: idParam(http) ?? '',
      asked: http.parsed,
      askedBy: http.caller.key.id,
      tell: (db, event) => audit(db, tenant.id, http, deps, event),
    })
    if (!made.ok) return refuseAdmin(made.error.reason, made.error.mistakes)
    const { id, url, now } = made.value
    const [openBefore, readBefore] = [testLoginLimits.urlSeconds, testLoginLimits.keptSeconds].map((seconds) =>
      toIso(addSeconds(now, seconds)),
    )
    return json({ id, url, openBefore, readBefore }, { status: 201 })
  },
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/test-logins/:id',
  tag,
  summary:
    'Read, with the key that asked for it, what a test login found: what the IdP sent, claims, groups, who would come in, second factor, ceilings and scopes with reasons',
  permission: 'impersonate',
  answer: shownTestLogin,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<TestLoginId>(http)
    const reader = { askedBy: http.caller.key.id, now: deps.clock.now() }
    const test = id && (await inTenant(deps.database, tenant.id, (db) => readTestLogin(db, tenant.id, { id, ...reader })))
    return test ? json(showTestLogin(deps, tenant, test)) : refuseAdmin('not_found')
  },
})

export const testLoginEndpoints = [create, read]
