/** Endpoints hear the news of access: signed so that a stranger's library believes it, in order, without personal data, and not for ever in vain. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deliveryLimits } from '@drawbridge/core/revocation/delivery'
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import { type WebhookEvent, webhookEventNames, webhookLimits } from '@drawbridge/core/revocation/webhook'
import { type DeprovisioningEventId, type SubjectId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { newWebhookSecret, showWebhookSecret } from '@drawbridge/crypto/webhook-signature'
import { deprovision, reinstate } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import {
  insertWebhook,
  insertWebhookTest,
  pauseWebhook,
  replaceWebhookSecret,
  resumeWebhook,
  updateWebhook,
} from '@drawbridge/store/webhook-endpoints'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { countOf, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import { aReceiver, type Heard } from '../test/a-receiver.js'
import { aToldCompany } from '../test/a-told-client.js'
import { deliverDue } from './deliver.js'
import type { JobDeps } from './deps.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'
import { findJob } from './jobs.js'

/** The library that verifies reads the real clock: ours stands near it, but where a test moves it. */
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let deps: JobDeps
let receiver: Awaited<ReturnType<typeof aReceiver>>
let acme: Awaited<ReturnType<typeof aToldCompany>>
let globex: Awaited<ReturnType<typeof aToldCompany>>
beforeAll(async () => {
  fixture = await testDatabase()
  deps = { ...jobDeps(fixture), clock: { now: () => now } }
  receiver = await aReceiver()
  await asOwner(
    fixture.ownerUrl,
    "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', now()) ON CONFLICT DO NOTHING",
    [vendorTenantId],
  )
  acme = await aToldCompany(fixture, 'acme')
  globex = await aToldCompany(fixture, 'globex')
  for (const { aClient } of [acme, globex]) await aClient('agent', null)
})
afterAll(async () => {
  await receiver?.close()
  await fixture?.close()
})
beforeEach(async () => {
  receiver.forget()
  now = instant(Date.now())
  await asOwner(fixture.ownerUrl, 'DELETE FROM webhook_endpoints')
  await asOwner(fixture.ownerUrl, 'DELETE FROM outbox')
  await asOwner(fixture.ownerUrl, 'UPDATE deprovisioning_events SET dead_at = received_at')
})

const place = (tenant: TenantId, column: string, row: string) => ({
  installation: installationId,
  tenant,
  table: 'webhook_endpoints',
  column,
  row,
})
async function anEndpoint(tenant: TenantId, path: string, events: readonly WebhookEvent[] = webhookEventNames) {
  const [id, secret] = [random.uuid(), newWebhookSecret(random)]
  const sealedSecret = sealer.seal(secret, place(tenant, 'sealed_secret', id))
  await inTenant(fixture.database, tenant, (db) =>
    insertWebhook(db, tenant, { id, name: 'SIEM', url: `${receiver.origin}${path}`, events, sealedSecret, now }),
  )
  return { id, secret: showWebhookSecret(secret), plain: secret }
}

async function runOutbox(kinds?: readonly string[]): Promise<void> {
  const entries = await asOwner<{ id: string; tenant_id: string; kind: string; payload: unknown }>(
    fixture.ownerUrl,
    'SELECT id, tenant_id, kind, payload FROM outbox WHERE done_at IS NULL ORDER BY id',
  )
  for (const { id, tenant_id: tenant, kind, payload } of entries)
    if (kinds === undefined || kinds.includes(kind)) await findJob(kind)?.run(deps, { tenant, entry: Number(id), payload })
}
async function sweep(): Promise<void> {
  await runOutbox()
  while ((await deliverDue(deps)) > 0);
}
type Company = Awaited<ReturnType<typeof aToldCompany>>
const end = (company: Company, target: DeprovisioningTarget, targetId: string, deactivate = false) =>
  inTenant(fixture.database, company.tenant, (db) =>
    deprovision(db, {
      ...{
        tenant: company.tenant,
        eventId: random.uuid() as DeprovisioningEventId,
        source: 'scim',
        target,
        targetId,
        reason: 'Ada Lovelace left',
      },
      ...{ now, requestId: undefined, toldAt: undefined, deactivate },
    }),
  )
