/** What is recorded of logins: by the tenant's opt-in, behind the login's back, bounded, and gone when the tenant says no. */

import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { recordedLoginLimits } from '@drawbridge/core/policy/recorded-login'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { keepRecordedLogins } from '@drawbridge/store/recorded-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import {
  type AnIdp,
  type APage,
  aCompany,
  aCompanyPolicy,
  anAuthorizeUrl,
  anIdp,
  aPlainBrowser,
  publish,
} from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLoginRecorder } from './login-recorder.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let call: Call

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  acme = await aCompany(fixture, 'acme', now)
  await aCompany(fixture, 'globex', now)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 600)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd'] }
  await call('PUT', '/tenants/acme/login-recording', { recordLogins: false })
  await call('PUT', '/tenants/acme/login-recording', { recordLogins: true })
})

const issuer = 'http://localhost:4400/t/acme'
const authorize = (change?: Record<string, string>) => anAuthorizeUrl(issuer, acme, { scope: 'read', ...change })
const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)

/** Signs in, in a new browser. */
async function signIn(change?: Record<string, string>) {
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const page = await browser.comeHome(await browser.visit(authorize(change)), acme.connectionId)
  await broker.deps.logins.settled()
  return { browser, page }
}
type Heading = { readonly id: string; readonly subjectId: string; readonly outcome: string; readonly policyVersion: number }
const recorded = async (query = ''): Promise<readonly Heading[]> =>
  (await call('GET', `/tenants/acme/recorded-logins${query}`)).body.recordedLogins
const hasCode = (page: APage) => expect(page.location).toContain('code=dbc_')

describe('a login', () => {
  it('leaves one record: what the mapping made of it, what was asked, and what was decided', async () => {
    hasCode((await signIn()).page)
    const [heading, ...others] = await recorded()
    expect(others).toEqual([])
    expect(heading).toMatchObject({ outcome: 'allow', connectionId: acme.connectionId, clientId: acme.clientId })
    const { body } = await call('GET', `/tenants/acme/recorded-logins/${heading?.id}`)
    expect(body).toMatchObject({
      ...heading,
      identity: { stableId: 'ada', groups: { state: 'known', value: ['staff'] }, authentication: { amr: ['pwd'] } },
      resource: { scopes: [{ name: 'read', tier: 'read' }] },
      request: { scopes: ['read'], stepUpsDone: 0, address: '127.0.0.1' },
      session: { isOwn: true },
      decision: { kind: 'allow', scopes: ['read'], accessTokenSeconds: 1800 },
    })
    expect(JSON.stringify(body)).not.toMatch(/idpSession|id-token-of|logoutHint|dbc_/)
  })

  it('of a tenant that did not ask for it leaves none', async () => {
    await call('PUT', '/tenants/acme/login-recording', { recordLogins: false })
    hasCode((await signIn()).page)
    expect(await recorded()).toEqual([])
  })

  it('that is denied leaves one, and so does one that is sent back for a second factor', async () => {
    idp.says = { ...idp.says, groups: [] }
    expect((await signIn()).page.status).toBe(403)
    expect((await recorded()).map(({ outcome }) => outcome)).toEqual(['deny'])
    await publish(fixture, acme, now, `${aCompanyPolicy(['read', 'write'])}mfa: [{scopes: [read]}]\n`)
    idp.says = { ...idp.says, groups: ['staff'] }
    now = addSeconds(now, 1)
    const { page, browser } = await signIn()
    expect(page.location).toContain('https://idp.example/login')
    now = addSeconds(now, 1)
    idp.says = { ...idp.says, amr: ['pwd', 'otp'] }
    hasCode(await browser.comeHome(page, acme.connectionId))
    await broker.deps.logins.settled()
    expect((await recorded()).map(({ outcome }) => outcome)).toEqual(['allow', 'stepUp', 'deny'])
    await publish(fixture, acme, now, aCompanyPolicy(['read', 'write']))
  })

  it('that is decided again after consent is one record, with what was decided last', async () => {
    const { browser, page } = await signIn({ prompt: 'consent' })
    expect(page.location).toContain('/authorize/consent?request=')
    expect(await recorded()).toHaveLength(1)
    now = addSeconds(now, 30)
    hasCode(await browser.submit(page.location, { answer: 'allow' }))
    await broker.deps.logins.settled()
    const [only, ...others] = await recorded()
    expect(others).toEqual([])
    expect(only).toMatchObject({ at: new Date(now).toISOString() })
  })

  it('is sealed where it rests, over after a week, and nothing to another tenant', async () => {
    await signIn()
    const [row] = await sql<{ sealed: Buffer; kept: number }>(
      'SELECT sealed, extract(epoch FROM expires_at - at)::int AS kept FROM recorded_logins',
    )
    expect(row?.sealed.toString('latin1')).not.toMatch(/ada|staff/)
    expect(row?.kept).toBe(7 * 86_400)
    const [heading] = await recorded()
    expect((await call('GET', `/tenants/globex/recorded-logins/${heading?.id}`)).status).toBe(404)
    expect((await call('DELETE', `/tenants/globex/recorded-logins/${heading?.id}`)).status).toBe(404)
    now = addSeconds(now, recordedLoginLimits.keptSeconds)
    expect(await recorded()).toEqual([])
    expect((await call('GET', `/tenants/acme/recorded-logins/${heading?.id}`)).status).toBe(404)
  })

  it('neither waits for its record nor fails by it', async () => {
    const metrics = createMetrics({ withProcess: false })
    const { sealer, log, installation } = broker.deps
    const logins = createLoginRecorder({
      database: { ...fixture.database, tenantPool: undefined as never },
      sealer,
      metrics,
      log,
      installation,
    })
    const other = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, logins })
    const browser = aPlainBrowser({ issuer, url: other.url })
    hasCode(await browser.comeHome(await browser.visit(authorize()), acme.connectionId))
    await logins.settled()
    expect(await metrics.print()).toContain('drawbridge_recorded_logins_total{outcome="failed"} 1')
    await other.close()
  })
})

