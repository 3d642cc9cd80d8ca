/** Keys on a real PostgreSQL: whatever rotates and condemns at once, each purpose has exactly one key that signs and one that waits. */
import { instant } from '@drawbridge/core/instant'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateSamlKey } from '@drawbridge/crypto/saml-key'
import { generateSigningKey, type KeyPurpose } from '@drawbridge/crypto/signing-keys'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import {
  condemnSigningKey,
  ensureSigningKeys,
  insertSigningKey,
  listSigningKeys,
  rotateSigningKey,
  type SigningKeyDraft,
} from './signing-keys.js'
import { findIdJagIssuing } from './tenants.js'
import { inTenant } from './transaction.js'

const random = systemRandom()
const now = instant(Date.now())
let fixture: TestDatabase
let company: ATenant
let count = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  company = await aTenant(fixture, { slug: `company-${++count}` })
})

const makeKey = async (purpose: KeyPurpose, state: 'next' | 'active'): Promise<SigningKeyDraft> => {
  const { privateKey, ...key } = purpose === 'saml' ? await generateSamlKey(random, 'company', now) : generateSigningKey(random, purpose)
  return { ...key, issuerId: company.issuerId, state, now, sealedPrivateKey: privateKey }
}
const put = async (purpose: KeyPurpose, state: 'next' | 'active'): Promise<string> => {
  const key = await makeKey(purpose, state)
  await inTenant(fixture.database, company.tenantId, (db) => insertSigningKey(db, company.tenantId, key))
  return key.id
}
const putAll = async () => {
  for (const purpose of ['tokens', 'notices'] as const) for (const state of ['active', 'next'] as const) await put(purpose, state)
}
const change = () => ({ issuerId: company.issuerId, now, makeKey })
const condemn = (kid: string) =>
  inTenant(fixture.database, company.tenantId, (db) =>
    condemnSigningKey(db, company.tenantId, { ...change(), kid, eventId: random.uuid() }),
  )
const rotate = (purpose: KeyPurpose) =>
  inTenant(fixture.database, company.tenantId, (db) => rotateSigningKey(db, company.tenantId, { ...change(), purpose }))
const keys = () => inTenant(fixture.database, company.tenantId, (db) => listSigningKeys(db, company.tenantId))
const idsOf = async (purpose: KeyPurpose, state: string) =>
  (await keys()).filter((key) => key.purpose === purpose && key.state === state).map(({ id }) => id)
const told = async () =>
  (
    await asOwner<{ kid: string }>(
      fixture.ownerUrl,
      `SELECT payload ->> 'kid' AS kid FROM outbox WHERE tenant_id = $1 AND kind = 'tell-condemned-key'`,
      [company.tenantId],
    )
  ).map(({ kid }) => kid)

it.each(['active', 'next'] as const)('condemning the %s key leaves one that signs and one that waits, and tells of it', async (state) => {
  await putAll()
  const [kid] = (await idsOf('tokens', state)) as [string]
  const [next] = await idsOf('tokens', 'next')
  expect(await condemn(kid)).toBe(true)
  expect(await idsOf('tokens', 'compromised')).toEqual([kid])
  const [active, waiting] = [await idsOf('tokens', 'active'), await idsOf('tokens', 'next')]
  expect([active.length, waiting.length]).toEqual([1, 1])
  if (state === 'active') expect(active).toEqual([next])
  expect(await told()).toEqual([kid])
})

it('makes a fresh key where none was waiting', async () => {
  const kid = await put('tokens', 'active')
  expect(await condemn(kid)).toBe(true)
  expect([(await idsOf('tokens', 'active')).length, (await idsOf('tokens', 'next')).length]).toEqual([1, 1])
})

it('leaves the keys of the other purpose as they are', async () => {
  await putAll()
  const before = await idsOf('notices', 'active')
  await condemn((await idsOf('tokens', 'active'))[0] as string)
  expect(await idsOf('notices', 'active')).toEqual(before)
})

it('condemns once: again, or for a key that is not there, nothing happens', async () => {
  await putAll()
  const [kid] = (await idsOf('tokens', 'active')) as [string]
  expect([await condemn(kid), await condemn(kid), await condemn('nobody')]).toEqual([true, false, false])
  expect(await told()).toEqual([kid])
  expect((await keys()).filter(({ purpose }) => purpose === 'tokens')).toHaveLength(3)
})

it('condemns a key for SAML, of which no resource server holds a copy, without telling them; the next one takes its place', async () => {
  const [kid, next] = [await put('saml', 'active'), await put('saml', 'next')]
  expect(await condemn(kid)).toBe(true)
  expect([await idsOf('saml', 'compromised'), await idsOf('saml', 'active'), await told()]).toEqual([[kid], [next], []])
  expect(await idsOf('saml', 'next')).toHaveLength(1)
}, 30_000)

it('gives an issuer its keys for SAML once, however many ask at the same time, and each has its certificate', async () => {
  const ensure = () =>
    inTenant(fixture.database, company.tenantId, (db) => ensureSigningKeys(db, company.tenantId, { ...change(), purpose: 'saml' }))
  expect((await Promise.all([ensure(), ensure(), ensure()])).filter(Boolean)).toHaveLength(1)
  expect([(await idsOf('saml', 'active')).length, (await idsOf('saml', 'next')).length]).toEqual([1, 1])
  for (const key of await keys()) expect(key.certificate).toMatch(/^-----BEGIN CERTIFICATE-----/)
}, 30_000)

it('keeps no key for SAML without a certificate, and no other key with one', async () => {
  const bare = { ...(await makeKey('saml', 'active')), certificate: undefined }
  const dressed = { ...(await makeKey('tokens', 'active')), certificate: 'pem' }
  for (const key of [bare, dressed])
    await expect(inTenant(fixture.database, company.tenantId, (db) => insertSigningKey(db, company.tenantId, key))).rejects.toMatchObject({
      code: '23514',
    })
}, 30_000)

it('rotations and condemnations at the same time never leave an issuer without a key that signs', async () => {
  await putAll()
  for (let round = 0; round < 15; round++) {
    const [active] = (await idsOf('tokens', 'active')) as [string]
    const [next] = (await idsOf('tokens', 'next')) as [string]
    await Promise.all([condemn(next), rotate('tokens'), condemn(active), rotate('tokens'), condemn(active)])
    expect({ round, active: (await idsOf('tokens', 'active')).length }).toEqual({ round, active: 1 })
    expect({ round, next: (await idsOf('tokens', 'next')).length }).toEqual({ round, next: 1 })
  }
}, 60_000)

it('whoever holds a setting of the tenant and then makes keys for it comes through beside a rotation, and so does that', async () => {
  await putAll()
  const before = await idsOf('tokens', 'active')
  let rotating: Promise<unknown> = Promise.resolve()
  await inTenant(fixture.database, company.tenantId, async (db) => {
    await findIdJagIssuing(db, company.tenantId, 'held')
    rotating = rotate('tokens')
    rotating.catch(() => undefined)
    // Until it waits: for the tenant, whatever else it may have taken before.
    await vi.waitUntil(async () => (await waiting()) > 0, { timeout: 5000 })
    await ensureSigningKeys(db, company.tenantId, { ...change(), purpose: 'id_jag' })
  })
  await rotating
  expect(await idsOf('tokens', 'active')).not.toEqual(before)
  expect(await idsOf('id_jag', 'active')).toHaveLength(1)
})

const waiting = async () =>
  (
    await asOwner<{ n: number }>(
      fixture.ownerUrl,
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
  )[0]?.n ?? 0