const back = (subject: string) =>
  inTenant(fixture.database, acme.tenant, (db) =>
    reinstate(db, { tenant: acme.tenant, subjectId: subject as SubjectId, by: 'admin', reason: 'back', now, requestId: undefined }),
  )
const read = ({ body }: Heard) => JSON.parse(body) as { type: string; timestamp: string; data: Record<string, unknown> }
const types = () => receiver.heard.map((heard) => read(heard).type)

it('news is believed by a library that is not ours, and says whom by sub alone', async () => {
  const { secret } = await anEndpoint(acme.tenant, '/acme', ['access.ended', 'subject.deactivated'])
  const ada = await acme.aPerson('ada')
  await end(acme, 'subject', ada, true)
  await sweep()
  expect(types()).toEqual(['access.ended', 'subject.deactivated'])
  for (const { body, headers } of receiver.heard) {
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual(JSON.parse(body))
    expect(() => new Webhook(showWebhookSecret(random.bytes(32))).verify(body, headers as Record<string, string>)).toThrow()
    expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow()
    expect(headers['content-type']).toBe('application/json')
    expect(body).not.toMatch(/lovelace|example/i)
  }
  const [ended, deactivated] = receiver.heard.map(read)
  expect(ended?.data).toEqual({
    ...{ tenant: 'acme', eventId: expect.any(String), source: 'scim', target: 'subject', targetId: ada, subject: ada },
    ...{ barrierAt: ended?.timestamp, sequence: expect.any(Number) },
  })
  expect(deactivated?.data).toEqual({ tenant: 'acme', eventId: ended?.data['eventId'], subject: ada, sequence: ended?.data['sequence'] })
  expect(new Set(receiver.heard.map(({ headers }) => headers['webhook-id'])).size).toBe(2)
})

it.each(['grant', 'client', 'connection', 'tenant'] as const)('the end of a %s is told with what it was', async (target) => {
  const company = await aToldCompany(fixture, `news-of-${target}`)
  await company.aClient('agent', null)
  await anEndpoint(company.tenant, '/hook', ['access.ended'])
  const person = await company.aPerson('p')
  const ids = { grant: await company.aGrant('agent', person), client: 'agent', connection: company.connection, tenant: company.tenant }
  await end(company, target, ids[target])
  await sweep()
  expect(receiver.heard.map(read)).toMatchObject([{ type: 'access.ended', data: { target, targetId: ids[target] } }])
  const { subject, clientId } = receiver.heard.map(read)[0]?.data ?? {}
  expect([subject, clientId]).toEqual(target === 'grant' ? [person, 'agent'] : [undefined, target === 'client' ? 'agent' : undefined])
})

it('a tenant hears of itself alone, the vendor of all, and everybody only what it has chosen', async () => {
  await anEndpoint(acme.tenant, '/acme', ['access.ended'])
  await anEndpoint(globex.tenant, '/globex', ['subject.reinstated'])
  await anEndpoint(vendorTenantId, '/vendor', ['access.ended'])
  for (const company of [acme, globex]) await end(company, 'subject', await company.aPerson(random.uuid()))
  await sweep()
  expect(receiver.heard.map((heard) => `${heard.path} ${read(heard).data['tenant']}`).sort()).toEqual([
    '/acme acme',
    '/vendor acme',
    '/vendor globex',
  ])
})