describe('switching it off', () => {
  it('deletes what was recorded, and what is still being written is not kept', async () => {
    await signIn()
    expect(await recorded()).toHaveLength(1)
    const rows = await sql<{ sealed: Buffer; subject_id: string }>('SELECT * FROM recorded_logins')
    await call('PUT', '/tenants/acme/login-recording', { recordLogins: false })
    expect(await sql('SELECT id FROM recorded_logins')).toEqual([])
    const late = { id: '6f0e7d0a-0000-4000-8000-000000000000', at: now, connectionId: acme.connectionId, subjectId: rows[0]?.subject_id }
    const login = { ...late, clientId: acme.clientId, outcome: 'allow', policyVersion: 1, sealed: Buffer.alloc(1) } as never
    expect(await inTenant(fixture.database, acme.tenantId, (db) => keepRecordedLogins(db, acme.tenantId, [login]))).toBe(0)
    expect(await sql('SELECT id FROM recorded_logins')).toEqual([])
  })

  it('is off until somebody says otherwise', async () => {
    expect((await call('GET', '/tenants/globex/login-recording')).body).toEqual({ recordLogins: false })
    expect((await call('GET', '/tenants/acme/login-recording')).body).toEqual({ recordLogins: true })
  })
})

describe('of many logins', () => {
  it('the newest are kept', async () => {
    await signIn()
    await sql(
      `INSERT INTO recorded_logins SELECT tenant_id, gen_random_uuid(), at - n * interval '1 second', connection_id, subject_id, client_id, outcome,
         policy_version, sealed, expires_at FROM recorded_logins, generate_series(1, $1) AS n`,
      [recordedLoginLimits.perTenant],
    )
    now = addSeconds(now, 1)
    await signIn()
    const [found] = await sql<{ n: number; newest: Date }>('SELECT count(*)::int AS n, max(at) AS newest FROM recorded_logins')
    expect(found).toEqual({ n: recordedLoginLimits.perTenant, newest: new Date(now) })
  })

  it('no more wait than the limit; what is beyond is counted, and a larger one than the limit is not kept', async () => {
    await signIn()
    const metrics = createMetrics({ withProcess: false })
    const recorder = createLoginRecorder({ ...broker.deps, metrics })
    const [heading] = await recorded()
    const { body } = await call('GET', `/tenants/acme/recorded-logins/${heading?.id}`)
    const tenant = { id: acme.tenantId, recordsLogins: true, policyVersion: 1 }
    const record = (n: number, claim: string) =>
      recorder.record({
        tenant,
        requestId: `request ${n}` as never,
        subjectId: body.subjectId,
        decision: { kind: 'deny', reason: 'nothing_granted', missing: '', explanation: { scopes: [] } as never },
        input: { ...body, identity: { ...body.identity, claims: new Map([['email', claim]]), idpSession: {} }, now } as never,
      })
    record(0, 'x'.repeat(recordedLoginLimits.octets))
    for (let n = 1; n < recordedLoginLimits.waiting + 5; n += 1) record(n, 'x')
    record(1, 'again, which takes no place')
    await recorder.settled()
    const counted = await metrics.print()
    for (const [outcome, count] of [
      ['kept', recordedLoginLimits.waiting - 1],
      ['too_large', 1],
      ['too_many', 5],
    ])
      expect(counted).toContain(`drawbridge_recorded_logins_total{outcome="${outcome}"} ${count}`)
  })
})

