/** Clients hear of logouts: who is told of what, in a token that a stranger's library believes. */
import { instant } from '@drawbridge/core/instant'
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import type { BrowserSessionId, ClientId, DeprovisioningEventId, GrantId, IssuerId } from '@drawbridge/core/tenant/ids'
import { generatePairwiseKey, pairwiseSubject } from '@drawbridge/crypto/pairwise-subject'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { endWhatHangsOn } from '@drawbridge/store/end-session'
import { revokeGrantOfToken } from '@drawbridge/store/grants'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { countOf, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import { aReceiver, type Heard } from '../test/a-receiver.js'
import { aToldCompany } from '../test/a-told-client.js'
import { deliverDue } from './deliver.js'
import type { JobDeps } from './deps.js'
import { findJob } from './jobs.js'

let fixture: TestDatabase
let deps: JobDeps
let receiver: Awaited<ReturnType<typeof aReceiver>>
let acme: Awaited<ReturnType<typeof aToldCompany>>
beforeAll(async () => {
  fixture = await testDatabase()
  deps = jobDeps(fixture)
  receiver = await aReceiver()
  acme = await aToldCompany(fixture, 'acme')
  await acme.aClient('deaf', null)
  await acme.aClient('agent', `${receiver.origin}/agent`)
  await acme.aClient('strict', `${receiver.origin}/strict`, true)
})
afterAll(async () => {
  await receiver?.close()
  await fixture?.close()
})
beforeEach(() => receiver.forget())

/** Runs what the outbox holds by the table of jobs, then delivers until nothing is due. */
async function sweep(): Promise<void> {
  const waiting = () =>
    asOwner<{ id: string; tenant_id: string; kind: string; payload: unknown }>(
      fixture.ownerUrl,
      'SELECT id, tenant_id, kind, payload FROM outbox WHERE done_at IS NULL ORDER BY id',
    )
  for (let entries = await waiting(); entries.length > 0; entries = await waiting())
    for (const { id, tenant_id: tenant, kind, payload } of entries) await findJob(kind)?.run(deps, { tenant, entry: Number(id), payload })
  while ((await deliverDue(deps)) > 0);
}

const end = (target: DeprovisioningTarget, targetId: string) =>
  inTenant(fixture.database, acme.tenant, (db) =>
    deprovision(db, {
      ...{ tenant: acme.tenant, eventId: random.uuid() as DeprovisioningEventId, source: 'admin', target, targetId, reason: 'a test' },
      ...{ now: instant(Date.now()), requestId: undefined, toldAt: undefined },
    }),
  )

/** As the specification has a client judge it, by a library that is not ours. */
async function judge({ path, headers, body }: Heard) {
  expect(headers['content-type']).toBe('application/x-www-form-urlencoded')
  const client = path.slice(1)
  const token = new URLSearchParams(body).get('logout_token') ?? ''
  const keys = createLocalJWKSet({ keys: [acme.tokenJwk] as never })
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: acme.issuer,
    audience: client,
    typ: 'logout+jwt',
    algorithms: ['ES256'],
  })
  expect(payload['nonce']).toBeUndefined()
  expect(payload['events']).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(120)
  expect(protectedHeader.alg).toBe('ES256')
  return { client, sub: payload.sub, sid: payload['sid'], jti: payload.jti }
}
const told = async () =>
  (await Promise.all(receiver.heard.map(judge))).map(({ client, sub, sid }) => ({ client, sub, ...(sid === undefined ? {} : { sid }) }))
const byClient = (one: { client: string; sid?: unknown }, other: { client: string; sid?: unknown }) =>
  `${one.client}${one.sid}` < `${other.client}${other.sid}` ? -1 : 1

it('a person who is deactivated is logged out at every client that had a grant of hers, once, and at no other', async () => {
  const [ada, ben] = [await acme.aPerson('ada'), await acme.aPerson('ben')]
  const [first, second] = [await acme.aSession(ada), await acme.aSession(ada)]
  await acme.aGrant('agent', ada, first)
  await acme.aGrant('agent', ada, second)
  await acme.aGrant('strict', ada, first)
  await acme.aGrant('strict', ada, second)
  await acme.aGrant('deaf', ada, first)
  await acme.aGrant('agent', ben, await acme.aSession(ben))
  await end('subject', ada)
  await sweep()
  expect((await told()).sort(byClient)).toEqual(
    [
      { client: 'agent', sub: ada },
      { client: 'strict', sub: ada, sid: first },
      { client: 'strict', sub: ada, sid: second },
    ].sort(byClient),
  )
  expect(new Set((await Promise.all(receiver.heard.map(judge))).map(({ jti }) => jti)).size).toBe(3)
})

it('what is over is told, too, however it ended: the session of a client may outlast our grant, and may have ended without a word', async () => {
  const cleo = await acme.aPerson('cleo')
  await acme.aGrant('agent', cleo, null, '2020-01-01')
  await acme.aGrant('strict', cleo, null)
  await asOwner(fixture.ownerUrl, "UPDATE grants SET revoked_at = '2020-01-01' WHERE client_id = 'strict' AND subject_id = $1", [cleo])
  await end('subject', cleo)
  await sweep()
  expect((await told()).sort(byClient)).toEqual([
    { client: 'agent', sub: cleo },
    { client: 'strict', sub: cleo },
  ])
})