it('that somebody is back comes behind the news that she was gone, and not at all where she is gone again', async () => {
  await anEndpoint(acme.tenant, '/acme', ['subject.deactivated', 'subject.reinstated'])
  const ada = await acme.aPerson(random.uuid())
  await end(acme, 'subject', ada, true)
  await back(ada)
  await expect(runOutbox(['tell-reinstated'])).rejects.toThrow('has not been told yet')
  await sweep()
  expect(types()).toEqual(['subject.deactivated', 'subject.reinstated'])
  receiver.forget()
  await back(ada)
  await end(acme, 'subject', ada, true)
  await back(ada)
  await end(acme, 'subject', ada, true)
  await sweep()
  expect(types()).toEqual(['subject.deactivated', 'subject.deactivated'])
  const sequences = receiver.heard.map((heard) => Number(read(heard).data['sequence']))
  expect(sequences).toEqual(sequences.toSorted((one, other) => one - other))
})

it.each([
  { is: 'whose end has come', out: "UPDATE subjects SET deactivates_at = '2020-01-01' WHERE id = $1" },
  {
    is: 'whom her directory switched off',
    out: `WITH off AS (INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, active, resource, created_at, updated_at)
        SELECT tenant_id, id, connection_id, id::text, id::text, false, '{}', now(), now() FROM subjects WHERE id = $1 RETURNING id)
      UPDATE subjects SET scim_user_id = off.id FROM off WHERE subjects.id = $1`,
  },
])('nobody hears that somebody is back $is meanwhile', async ({ out }) => {
  await anEndpoint(acme.tenant, '/acme', ['subject.deactivated', 'subject.reinstated'])
  const ada = await acme.aPerson(random.uuid())
  await end(acme, 'subject', ada, true)
  await back(ada)
  await asOwner(fixture.ownerUrl, out, [ada])
  await sweep()
  expect(types()).toEqual(['subject.deactivated'])
})

const measured = async () => /^drawbridge_time_to_dead_seconds_count (\d+)/m.exec(await deps.metrics.print())?.[1] ?? '0'

it('that an end is complete is told once: with the sweep where nobody had to hear of it, which is said and not measured', async () => {
  const { secret } = await anEndpoint(acme.tenant, '/acme', ['access.dead_everywhere'])
  const before = await measured()
  const ada = await acme.aPerson(random.uuid())
  await end(acme, 'subject', ada)
  await sweep()
  expect(receiver.heard.map(read)).toMatchObject([
    { type: 'access.dead_everywhere', data: { tenant: 'acme', target: 'subject', targetId: ada, subject: ada, due: 0 } },
  ])
  await sweepExpired(deps)
  await sweep()
  expect(receiver.heard).toHaveLength(1)
  expect(await measured()).toBe(before)
  const [heard] = receiver.heard
  if (heard) expect(new Webhook(secret).verify(heard.body, heard.headers as Record<string, string>)).toBeDefined()
})

