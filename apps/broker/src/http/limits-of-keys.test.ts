/**
 * What is asked with the keys that a vendor or a company gives out: of the admin API each key is counted, and those of one company together; of a directory each of
 * its tokens, by what it does, and those of one company together. Whoever has used up one of them is refused with Retry-After, and nobody else is.
 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { hashCredential } from '@drawbridge/crypto/hash'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { directoryOf } from '../../test/a-directory.js'
import { aLimitedBroker, type Limited, type Spent } from '../../test/a-limited-broker.js'
import { brokerEndpoints } from '../app.js'
import { type RateLimitName, rateLimits } from './rate-limit.js'

let now: Instant = instant(Date.UTC(2026, 10, 29))
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let limited: Limited
/** Keys of the admin API, by whose they are; tokens of directories, by their connection. */
const keys = {} as Record<'vendor' | 'vendor too' | 'acme' | 'acme too' | 'globex', string>
const tokens = {} as Record<'acme' | 'acme too' | 'globex', string>

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
  keys.vendor = broker.adminKey
  const front = { method: 'POST', headers: { authorization: `Bearer ${keys.vendor}` } }
  expect((await fetch(`${broker.url}/admin/v1/front-issuer`, front)).status).toBe(201)
  for (const name of ['vendor too', 'acme', 'acme too', 'globex'] as const) keys[name] = await aKey(name)
  for (const [name, tenant] of Object.entries({ acme, 'acme too': acme, globex }))
    tokens[name as keyof typeof tokens] = (await directoryOf(fixture, broker.url, tenant, now)).token
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 1000)
  limited = await aLimitedBroker(broker.deps)
})
afterEach(() => limited.close())

