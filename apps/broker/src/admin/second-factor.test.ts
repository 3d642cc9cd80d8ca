/** What an admin does about second factors: switches them on, makes a code, takes all of them away; and whom that is told. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let globex: ATenant
let call: Call
const owner = <Row = Record<string, unknown>>(sql: string, ...parameters: unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' }) })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const reasonOf = ({ body }: { body: { type?: string } }) => body?.type?.replace('urn:drawbridge:error:', '')

/** Somebody who has signed in; `email` is what her IdP says. */
async function aSubject(tenant: ATenant, email?: string): Promise<string> {
  const id = randomUUID()
  const claims = {
    ...{ connectionId: tenant.connectionId, stableId: id, subjectId: null, groups: { state: 'absent' }, sessionExpiresAt: null },
    claims: email === undefined ? [] : [['email', email]],
    authentication: { acr: null, amr: [], authenticatedAt: null },
    idpSession: { sessionIndex: null, nameId: null, sid: null },
  }
  const person = `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, $4, $5, now(), now(), now())`
  await owner(person, tenant.tenantId, id, tenant.connectionId, id, JSON.stringify(claims))
  return id
}
const aFactor = (tenant: ATenant, subject: string) =>
  owner(
    `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, sealed_secret, last_step, created_at)
     VALUES ($1, gen_random_uuid(), $2, 'totp', 'App', 'code', gen_random_uuid(), '', 0, now())`,
    ...[tenant.tenantId, subject],
  )
const codeFor = (subject: string, slug = 'acme') => call('POST', `/tenants/${slug}/subjects/${subject}/factor-codes`)

describe('the setting', () => {
  it('is off until somebody switches it on', async () => {
    expect((await call('GET', '/tenants/globex/second-factor')).body).toEqual({ mode: 'off', cannotProve: [] })
    expect(reasonOf(await codeFor(await aSubject(globex), 'globex'))).toBe('second_factor_off')
  })

  it('names connections of the tenant, and no others', async () => {
    const set = (cannotProve: readonly string[]) => call('PUT', '/tenants/acme/second-factor', { mode: 'where_unproven', cannotProve })
    expect(reasonOf(await set([globex.connectionId]))).toBe('reference_unknown')
    expect(await set([acme.connectionId])).toMatchObject({
      status: 200,
      body: { mode: 'where_unproven', cannotProve: [acme.connectionId] },
    })
    expect((await call('PUT', '/tenants/acme/second-factor', { mode: 'on' })).body).toEqual({ mode: 'on', cannotProve: [] })
  })
})

describe('a code', () => {
  it('is shown once, kept as a hash, and ends within a day', async () => {
    const subject = await aSubject(acme)
    const made = await codeFor(subject)
    expect(made).toMatchObject({ status: 201, body: { subjectId: subject, expiresAt: new Date(addSeconds(now, 86_400)).toISOString() } })
    expect(made.body.code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/)
    const stored = JSON.stringify(await owner('SELECT * FROM factor_codes WHERE subject_id = $1', subject))
    const trail = JSON.stringify(await owner('SELECT * FROM audit_events WHERE subject_id = $1', subject))
    for (const text of [stored, trail]) {
      expect(text).not.toContain(made.body.code)
      expect(text).not.toContain(made.body.code.replaceAll('-', ''))
    }
    expect(trail).toContain('second_factor.code_created')
  })

  it('takes the place of the one before, and five are made within a day', async () => {
    const subject = await aSubject(acme)
    for (let n = 0; n < 5; n += 1) expect((await codeFor(subject)).status).toBe(201)
    expect(reasonOf(await codeFor(subject))).toBe('factor_codes_enough')
    expect(await owner('SELECT 1 FROM factor_codes WHERE subject_id = $1 AND revoked_at IS NULL', subject)).toHaveLength(1)
    const before = now
    now = addSeconds(now, 86_401)
    expect((await codeFor(subject)).status).toBe(201)
    now = before
  })

  it('is made neither for whom the tenant does not have, nor for who has a factor', async () => {
    for (const id of [randomUUID(), await aSubject(globex), 'x']) expect(reasonOf(await codeFor(id))).toBe('not_found')
    const subject = await aSubject(acme)
    await aFactor(acme, subject)
    expect(reasonOf(await codeFor(subject))).toBe('factor_enrolled')
  })
})

describe('a reset', () => {
  const reset = (subject: string, slug = 'acme') =>
    call('POST', `/tenants/${slug}/subjects/${subject}/factors/reset`, { reason: 'lost her phone' })

  it('takes factors, codes and guesses of that person, raises her epoch, and leaves others alone', async () => {
    const [ada, ben] = [await aSubject(acme), await aSubject(acme)]
    const living = await codeFor(ada)
    for (const one of [ada, ben]) await aFactor(acme, one)
    await owner("INSERT INTO factor_guesses VALUES ($1, $2, 'totp', 20, now())", acme.tenantId, ada)
    const done = await reset(ada)
    expect(done).toMatchObject({ status: 200, body: { removed: 1, epoch: 2, personTold: false } })
    expect(done.body.privilegedFrom).toBe(new Date(addSeconds(now, 86_400)).toISOString())
    const left = await owner<{ subject_id: string }>('SELECT subject_id FROM factors WHERE subject_id = ANY ($1)', [ada, ben])
    expect(left.map(({ subject_id }) => subject_id)).toEqual([ben])
    expect(await owner('SELECT 1 FROM factor_guesses WHERE subject_id = $1', ada)).toEqual([])
    expect(await owner('SELECT 1 FROM factor_codes WHERE id = $1 AND revoked_at IS NULL', living.body.id)).toEqual([])
    const [before, after] = [ben, ada].map((id) =>
      owner('SELECT epoch, factors_reset_at IS NOT NULL AS reset FROM subjects WHERE id = $1', id),
    )
    expect([await before, await after]).toEqual([[{ epoch: 1, reset: false }], [{ epoch: 2, reset: true }]])
    expect(await owner("SELECT 1 FROM outbox WHERE payload->>'targetId' = $1", ada)).toHaveLength(1)
  })

  it('reaches nobody of another tenant', async () => {
    const subject = await aSubject(globex)
    await aFactor(globex, subject)
    expect(reasonOf(await reset(subject))).toBe('not_found')
    expect(await owner('SELECT 1 FROM factors WHERE subject_id = $1', subject)).toHaveLength(1)
    expect(await owner('SELECT 1 FROM subjects WHERE id = $1 AND epoch = 1', subject)).toHaveLength(1)
  })

  it('is told to the person where the tenant has proven the domain of her address, and to nobody else’s', async () => {
    const connection = [acme.tenantId, acme.connectionId]
    await owner(
      "INSERT INTO domains (tenant_id, domain, connection_id, verified_at, created_at) VALUES ($1, 'acme.example', $2, now(), now())",
      ...connection,
    )
    const told = async (email: string) => (await reset(await aSubject(acme, email))).body.personTold
    expect(await told('ada@acme.example')).toBe(true)
    expect([await told('ada@elsewhere.example'), await told('"x@y" <ada@acme.example>')]).toEqual([false, false])
    const mails = await owner<{ recipient_email: string; acts: { kind: string }[] }>(
      'SELECT recipient_email, acts FROM announcements WHERE is_own',
    )
    expect(mails.map(({ recipient_email, acts }) => [recipient_email, acts[0]?.kind])).toEqual([
      ['ada@acme.example', 'second_factor.reset'],
    ])
  })
})