it('what two guards had to hear is complete after the second, says how many they were, and is measured', async () => {
  await anEndpoint(acme.tenant, '/acme', ['access.dead_everywhere'])
  const before = await measured()
  const [first, second] = [random.uuid(), random.uuid()]
  const [of] = await asOwner<{ resource: string; issuer: string }>(
    fixture.ownerUrl,
    'SELECT resource_id AS resource, issuer_id AS issuer FROM resource_issuers WHERE tenant_id = $1 LIMIT 1',
    [acme.tenant],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
     SELECT $1, id, $3, 'pod', $5, $5, $1, $4 FROM unnest($2::uuid[]) AS id`,
    [acme.tenant, [first, second], of?.resource, of?.issuer, new Date(now)],
  )
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  for (const stream of [first, second]) {
    await sweepExpired(deps)
    await sweep()
    expect(receiver.heard).toEqual([])
    await asOwner(fixture.ownerUrl, 'UPDATE notice_receipts SET acknowledged_at = $2 WHERE stream_id = $1', [stream, new Date(now)])
  }
  await sweepExpired(deps)
  await sweep()
  expect(receiver.heard.map((heard) => read(heard).data['due'])).toEqual([2])
  expect(Number(await measured())).toBe(Number(before) + 1)
})

it('two secrets sign during a change, and the former rests nowhere when its time is over', async () => {
  const { id, secret, plain } = await anEndpoint(acme.tenant, '/acme')
  const next = newWebhookSecret(random)
  await inTenant(fixture.database, acme.tenant, (db) =>
    replaceWebhookSecret(db, acme.tenant, id, {
      sealed: sealer.seal(next, place(acme.tenant, 'sealed_secret', id)),
      sealedFormer: sealer.seal(plain, place(acme.tenant, 'sealed_former_secret', id)),
      now,
    }),
  )
  const tell = () =>
    inTenant(fixture.database, acme.tenant, (db) =>
      insertWebhookTest(db, acme.tenant, {
        endpoint: id,
        id: random.uuid(),
        message: { type: 'webhook.test', timestamp: 't', data: {} },
        now,
      }),
    )
  await tell()
  await deliverDue(deps)
  const believes = (by: string, { body, headers }: Heard) => {
    try {
      return new Webhook(by).verify(body, headers as Record<string, string>) !== undefined
    } catch {
      return false
    }
  }
  const [during] = receiver.heard
  expect(during && [secret, showWebhookSecret(next)].map((by) => believes(by, during))).toEqual([true, true])
  now = addSeconds(now, webhookLimits.formerSecretSeconds)
  await tell()
  await deliverDue(deps)
  expect(receiver.heard[1]?.headers['webhook-signature']?.toString().split(' ')).toHaveLength(1)
  await sweepExpired(deps)
  expect(await countOf(fixture, 'webhook_endpoints WHERE sealed_former_secret IS NOT NULL')).toBe(0)
})

it('each try is signed anew, under the id that stays', async () => {
  await anEndpoint(acme.tenant, '/acme', ['access.ended'])
  receiver.answerWith(500)
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await runOutbox()
  await deliverDue(deps)
  now = addSeconds(now, 10)
  await deliverDue(deps)
  const [first, second] = receiver.heard
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
  expect(second?.body).toBe(first?.body)
  expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature'])
})

it('while an admin pauses it news waits, also if something under way succeeds; it goes on at once', async () => {
  const { id } = await anEndpoint(acme.tenant, '/acme', ['access.ended'])
  await inTenant(fixture.database, acme.tenant, (db) => pauseWebhook(db, acme.tenant, id, now))
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  expect(receiver.heard).toHaveLength(0)
  await inTenant(fixture.database, acme.tenant, (db) => resumeWebhook(db, acme.tenant, id))
  await sweep()
  expect(types()).toEqual(['access.ended'])
})

it.each([404, 503])(
  'an endpoint that answers %s for days is disabled with an alarm, hears nothing more, and goes on when an admin says so',
  async (status) => {
    const { id } = await anEndpoint(acme.tenant, '/acme', ['access.ended'])
    receiver.answerWith(status)
    await end(acme, 'subject', await acme.aPerson(random.uuid()))
    await runOutbox()
    await deliverDue(deps)
    now = addSeconds(now, webhookLimits.disableAfterSeconds)
    await deliverDue(deps)
    expect(await countOf(fixture, 'webhook_endpoints WHERE id = $1 AND disabled_at IS NOT NULL', [id])).toBe(1)
    expect(await countOf(fixture, "audit_events WHERE kind = 'webhook.disabled' AND detail ->> 'webhook' = $1", [id])).toBe(1)
    expect(await deps.metrics.print()).toMatch(/drawbridge_webhooks_disabled_total [12]/)
    receiver.forget()
    await end(acme, 'subject', await acme.aPerson(random.uuid()))
    await sweep()
    expect(receiver.heard).toHaveLength(0)
    await inTenant(fixture.database, acme.tenant, (db) => resumeWebhook(db, acme.tenant, id))
    await end(acme, 'subject', await acme.aPerson(random.uuid()))
    await sweep()
    expect(types()).toEqual(['access.ended'])
  },
)

it('an endpoint that says that it is gone is disabled at once, its tenant is told, and nobody else’s news suffers', async () => {
  const { id } = await anEndpoint(acme.tenant, '/gone', ['access.ended'])
  await anEndpoint(acme.tenant, '/there', ['access.ended'])
  await asOwner(
    fixture.ownerUrl,
    "INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, $2, 'IT', 'it@acme.example', now()) ON CONFLICT DO NOTHING",
    [acme.tenant, random.uuid()],
  )
  receiver.answerWith(({ path }) => (path === '/gone' ? 410 : 200))
  for (let n = 0; n < 3; n += 1) await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  expect(await countOf(fixture, 'webhook_endpoints WHERE disabled_at IS NOT NULL')).toBe(1)
  const told = "audit_events WHERE kind = 'webhook.disabled' AND detail ->> 'webhook' = $1 AND detail ->> 'because' = 'gone'"
  expect(await countOf(fixture, told, [id])).toBe(1)
  expect(await countOf(fixture, "announcements WHERE acts::text LIKE '%webhook.disabled%'")).toBe(1)
  expect(receiver.heard.filter(({ path }) => path === '/there')).toHaveLength(3)
  // What it did not take is a dead letter, and nothing more is written for it.
  expect(await countOf(fixture, 'deliveries WHERE destination_id = $1 AND dead_at IS NOT NULL', [id])).toBe(3)
  receiver.forget()
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  expect(receiver.heard.map(({ path }) => path)).toEqual(['/there'])
  await inTenant(fixture.database, acme.tenant, (db) => resumeWebhook(db, acme.tenant, id))
  receiver.forget()
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  expect(receiver.heard.map(({ path }) => path).sort()).toEqual(['/gone', '/there'])
})

it('an address that is gone says nothing of the one that an admin has named meanwhile', async () => {
  const { id } = await anEndpoint(acme.tenant, '/old', ['access.ended'])
  receiver.answerWith(async ({ path }) => {
    if (path !== '/old') return 200
    await inTenant(fixture.database, acme.tenant, (db) => updateWebhook(db, acme.tenant, id, { url: `${receiver.origin}/new` }))
    return 410
  })
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await sweep()
  expect(await countOf(fixture, 'webhook_endpoints WHERE disabled_at IS NOT NULL')).toBe(0)
  // Nor is the message lost that the old address did not take.
  now = addSeconds(now, deliveryLimits.longestPauseSeconds.message)
  await deliverDue(deps)
  expect(receiver.heard.map(({ path, headers }) => [path, headers['webhook-id'] === receiver.heard[0]?.headers['webhook-id']])).toEqual([
    ['/old', true],
    ['/new', true],
  ])
})

it('one success ends the time of failing', async () => {
  await anEndpoint(acme.tenant, '/acme', ['access.ended'])
  receiver.answerWith(404)
  await end(acme, 'subject', await acme.aPerson(random.uuid()))
  await runOutbox()
  await deliverDue(deps)
  expect(await countOf(fixture, 'delivery_destinations WHERE failing_since IS NOT NULL')).toBe(1)
  receiver.answerWith(200)
  now = addSeconds(now, deliveryLimits.longestPauseSeconds.message)
  await deliverDue(deps)
  expect(await countOf(fixture, 'delivery_destinations WHERE failing_since IS NOT NULL')).toBe(0)
})

it('no secret rests in the clear', async () => {
  const { plain, secret } = await anEndpoint(acme.tenant, '/acme')
  const [row] = await asOwner<{ all: string }>(fixture.ownerUrl, 'SELECT webhook_endpoints::text AS all FROM webhook_endpoints')
  for (const form of [plain.toString('hex'), plain.toString('base64'), secret]) expect(row?.all).not.toContain(form)
})