it('of one grant, the session at its client alone; not where the client handed its own token back', async () => {
  const dan = await acme.aPerson('dan')
  const session = await acme.aSession(dan)
  const [killed, returned] = [await acme.aGrant('agent', dan, session), await acme.aGrant('agent', dan, session)]
  await acme.aGrant('strict', dan, session)
  const asked = { eventId: random.uuid(), now: instant(Date.now()), asked: { requestId: 'a test', address: undefined } }
  const [agent] = await asOwner<{ version: number }>(
    fixture.ownerUrl,
    "SELECT version FROM clients WHERE tenant_id = $1 AND client_id = 'agent'",
    [acme.tenant],
  )
  const caller = { issuerId: acme.issuerId as IssuerId, clientId: 'agent' as ClientId, clientVersion: agent?.version ?? 0 }
  const handedBack = { tenantId: acme.tenant, caller, token: { grantId: returned as GrantId }, ...asked }
  expect(await revokeGrantOfToken(onHotPath(fixture.database), handedBack)).toBe('revoked')
  await sweep()
  expect(await told()).toEqual([])
  await end('grant', killed)
  await sweep()
  expect(await told()).toEqual([{ client: 'agent', sub: dan, sid: session }])
})

it.each(['client', 'connection', 'tenant'] as const)('whoever lost something by the end of a %s is logged out', async (target) => {
  const company = await aToldCompany(fixture, `end-of-${target}`)
  const before = acme
  acme = company
  try {
    await company.aClient('agent', `${receiver.origin}/agent`)
    await company.aClient('strict', `${receiver.origin}/strict`)
    const people = [await company.aPerson('ada'), await company.aPerson('ben')]
    for (const person of people) for (const client of ['agent', 'strict']) await company.aGrant(client, person)
    await end(target, target === 'client' ? 'agent' : target === 'connection' ? company.connection : company.tenant)
    await sweep()
    const clients = target === 'client' ? ['agent'] : ['agent', 'strict']
    const expected = clients.flatMap((client) => people.map((sub) => ({ client, sub })))
    expect((await told()).map((one) => JSON.stringify(one)).sort()).toEqual(expected.map((one) => JSON.stringify(one)).sort())
  } finally {
    acme = before
  }
})

it('a session that ended is told by its own name, once for each client, whether or not the grants outlive it', async () => {
  const eve = await acme.aPerson('eve')
  const [session, other] = [await acme.aSession(eve), await acme.aSession(eve)]
  await acme.aGrant('agent', eve, session)
  await acme.aGrant('agent', eve, session)
  await acme.aGrant('strict', eve, session)
  await acme.aGrant('agent', eve, other)
  for (const outlive of [false, true]) {
    receiver.forget()
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET grants_outlive_logout = $2 WHERE id = $1', [acme.tenant, outlive])
    const matched = [{ id: session as BrowserSessionId, subject_id: eve as never, was_open: true }]
    const ending = {
      ...{ tenant: acme.tenant, connectionId: acme.connection as never, reason: 'signed_out' as const, now: instant(Date.now()) },
      ...{ requestId: 'test', address: undefined, newId: random.uuid },
    }
    await inTenant(fixture.database, acme.tenant, (db) => endWhatHangsOn(db, ending, matched, async () => []))
    await sweep()
    expect((await told()).sort(byClient)).toEqual([
      { client: 'agent', sub: eve, sid: session },
      { client: 'strict', sub: eve, sid: session },
    ])
  }
})

it('a client that wants no logouts any more is not called: its message is given up', async () => {
  const fay = await acme.aPerson('fay')
  const client = await acme.aClient('changed', `${receiver.origin}/changed`)
  await acme.aGrant(client, fay)
  await end('subject', fay)
  receiver.answerWith(500)
  await sweep()
  expect(receiver.heard).toHaveLength(1)
  await asOwner(fixture.ownerUrl, "UPDATE clients SET backchannel_logout_uri = NULL WHERE client_id = 'changed'")
  await asOwner(fixture.ownerUrl, "UPDATE deliveries SET due_at = '2020-01-01' WHERE expires_at IS NULL")
  await asOwner(fixture.ownerUrl, 'UPDATE delivery_destinations SET paused_until = NULL')
  await sweep()
  expect(receiver.heard).toHaveLength(1)
  expect(await countOf(fixture, "deliveries WHERE reason = 'no_longer_wanted' AND dead_at IS NOT NULL")).toBe(1)
})

it('a client that knows people by a sub of its own hears of them by that, and of nobody before it was ever told of one', async () => {
  receiver.answerWith(200)
  await acme.aClient('sectored', `${receiver.origin}/sectored`)
  await asOwner(fixture.ownerUrl, "UPDATE clients SET sector_identifier = 'app.example' WHERE client_id = 'sectored'")
  const [gil, hal] = [await acme.aPerson('gil'), await acme.aPerson('hal')]
  for (const person of [gil, hal]) await acme.aGrant('sectored', person)
  await end('subject', gil)
  await sweep()
  expect(await told()).toEqual([])
  const [id, key] = [random.uuid(), generatePairwiseKey(random)]
  const place = { installation: installationId, tenant: acme.tenant, table: 'pairwise_keys', column: 'sealed_key', row: id }
  await asOwner(fixture.ownerUrl, 'INSERT INTO pairwise_keys (tenant_id, id, sealed_key, created_at) VALUES ($1, $2, $3, now())', [
    ...[acme.tenant, id, sealer.seal(key, place)],
  ])
  await end('subject', hal)
  await sweep()
  const sub = pairwiseSubject(key, { issuerId: acme.issuerId, sector: 'app.example', subject: hal })
  expect(await told()).toEqual([{ client: 'sectored', sub }])
})

it('nothing of a token rests in the table', async () => {
  const rows = await asOwner<{ all: string }>(fixture.ownerUrl, 'SELECT deliveries::text AS all FROM deliveries')
  expect(rows.length).toBeGreaterThan(5)
  expect(rows.filter(({ all }) => /eyJ/.test(all))).toEqual([])
})
