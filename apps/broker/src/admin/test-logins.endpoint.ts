/**
 * Test logins: an admin asks for one, opens its URL in her own browser, and reads here what was found.
 *
 * Whoever reads it reads what a login says of a person, names and values: both calls are `impersonate`, and the result is for the very key
 * that asked. The page that the person clicked on says that it is shown to whoever made the link, and that is one key: not another of the
 * same tenant, and not the vendor's.
 */
import {
  type TestLoginAsked,
  type TestLoginFound,
  testLoginAsked,
  testLoginFound,
  testLoginTokenPrefix,
  testOutcomes,
} from '@drawbridge/core/identity/test-login'
import { addSeconds } from '@drawbridge/core/instant'
import { findResource } from '@drawbridge/core/oauth/resource'
import type { ClientId, ConnectionId, TestLoginId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findPolicy } from '@drawbridge/store/policies'
import { insertTestLogin, readTestLogin, type StoredTestLogin, testLoginLimits } from '@drawbridge/store/test-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { type AnswerOutline, differences } from '@drawbridge/upstream/answer-outline'
import { explainFailure } from '@drawbridge/upstream/explain-failure'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { compared, explanation } from './failure-shapes.js'
import { listMistakes } from './policies.endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

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
    const asked = http.parsed
    const connection = tenant.connection(idParam<ConnectionId>(http) ?? '')
    if (!connection?.configuration.ok) return refuseAdmin('not_found')
    if ((asked.clientId === undefined) !== (asked.resource === undefined)) return refuseAdmin('test_login_incomplete')
    if (!(await isKnown(deps, tenant, asked))) return refuseAdmin('reference_unknown')
    const mistakes = asked.policyDocument === undefined ? undefined : listMistakes(asked.policyDocument)
    if (mistakes) return refuseAdmin('policy_invalid', mistakes)
    const id = deps.random.uuid() as TestLoginId
    const token = `${testLoginTokenPrefix}${deps.random.token()}`
    const now = deps.clock.now()
    const made = await inTenant(deps.database, tenant.id, async (db) => {
      const draft = { id, connectionId: connection.id, tokenHash: hashCredential(token), asked, askedBy: http.caller.key.id, now }
      if (!(await insertTestLogin(db, tenant.id, draft))) return false
      const { policyDocument: draftPolicy, ...detail } = asked
      const event = { connectionId: connection.id, detail: { ...detail, testLogin: id, ofDraftPolicy: draftPolicy !== undefined } }
      await audit(db, tenant.id, http, deps, { kind: 'connection.test_login_created', ...event })
      return true
    })
    if (!made) return refuseAdmin('test_logins_enough')
    const [openBefore, readBefore] = [testLoginLimits.urlSeconds, testLoginLimits.keptSeconds].map((seconds) =>
      toIso(addSeconds(now, seconds)),
    )
    return json({ id, url: `${tenant.issuer.url}/test-login?token=${token}`, openBefore, readBefore }, { status: 201 })
  },
})

/** What a test names has to be there when it is asked for. */
async function isKnown(deps: BrokerDeps, tenant: ResolvedTenant, asked: TestLoginAsked): Promise<boolean> {
  const { clientId, resource, policyVersion } = asked
  if (resource !== undefined && !findResource(resource, tenant.resources)) return false
  const name = { tenantId: tenant.id, issuerId: tenant.issuer.id }
  if (clientId !== undefined && !(await deps.clients.read({ ...name, id: clientId as ClientId }))) return false
  if (policyVersion === undefined || policyVersion === 0) return true
  return (await inTenant(deps.database, tenant.id, (db) => findPolicy(db, tenant.id, policyVersion))) !== undefined
}

const states = ['waiting', 'started', 'answered', 'finished'] as const
const shown = z.strictObject({
  id: idShape,
  connectionId: idShape,
  state: z
    .enum(states)
    .describe(
      'waiting: nobody has opened the URL; started: the browser is at the IdP; answered: an answer was refused, the right one may come',
    ),
  createdAt: time,
  readBefore: time,
  asked: testLoginAsked,
  outcome: z.enum(testOutcomes).nullable(),
  found: testLoginFound.nullable(),
  explanation: explanation.nullable().describe('Why not, and what helps; null: nothing was refused'),
  differences: z.array(compared).describe('What came and is not what this connection awaits'),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/test-logins/:id',
  tag,
  summary:
    'Read, with the key that asked for it, what a test login found: what the IdP sent, claims, groups, who would come in, second factor, ceilings and scopes with reasons',
  permission: 'impersonate',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<TestLoginId>(http)
    const reader = { askedBy: http.caller.key.id, now: deps.clock.now() }
    const test = id && (await inTenant(deps.database, tenant.id, (db) => readTestLogin(db, tenant.id, { id, ...reader })))
    return test ? json(show(deps, tenant, test)) : refuseAdmin('not_found')
  },
})

function show(deps: BrokerDeps, tenant: ResolvedTenant, test: StoredTestLogin): z.output<typeof shown> {
  const found = openFound(deps, tenant, test)
  const connection = tenant.connection(test.connectionId)
  const configuration = connection?.configuration.ok ? connection.configuration.value : undefined
  const told = found?.failure ? explainFailure(found.failure, configuration) : undefined
  return {
    id: test.id,
    connectionId: test.connectionId,
    state: stateOf(test),
    createdAt: toIso(test.createdAt),
    readBefore: toIso(test.expiresAt),
    asked: testLoginAsked.parse(test.asked),
    outcome: testOutcomes.find((outcome) => outcome === test.outcome) ?? null,
    found: found ?? null,
    explanation:
      told === undefined
        ? null
        : { ...told, vendor: told.vendor === undefined ? null : { name: told.vendor.name, remedy: told.vendor.remedy ?? null } },
    differences: differencesIn(found),
  }
}

const stateOf = ({ redeemedAt, outcome, finishedAt }: StoredTestLogin): (typeof states)[number] =>
  finishedAt !== undefined ? 'finished' : outcome !== undefined ? 'answered' : redeemedAt !== undefined ? 'started' : 'waiting'

function openFound(deps: BrokerDeps, tenant: ResolvedTenant, { id, sealed }: StoredTestLogin): TestLoginFound | undefined {
  const opened = sealed && deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'test_logins', 'sealed', id))
  if (!opened?.ok) return undefined
  const parsed = testLoginFound.safeParse(JSON.parse(opened.value.toString('utf8')))
  return parsed.success ? parsed.data : undefined
}

/** A believed answer is described without comparison: everything was as awaited. */
const differencesIn = (found: TestLoginFound | undefined): z.output<typeof compared>[] =>
  found?.answer && 'compared' in found.answer
    ? differences(found.answer as unknown as AnswerOutline).map((each) => ({ ...each, received: [...each.received] }))
    : []

export const testLoginEndpoints = [create, read]