describe('an admin', () => {
  it('finds them by outcome, client, person and connection, and deletes one, or all of a person', async () => {
    await signIn()
    const [heading] = await recorded()
    for (const query of ['?outcome=allow', `?client=${acme.clientId}`, `?connection=${acme.connectionId}`])
      expect(await recorded(query)).toHaveLength(1)
    for (const query of ['?outcome=deny', '?client=other', `?subject=${heading?.id}`]) expect(await recorded(query)).toEqual([])
    idp.says = { ...idp.says, sub: 'ben' }
    now = addSeconds(now, 1)
    await signIn()
    const [ben] = await recorded()
    expect((await call('DELETE', `/tenants/acme/subjects/${ben?.subjectId}/recorded-logins`)).body).toEqual({ deleted: 1 })
    expect((await recorded()).map(({ id }) => id)).toEqual([heading?.id])
    expect((await call('DELETE', `/tenants/acme/recorded-logins/${heading?.id}`)).status).toBe(204)
    expect((await call('DELETE', `/tenants/acme/recorded-logins/${heading?.id}`)).status).toBe(404)
  })

  it('who reads one is in the trail', async () => {
    await signIn()
    const [heading] = await recorded()
    await call('GET', `/tenants/acme/recorded-logins/${heading?.id}`)
    const { body } = await call('GET', '/tenants/acme/audit-events')
    expect(body.auditEvents[0]).toMatchObject({ kind: 'recorded_login.read', detail: { login: heading?.id, vendor: true } })
    expect(JSON.stringify(body.auditEvents[0])).not.toMatch(/\bada\b/)
  })
})

it('what is recorded of somebody goes when she is deactivated, whoever says so, and nothing is kept of her afterwards', async () => {
  await signIn()
  idp.says = { ...idp.says, sub: 'leaver' }
  await signIn()
  const [leaver, ada] = await recorded()
  const [row] = await sql<StoredRow>('SELECT * FROM recorded_logins WHERE id = $1', [leaver?.id])
  const killed = await call('POST', `/tenants/acme/subjects/${leaver?.subjectId}/kill`, { reason: 'she left' })
  expect(killed.status).toBe(200)
  expect((await recorded()).map(({ id }) => id)).toEqual([ada?.id])
  const again = {
    ...{
      id: randomUUID() as never,
      at: now,
      connectionId: acme.connectionId,
      subjectId: leaver?.subjectId as never,
      clientId: acme.clientId,
    },
    ...{ outcome: 'allow' as const, policyVersion: 1, sealed: row?.sealed as Buffer },
  }
  const keep = (subjectId: unknown) =>
    inTenant(fixture.database, acme.tenantId, (db) => keepRecordedLogins(db, acme.tenantId, [{ ...again, subjectId: subjectId as never }]))
  expect([await keep(leaver?.subjectId), await keep(ada?.subjectId)]).toEqual([0, 1])
})

it('a record that is being written while its person is deactivated goes with the rest', async () => {
  idp.says = { ...idp.says, sub: 'quitter' }
  await signIn()
  const [heading] = await recorded()
  const [row] = await sql<StoredRow>('SELECT * FROM recorded_logins WHERE id = $1', [heading?.id])
  const record = {
    ...{
      id: randomUUID() as never,
      at: now,
      connectionId: acme.connectionId,
      subjectId: heading?.subjectId as never,
      clientId: acme.clientId,
    },
    ...{ outcome: 'allow' as const, policyVersion: 1, sealed: row?.sealed as Buffer },
  }
  let killing: ReturnType<Call> | undefined
  await inTenant(fixture.database, acme.tenantId, async (db) => {
    expect(await keepRecordedLogins(db, acme.tenantId, [record])).toBe(1)
    killing = call('POST', `/tenants/acme/subjects/${heading?.subjectId}/kill`, { reason: 'she left' })
    const waiting = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for (let looks = 0; looks < 500 && (await sql<{ n: number }>(waiting))[0]?.n === 0; looks += 1)
      await new Promise((done) => setTimeout(done, 10))
    expect(await sql(waiting)).toEqual([{ n: 1 }])
  })
  expect((await killing)?.status).toBe(200)
  expect(await sql('SELECT 1 FROM recorded_logins WHERE subject_id = $1', [heading?.subjectId])).toEqual([])
})

type StoredRow = { readonly sealed: Buffer }