async function aKey(name: string): Promise<string> {
  const tenant = name.startsWith('vendor') ? {} : { tenant: name.split(' ')[0] }
  const answer = await fetch(`${broker.url}/admin/v1/admin-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.vendor}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name, ...tenant, permissions: ['configuration:read'], expiresAt: '2099-01-01T00:00:00Z' }),
  })
  expect(answer.status).toBe(201)
  const { secret } = (await answer.json()) as { readonly secret: string }
  return secret
}

let addresses = 0
/** Whoever asks comes from an address of his own. */
async function ask(credential: string, path: string, method = 'GET') {
  const headers = { authorization: `Bearer ${credential}`, 'x-forwarded-for': `198.51.100.${(addresses += 1) & 255}` }
  const { status, headers: answered } = await fetch(`${limited.url}${path}`, { method, headers })
  return { status, retryAfter: Number(answered.get('retry-after')) }
}
const refused = { status: 429, retryAfter: expect.any(Number) }
const spentBy = async (credential: string, path: string, method = 'GET'): Promise<readonly Spent[]> => {
  limited.spent.length = 0
  await ask(credential, path, method)
  return [...limited.spent]
}
const namesOf = (spent: readonly Spent[]): readonly RateLimitName[] => spent.map(({ name }) => name)
const useUp = (spent: readonly Spent[], name: RateLimitName): void => {
  const found = spent.find((each) => each.name === name)
  if (found === undefined) throw new Error(`nothing was spent of ${name}`)
  limited.useUp(found)
}

describe('the admin API', () => {
  const path = '/admin/v1/tenants/acme/clients'

  it('counts a key of the vendor, which leaves another one, and keys of companies, alone', async () => {
    const spent = await spentBy(keys.vendor, path)
    expect(namesOf(spent)).toEqual(['address', 'admin_key'])
    useUp(spent, 'admin_key')
    const answered = await ask(keys.vendor, path)
    expect(answered).toEqual(refused)
    expect(answered.retryAfter).toBeGreaterThan(0)
    for (const other of [keys['vendor too'], keys.acme]) expect((await ask(other, path)).status).toBe(200)
  })

  it('counts a key of a company, and all of that company together, and neither the vendor’s nor another company’s by that', async () => {
    const spent = await spentBy(keys.acme, path)
    expect(namesOf(spent)).toEqual(['address', 'admin_key', 'admin_tenant'])
    useUp(spent, 'admin_key')
    expect(await ask(keys.acme, path)).toEqual(refused)
    expect((await ask(keys['acme too'], path)).status).toBe(200)
    useUp(spent, 'admin_tenant')
    expect(await ask(keys['acme too'], path)).toEqual(refused)
    expect((await ask(keys.vendor, path)).status).toBe(200)
    expect((await ask(keys.globex, '/admin/v1/tenants/globex/clients')).status).toBe(200)
  })

  it('counts nothing for whoever has no key: he is counted by his address', async () => {
    for (const key of ['x', `dba_${'A'.repeat(43)}`]) expect(namesOf(await spentBy(key, path))).toEqual(['address'])
  })

  it('counts a key wherever it is used, also where it may do nothing', async () => {
    useUp(await spentBy(keys.globex, path), 'admin_key')
    const endpoints = brokerEndpoints.filter(
      (each) => each.path.startsWith('/admin/v1/') && each.permission?.startsWith('set-up link') !== true,
    )
    const answers = await Promise.all(
      endpoints.map(async (each) => {
        const answered = await ask(keys.globex, each.path.replace(':tenant', 'globex').replace(/:[a-zA-Z]+/g, 'x'), each.method)
        return { endpoint: `${each.method} ${each.path}`, status: answered.status }
      }),
    )
    expect(answers.length).toBeGreaterThan(150)
    expect(answers.filter(({ status }) => status !== 429)).toEqual([])
  })
})

it.each(['read', 'create', 'create_gone', 'change', 'removal'] as const)(
  'one token has used up its own limit of %s long before that of its company',
  (what) => {
    const [own, all] = [rateLimits[`scim_${what}`], rateLimits[`scim_${what}_tenant`]]
    expect([all.perSecond >= 4 * own.perSecond, all.burst >= 4 * own.burst]).toEqual([true, true])
  },
)

describe('a directory', () => {
  const users = '/t/acme/scim/v2/Users'
  const rows: readonly (readonly [method: string, path: string, ofAddress: RateLimitName, ofToken: RateLimitName])[] = [
    ['GET', users, 'address', 'scim_read'],
    ['POST', users, 'scim_create_address', 'scim_create'],
    ['PUT', `${users}/x`, 'scim_address', 'scim_change'],
    ['PATCH', `${users}/x`, 'scim_address', 'scim_change'],
    ['DELETE', `${users}/x`, 'scim_address', 'scim_removal'],
    ['POST', '/t/acme/scim/v2/Bulk', 'scim_address', 'scim_change'],
  ]
  it.each(rows)(
    '%s %s counts the address of one whom nobody knows, each token for itself, and all of one company',
    async (method, path, ofAddress, ofToken) => {
      expect(namesOf(await spentBy('x'.repeat(40), path, method))).toEqual([ofAddress])
      await ask(tokens.acme, path, method)
      // Known from now on, he counts for himself alone.
      const spent = await spentBy(tokens.acme, path, method)
      expect(namesOf(spent)).toEqual(['scim_proven', ofToken, `${ofToken}_tenant`])
      for (const name of [ofToken, 'scim_proven'] as const) {
        useUp(spent, name)
        const answered = await ask(tokens.acme, path, method)
        expect([name, answered]).toEqual([name, refused])
        expect(answered.retryAfter).toBeGreaterThan(0)
        expect((await ask(tokens['acme too'], path, method)).status).not.toBe(429)
        expect((await ask(tokens.globex, path.replace('acme', 'globex'), method)).status).not.toBe(429)
      }
      useUp(spent, `${ofToken}_tenant` as RateLimitName)
      const answered = await ask(tokens['acme too'], path, method)
      expect(answered).toEqual(refused)
      expect(answered.retryAfter).toBeGreaterThan(0)
      const [otherMethod, otherPath] = ofToken === 'scim_removal' ? ['GET', users] : ['DELETE', `${users}/x`]
      expect((await ask(tokens['acme too'], otherPath, otherMethod)).status).not.toBe(429)
      expect((await ask(tokens.globex, path.replace('acme', 'globex'), method)).status).not.toBe(429)
    },
  )

  it('whose token only reads spends nothing of what its company may change', async () => {
    const { token } = await directoryOf(fixture, broker.url, acme, now)
    await asOwner(fixture.ownerUrl, "UPDATE scim_tokens SET scope = 'scim:read' WHERE secret_hash = $1", [hashCredential(token)])
    await ask(token, users)
    for (const [method, path, , ofToken] of rows) {
      const spent = namesOf(await spentBy(token, path, method))
      expect([ofToken, spent.includes(ofToken), spent.includes(`${ofToken}_tenant` as RateLimitName)]).toEqual([
        ...[ofToken, true, ofToken === 'scim_read'],
      ])
    }
  })
})
