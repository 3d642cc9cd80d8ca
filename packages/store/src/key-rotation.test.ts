/** The choice of an algorithm, and the end of a key, on a real PostgreSQL. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateTokenKey, type KeyPurpose, type KeyState } from '@drawbridge/crypto/signing-keys'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it, test } from 'vitest'
import {
  chooseTokenAlgorithm,
  holdRotatingKeys,
  type KeyOwner,
  listKeysToWithdrawAcrossTenants,
  listRotatingKeysAcrossTenants,
  type RetiredKey,
  withdrawSigningKey,
} from './key-rotation.js'
import { findOlderKeyUsesAcrossTenants, listSealedBeforeVersionAcrossTenants, listSealedSamplesAcrossTenants } from './sealed-values.js'
import {
  condemnSigningKey,
  ensureSigningKeys,
  insertSigningKey,
  type KeyChange,
  listSigningKeys,
  rotateSigningKey,
} from './signing-keys.js'
import { loadConfigurationAcrossTenants } from './tenant-configuration.js'
import { acrossTenants, inTenant } from './transaction.js'

const random = systemRandom()
const sealer = createSealer([{ version: 1, key: random.bytes(32) }])
const now = instant(Date.now())
const later = addSeconds(now, 86_400)
let fixture: TestDatabase
let company: ATenant
let count = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  company = await aTenant(fixture, { slug: `company-${++count}` })
  for (const purpose of ['tokens', 'notices'] as const)
    await inTenant(fixture.database, company.tenantId, (db) => ensureSigningKeys(db, company.tenantId, { ...change(), purpose }))
})

const change = (): KeyChange => {
  const { tenantId: tenant, issuerId } = company
  return {
    ...{ issuerId, now },
    makeKey: async (purpose, state, algorithm) => {
      const { privateKey, ...key } = await generateTokenKey(random, purpose as 'tokens' | 'notices', algorithm)
      const place = { installation: 'i', tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
      return { ...key, issuerId, state, now, sealedPrivateKey: sealer.seal(privateKey, place) }
    },
  }
}
const within = <T>(run: Parameters<typeof inTenant<T>>[2]) => inTenant(fixture.database, company.tenantId, run)
const choose = (algorithm: TokenAlgorithm) =>
  within((db) => chooseTokenAlgorithm(db, company.tenantId, { ...change(), algorithm, activatesAt: later }))
const rotate = (purpose: KeyPurpose) => within((db) => rotateSigningKey(db, company.tenantId, { ...change(), purpose }))
const keysOf = async (purpose: KeyPurpose, state: KeyState) =>
  (await within((db) => listSigningKeys(db, company.tenantId))).filter((key) => key.purpose === purpose && key.state === state)
const owner = (purpose: 'tokens' | 'notices') => ({ tenantId: company.tenantId, issuerId: company.issuerId, purpose })
const algorithmsOf = async (purpose: KeyPurpose) => {
  const [active, next] = [await keysOf(purpose, 'active'), await keysOf(purpose, 'next')]
  return [active, next].map((keys) => keys.map(({ algorithm }) => algorithm).join())
}

it('a chosen algorithm replaces the key that waits and says when it signs; the one that signs goes on', async () => {
  const [active] = await keysOf('tokens', 'active')
  expect(await choose('EdDSA')).toBe('ES256')
  expect(await keysOf('tokens', 'active')).toEqual([active])
  expect(await keysOf('tokens', 'next')).toMatchObject([
    { algorithm: 'EdDSA', activatesAt: later, publicJwk: { alg: 'EdDSA', kty: 'OKP' } },
  ])
  expect(await algorithmsOf('notices')).toEqual(['ES256', 'ES256'])
})

it('the same choice changes nothing, and one that is taken back waits for age alone', async () => {
  await choose('EdDSA')
  const [waiting] = await keysOf('tokens', 'next')
  expect(await choose('EdDSA')).toBe('EdDSA')
  expect(await keysOf('tokens', 'next')).toEqual([waiting])
  await choose('ES256')
  expect(await keysOf('tokens', 'next')).toMatchObject([{ algorithm: 'ES256', activatesAt: undefined }])
})

it('whoever rotates or condemns makes keys of the chosen algorithm, and of ES256 for notices', async () => {
  await choose('EdDSA')
  await rotate('tokens')
  await rotate('notices')
  expect([await algorithmsOf('tokens'), await algorithmsOf('notices')]).toEqual([
    ['EdDSA', 'EdDSA'],
    ['ES256', 'ES256'],
  ])
  const [active] = await keysOf('tokens', 'active')
  expect(active?.activatesAt).toBeUndefined()
  await within((db) => condemnSigningKey(db, company.tenantId, { ...change(), kid: active?.id ?? '', eventId: random.uuid() }))
  expect(await algorithmsOf('tokens')).toEqual(['EdDSA', 'EdDSA'])
})

it('rotations and choices in the same moment leave one key that signs and one that waits, of the algorithm that was chosen last', async () => {
  for (let round = 0; round < 8; round++) {
    const algorithm = round % 2 === 0 ? 'EdDSA' : 'ES256'
    await Promise.all([rotate('tokens'), choose(algorithm), rotate('tokens'), choose(algorithm)])
    expect((await keysOf('tokens', 'active')).length).toBe(1)
    expect((await keysOf('tokens', 'next')).map((key) => key.algorithm)).toEqual([algorithm])
  }
})

it('pairs are listed a page at a time, each with what is chosen', async () => {
  await choose('EdDSA')
  const found = []
  for (let after: KeyOwner | undefined; ; ) {
    const page = await acrossTenants(fixture.database, (db) => listRotatingKeysAcrossTenants(db, { after, limit: 1 }))
    found.push(...page)
    after = page[0]
    if (page.length === 0) break
  }
  expect(found.length).toBe(2 * count)
  expect(found.filter(({ tenantId }) => tenantId === company.tenantId)).toMatchObject([
    { purpose: 'notices', algorithm: 'ES256', pair: { active: { algorithm: 'ES256' }, next: { algorithm: 'ES256' } } },
    { purpose: 'tokens', algorithm: 'EdDSA', pair: { next: { algorithm: 'EdDSA', activatesAt: later } } },
  ])
  expect(await within((db) => holdRotatingKeys(db, owner('tokens')))).toEqual(
    found.find(({ tenantId, purpose }) => tenantId === company.tenantId && purpose === 'tokens'),
  )
})

const toWithdraw = async (before = later) =>
  (await acrossTenants(fixture.database, (db) => listKeysToWithdrawAcrossTenants(db, before, { after: undefined, limit: 100 }))).filter(
    ({ tenantId }) => tenantId === company.tenantId,
  )

it('a retired key goes in time, a condemned one at once: nothing of the private half is left, and nothing is published', async () => {
  const [retired, condemned] = [(await keysOf('tokens', 'active'))[0]?.id ?? '', (await keysOf('notices', 'active'))[0]?.id ?? '']
  await rotate('tokens')
  await within((db) => condemnSigningKey(db, company.tenantId, { ...change(), kid: condemned, eventId: random.uuid() }))
  expect((await toWithdraw(now)).map(({ id }) => id)).toEqual([condemned])
  expect((await toWithdraw()).map(({ id }) => id).toSorted()).toEqual([retired, condemned].toSorted())
  for (const key of await toWithdraw()) {
    expect(await within((db) => withdrawSigningKey(db, key, now))).toBe(true)
    expect(await within((db) => withdrawSigningKey(db, key, now))).toBe(false)
  }
  expect(await toWithdraw()).toEqual([])
  const rows = await within((db) => listSigningKeys(db, company.tenantId))
  for (const id of [retired, condemned])
    expect(rows.find((key) => key.id === id)).toMatchObject({ withdrawnAt: now, sealedPrivateKey: Buffer.of() })
  const loaded = await loadConfigurationAcrossTenants(fixture.database, company.slug)
  expect(loaded?.signingKeys.map(({ id }) => id)).not.toContain(retired)
})

it('what is to be withdrawn is read in pages, in the order of tenants and keys', async () => {
  for (const purpose of ['tokens', 'tokens', 'notices'] as const) await rotate(purpose)
  const all = await toWithdraw()
  expect(all.length).toBeGreaterThanOrEqual(3)
  const page = (after: RetiredKey | undefined) =>
    acrossTenants(fixture.database, (db) => listKeysToWithdrawAcrossTenants(db, later, { after, limit: 1 }))
  const read: string[] = []
  for (let [next] = await page(undefined); next !== undefined; [next] = await page(next)) read.push(next.id)
  expect(read.filter((id) => all.some((key) => key.id === id))).toEqual(all.map(({ id }) => id))
})

it('no key that signs or waits can be withdrawn, and none of another tenant', async () => {
  const other = company
  const [active] = await keysOf('tokens', 'active')
  const [next] = await keysOf('tokens', 'next')
  for (const key of [active, next])
    expect(await within((db) => withdrawSigningKey(db, { tenantId: company.tenantId, id: key?.id ?? '' }, now))).toBe(false)
  await rotate('tokens')
  company = await aTenant(fixture, { slug: `company-${++count}-other` })
  expect(await within((db) => withdrawSigningKey(db, { tenantId: other.tenantId, id: active?.id ?? '' }, now))).toBe(false)
  count -= 1
})

it('a key for SAML that is retired stays: it opens what an IdP still encrypts to it', async () => {
  const key = await change().makeKey('tokens', 'active', 'ES256')
  const saml = { ...key, purpose: 'saml' as const, certificate: 'pem' }
  await within((db) => insertSigningKey(db, company.tenantId, saml))
  await asOwner(fixture.ownerUrl, `UPDATE signing_keys SET state = 'retired', retired_at = now() WHERE id = $1`, [key.id])
  expect(await toWithdraw()).toEqual([])
  expect(await within((db) => withdrawSigningKey(db, { tenantId: company.tenantId, id: key.id }, now))).toBe(false)
})

it('what was destroyed needs no master key: it is neither sealed anew nor counted nor taken for a sample', async () => {
  const [active] = await keysOf('tokens', 'active')
  await rotate('tokens')
  const column = { table: 'signing_keys', column: 'sealed_private_key' } as const
  const sealed = async () =>
    (await listSealedBeforeVersionAcrossTenants(fixture.database, column, { version: 2, after: undefined, limit: 1000 })).map(
      ({ id }) => id,
    )
  const counted = async () =>
    (await findOlderKeyUsesAcrossTenants(fixture.database, 2, now)).find(({ what }) => what === 'signing_keys')?.count
  const [before, countedBefore] = [await sealed(), await counted()]
  expect(before).toContain(active?.id)
  await within((db) => withdrawSigningKey(db, { tenantId: company.tenantId, id: active?.id ?? '' }, now))
  expect(await sealed()).toEqual(before.filter((id) => id !== active?.id))
  expect(await counted()).toBe((countedBefore ?? 0) - 1)
  for (const { sealed: octets } of await listSealedSamplesAcrossTenants(fixture.database)) expect(octets.byteLength).toBeGreaterThan(0)
})

test('the schema knows the four algorithms, and no withdrawn key that could sign', async () => {
  const refused = { code: '23514' }
  await expect(
    asOwner(fixture.ownerUrl, `UPDATE tenants SET token_algorithm = 'HS256' WHERE id = $1`, [company.tenantId]),
  ).rejects.toMatchObject(refused)
  await expect(
    asOwner(fixture.ownerUrl, `UPDATE signing_keys SET withdrawn_at = now() WHERE tenant_id = $1`, [company.tenantId]),
  ).rejects.toMatchObject(refused)
})
