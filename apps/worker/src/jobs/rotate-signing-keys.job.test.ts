/** Keys change by themselves: on time, once however many workers there are, and nothing that was signed dies before its own end. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { keyOverlapSeconds, retiredKeySeconds } from '@drawbridge/core/oauth/key-rotation'
import { claimsOfNotice, kidOf } from '@drawbridge/core/signals/event-stream'
import type { IssuerId } from '@drawbridge/core/tenant/ids'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { type KeyState, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { chooseTokenAlgorithm } from '@drawbridge/store/key-rotation'
import { ensureSigningKeys, listSigningKeys } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { anEventStream } from '@drawbridge/testkit/an-event-stream'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aCompany, jobDeps, random } from '../../test/a-company.js'
import { findJob } from '../jobs.js'
import { keyChangeOf } from '../make-key.js'

const day = 86_400
const start = instant(Math.floor(Date.now() / 1000) * 1000)
const afterDays = (days: number) => addSeconds(start, days * day)
let fixture: TestDatabase
let company: Awaited<ReturnType<typeof aCompany>>
let count = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  await asOwner(fixture.ownerUrl, 'DELETE FROM signing_keys', [])
  company = await aCompany(fixture, `company-${++count}`)
  await asOwner(fixture.ownerUrl, 'UPDATE signing_keys SET created_at = $1, activated_at = $1', [new Date(start)])
  await within((db) => ensureSigningKeys(db, company.tenant, change('tokens', start)))
})

const within = <T>(run: Parameters<typeof inTenant<T>>[2]) => inTenant(fixture.database, company.tenant, run)
const owner = (purpose: 'tokens' | 'notices') => ({ tenantId: company.tenant, issuerId: company.issuerId as IssuerId, purpose })
const change = (purpose: 'tokens' | 'notices', now: Instant) => keyChangeOf(jobDeps(fixture), owner(purpose), now)
const depsAt = (now: Instant, age: { signingKeyAgeSeconds?: number } = { signingKeyAgeSeconds: 90 * day }) => ({
  ...{ ...jobDeps(fixture), ...age, metrics: createMetrics({ withProcess: false }) },
  clock: { ...jobDeps(fixture).clock, now: () => now },
})
const run = async (deps: ReturnType<typeof depsAt>) => findJob('rotate-signing-keys')?.run(deps, {})
const keys = () => within((db) => listSigningKeys(db, company.tenant))
const keysOf = async (purpose: string, state: KeyState) => (await keys()).filter((key) => key.purpose === purpose && key.state === state)
const trail = () =>
  asOwner<{ kind: string; detail: Record<string, unknown> }>(
    fixture.ownerUrl,
    `SELECT kind, detail FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'signing_key%' ORDER BY id`,
    [company.tenant],
  )

it('publishes a next key where none waits, says when it takes over, and does nothing more until then', async () => {
  expect(await keysOf('notices', 'next')).toEqual([])
  await run(depsAt(start))
  expect([await keysOf('notices', 'next'), await keysOf('tokens', 'next')]).toMatchObject([
    [{ activatesAt: afterDays(90), createdAt: start }],
    [{ activatesAt: afterDays(90) }],
  ])
  const before = await keys()
  await run(depsAt(afterDays(89)))
  expect([await keys(), await trail()]).toEqual([before, []])
})

it('the next key takes over on time, its predecessor stays published, and a successor waits, whatever the purpose', async () => {
  await run(depsAt(start))
  const [active, next] = [(await keysOf('tokens', 'active'))[0]?.id, (await keysOf('tokens', 'next'))[0]?.id]
  const deps = depsAt(afterDays(90))
  await run(deps)
  expect((await keysOf('tokens', 'active')).map(({ id }) => id)).toEqual([next])
  expect(await keysOf('tokens', 'retired')).toMatchObject([{ id: active, withdrawnAt: undefined, retiredAt: afterDays(90) }])
  for (const purpose of ['tokens', 'notices'])
    expect(await keysOf(purpose, 'next')).toMatchObject([{ createdAt: afterDays(90), activatesAt: afterDays(180) }])
  expect(await trail()).toMatchObject([
    { kind: 'signing_key.rotated', detail: { purpose: 'notices', cause: 'age' } },
    { kind: 'signing_key.rotated', detail: { purpose: 'tokens', cause: 'age', active: next } },
  ])
  expect(await deps.metrics.print()).toMatch(/drawbridge_signing_key_rotations_total\{purpose="tokens",cause="age"\} 1/)
})

it('several workers at the same moment make one successor', async () => {
  await run(depsAt(start))
  const [next] = await keysOf('tokens', 'next')
  await Promise.all([run(depsAt(afterDays(91))), run(depsAt(afterDays(91))), run(depsAt(afterDays(91)))])
  await run(depsAt(afterDays(91)))
  expect((await keysOf('tokens', 'active')).map(({ id }) => id)).toEqual([next?.id])
  expect([(await keysOf('tokens', 'next')).length, (await keysOf('tokens', 'retired')).length, (await trail()).length]).toEqual([1, 1, 2])
})

it('age rotates nothing where it is switched off, and what was planned is taken back', async () => {
  await run(depsAt(start))
  await run(depsAt(afterDays(400), {}))
  expect([(await keysOf('tokens', 'retired')).length, await trail()]).toEqual([0, []])
  expect(await keysOf('tokens', 'next')).toMatchObject([{ activatesAt: undefined }])
})

it('a chosen algorithm signs after the overlap, though age rotates nothing', async () => {
  const activatesAt = addSeconds(start, keyOverlapSeconds)
  const { purpose: _purpose, ...chosen } = change('tokens', start)
  await within((db) => chooseTokenAlgorithm(db, company.tenant, { ...chosen, algorithm: 'EdDSA', activatesAt }))
  await run(depsAt(addSeconds(activatesAt, -1), {}))
  expect(await keysOf('tokens', 'active')).toMatchObject([{ algorithm: 'ES256' }])
  await run(depsAt(activatesAt, {}))
  expect([await keysOf('tokens', 'active'), await keysOf('tokens', 'next')]).toMatchObject([
    [{ algorithm: 'EdDSA' }],
    [{ algorithm: 'EdDSA' }],
  ])
  expect(await keysOf('notices', 'active')).toMatchObject([{ algorithm: 'ES256' }])
  expect(await trail()).toMatchObject([{ kind: 'signing_key.rotated', detail: { cause: 'algorithm', purpose: 'tokens' } }])
})

it('a next key of another algorithm, as an older version makes them, is replaced before it signs', async () => {
  await asOwner(fixture.ownerUrl, `UPDATE tenants SET token_algorithm = 'EdDSA' WHERE id = $1`, [company.tenant])
  await run(depsAt(afterDays(200)))
  expect([await keysOf('tokens', 'active'), await keysOf('tokens', 'next')]).toMatchObject([
    [{ algorithm: 'ES256' }],
    [{ algorithm: 'EdDSA', activatesAt: afterDays(201) }],
  ])
})

it('a retired key leaves when nothing that it signed is alive, and nothing of its private half is left', async () => {
  await run(depsAt(start))
  await run(depsAt(afterDays(90)))
  await run(depsAt(addSeconds(afterDays(90), retiredKeySeconds)))
  expect(await keysOf('tokens', 'retired')).toMatchObject([{ withdrawnAt: undefined }])
  const gone = addSeconds(afterDays(90), retiredKeySeconds + 1)
  const deps = depsAt(gone)
  await run(deps)
  for (const purpose of ['tokens', 'notices'])
    expect(await keysOf(purpose, 'retired')).toMatchObject([{ withdrawnAt: gone, sealedPrivateKey: Buffer.of() }])
  expect((await trail()).filter(({ kind }) => kind === 'signing_key.withdrawn')).toHaveLength(2)
  expect(await deps.metrics.print()).toMatch(/drawbridge_signing_keys_withdrawn_total\{purpose="notices"\} 1/)
})

it('what an event stream still owes is signed anew before its key leaves', async () => {
  const [resource] = company.resources
  const credentialId = random.uuid()
  await asOwner(
    fixture.ownerUrl,
    'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, now())',
    [company.tenant, credentialId, resource?.id, Buffer.alloc(32)],
  )
  const at = { tenantId: company.tenant, resourceId: resource?.id ?? '', credentialId }
  await anEventStream(fixture, { tenantId: company.tenant, issuerId: company.issuerId as IssuerId }, at)
  await company.kill()
  const [entry] = await asOwner<{ id: string; payload: unknown }>(
    fixture.ownerUrl,
    `SELECT id, payload FROM outbox WHERE tenant_id = $1 AND kind = 'revoke'`,
    [company.tenant],
  )
  await findJob('revoke')?.run(jobDeps(fixture), { tenant: company.tenant, entry: Number(entry?.id), payload: entry?.payload })
  const notice = async () =>
    (await asOwner<{ token: string }>(fixture.ownerUrl, 'SELECT token FROM notices WHERE resource_id = $1', [resource?.id]))[0]?.token ?? ''
  const before = await notice()
  expect(kidOf(before)).toBe(company.noticeKey.kid)
  await run(depsAt(start))
  await run(depsAt(afterDays(90)))
  await run(depsAt(afterDays(95)))
  const [active] = await keysOf('notices', 'active')
  const expected = { typ: 'secevent+jwt', issuer: company.issuer, audience: resource?.identifier, now: afterDays(95), skewSeconds: 0 }
  expect(claimsOfNotice(await notice())).toEqual(claimsOfNotice(before))
  expect(active && verifyJwt(await notice(), [toVerificationKey(active.publicJwk)], expected)).toMatchObject({ ok: true })
})

it('the trouble of one issuer holds up no other, and is counted', async () => {
  const other = company
  company = await aCompany(fixture, `company-${++count}-b`)
  await within((db) => ensureSigningKeys(db, company.tenant, change('tokens', start)))
  await asOwner(
    fixture.ownerUrl,
    `CREATE OR REPLACE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.tenant_id = '${other.tenant}' THEN RAISE 'no'; END IF; RETURN NEW; END $$;
     CREATE TRIGGER refuse_one BEFORE INSERT OR UPDATE ON signing_keys FOR EACH ROW EXECUTE FUNCTION refuse_one()`,
    [],
  )
  const deps = depsAt(afterDays(91))
  try {
    await run(deps)
  } finally {
    await asOwner(fixture.ownerUrl, 'DROP TRIGGER refuse_one ON signing_keys', [])
  }
  expect((await keysOf('tokens', 'retired')).length).toBe(1)
  expect(await deps.metrics.print()).toMatch(/drawbridge_signing_key_failures_total\{what="rotate"\} 2/)
  company = other
  expect((await keysOf('tokens', 'retired')).length).toBe(0)
})
