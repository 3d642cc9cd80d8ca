/** A directory that asks too much is told to wait, in its own words; what takes access away has room whatever else it sends, and is not lost. */
import { addSeconds } from '@drawbridge/core/instant'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aScimBroker, type Directory, type ScimAnswer, type ScimBroker } from '../../test/a-directory.js'
import { rateLimits } from '../http/rate-limit.js'
import { scimLimitOf } from './limit.js'

const patched = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })

describe('what a request counts under', () => {
  const user = 'urn:ietf:params:scim:schemas:core:2.0:User'
  it.each([
    ['GET', '/Users', undefined, 'scim_read'],
    ['POST', '/Users/.search', {}, 'scim_read'],
    ['POST', '/.search', { filter: 'active eq false' }, 'scim_read'],
    ['POST', '/Users', { userName: 'ada', active: true }, 'scim_create'],
    ['POST', '/Users', { userName: 'ada', active: false }, 'scim_create_gone'],
    ['POST', '/Users', { userName: 'ada', urn: { Active: 'False' } }, 'scim_create_gone'],
    ['POST', '/Groups', { displayName: 'x', active: false }, 'scim_create_gone'],
    ['PUT', '/Users/1', { userName: 'ada', active: true }, 'scim_change'],
    ['PUT', '/Users/1', { userName: 'ada', active: false }, 'scim_removal'],
    ['PATCH', '/Users/1', patched({ op: 'replace', path: 'title', value: 'Engineer' }), 'scim_change'],
    ['PATCH', '/Users/1', patched({ op: 'Replace', path: 'active', value: 'False' }), 'scim_removal'],
    ['PATCH', '/Users/1', patched({ op: 'replace', value: { active: false } }), 'scim_removal'],
    ['PATCH', '/Users/1', patched({ op: 'replace', path: `${user}:active`, value: false }), 'scim_removal'],
    ['PATCH', '/Groups/1', patched({ op: 'add', path: 'members', value: [{ value: '1' }] }), 'scim_change'],
    ['DELETE', '/Users/1', undefined, 'scim_removal'],
    ['POST', '/Bulk', { Operations: [{ method: 'POST', path: '/Users', data: { userName: 'ada' } }] }, 'scim_change'],
    ['POST', '/Bulk', { Operations: [{ method: 'DELETE', path: '/Users/1' }] }, 'scim_removal'],
    [
      'POST',
      '/Bulk',
      { Operations: [{ method: 'PATCH', path: '/Users/1', data: patched({ op: 'replace', path: 'active', value: false }) }] },
      'scim_removal',
    ],
  ] as const)('%s %s %j: %s', (method, path, body, limit) => {
    const json = body === undefined ? ({ ok: false, error: 'json_malformed' } as const) : ({ ok: true, value: body } as const)
    expect(scimLimitOf({ method, path, json })).toBe(limit)
  })
})

describe('at the endpoints', () => {
  let broker: ScimBroker
  let fixture: TestDatabase
  let directory: Directory
  let callers = 0
  beforeAll(async () => {
    // A fiftieth of every limit, and a proxy that says who calls.
    broker = await aScimBroker({ rateLimitFactor: 0.02, trustedProxyHops: 1 })
    fixture = broker.fixture
  })
  afterAll(() => broker.close())
  beforeEach(async () => {
    wait(3600)
    directory = await broker.aDirectory()
  })
  const wait = (seconds: number): void => {
    broker.clock.at = addSeconds(broker.clock.at, seconds)
  }

  const ada = { schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: 'ada@acme.example', externalId: 'ada' }
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const elsewhere = () => from(`203.0.${(callers += 1) % 250}.${callers % 249}`)
  /** Until it is told to wait. Time stands still meanwhile, so that a bucket stays as it is. */
  async function flood(method: string, path: string, body: object | undefined, caller: () => Record<string, string>): Promise<ScimAnswer> {
    for (let sent = 0; sent < 500; sent += 1) {
      const answer = await directory.call(method, path, body, caller())
      if (answer.status === 429) return answer
    }
    throw new Error('it is never told to wait')
  }
  const gone = patched({ op: 'replace', path: 'active', value: false })
  const isGone = async (who = 'ada'): Promise<boolean> => {
    const said = 'SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND stable_id = $2'
    return (await asOwner<{ gone: boolean }>(fixture.ownerUrl, said, [directory.tenant.tenantId, who]))[0]?.gone === true
  }
  const create = async () => (await directory.call('POST', '/Users', ada, elsewhere())).body['id']

  it('one that asks too much is told in SCIM’s words when to come again, and is heard then; another one is heard at once', async () => {
    const refused = await flood('GET', '/Users?count=0', undefined, elsewhere)
    expect(refused.headers.get('content-type')).toBe('application/scim+json; charset=utf-8')
    expect(refused.body).toMatchObject({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '429' })
    expect((await (await broker.aDirectory()).call('GET', '/Users?count=0', undefined, elsewhere())).status).toBe(200)
    wait(Number(refused.headers.get('retry-after')))
    expect((await directory.call('GET', '/Users?count=0', undefined, elsewhere())).status).toBe(200)
  })

  it.each([
    { way: 'DELETE', method: 'DELETE', body: undefined },
    { way: 'active=false', method: 'PATCH', body: gone },
  ])('a flood of reads leaves room for $way, with the same token and from the same address', async ({ method, body }) => {
    const id = await create()
    await flood('GET', '/Users?count=0', undefined, elsewhere)
    await flood('GET', '/Users?count=0', undefined, () => from('203.0.113.7'))
    expect((await directory.call(method, `/Users/${id}`, body, from('203.0.113.7'))).status).toBeLessThan(300)
    expect(await isGone()).toBe(true)
  })

  it('a flood of newcomers and of other changes leaves room, too', async () => {
    const id = await create()
    await flood('POST', '/Users', {}, elsewhere)
    await flood('PATCH', '/Users/none', patched({ op: 'replace', path: 'title', value: 'x' }), elsewhere)
    expect((await directory.call('PATCH', `/Users/${id}`, gone, elsewhere())).status).toBe(200)
    expect(await isGone()).toBe(true)
  })

  it('whoever is created as gone is taken away although newcomers have no room, and a flood of such leaves room for every other goodbye', async () => {
    const id = await create()
    await flood('POST', '/Users', {}, elsewhere)
    await flood('GET', '/Users?count=0', undefined, () => from('203.0.113.8'))
    const signedIn = `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
      VALUES ($1, gen_random_uuid(), $2, 'eve', '{}', now(), now(), now())`
    await asOwner(fixture.ownerUrl, signedIn, [directory.tenant.tenantId, directory.tenant.connectionId])
    const eve = { ...ada, userName: 'eve@acme.example', externalId: 'eve', active: false }
    expect((await directory.call('POST', '/Users', eve, from('203.0.113.8'))).status).toBe(201)
    expect(await isGone('eve')).toBe(true)
    await flood('POST', '/Users', { active: false }, elsewhere)
    await flood('POST', '/Users', { active: false }, () => from('203.0.113.8'))
    expect((await directory.call('PATCH', `/Users/${id}`, gone, from('203.0.113.8'))).status).toBe(200)
    expect(await isGone()).toBe(true)
  })

  it('a stranger who floods from the address of a directory keeps nobody out who has proven himself there, and whoever has not must wait', async () => {
    const id = await create()
    const shared = from('203.0.113.9')
    expect((await directory.call('GET', '/Users?count=0', undefined, shared)).status).toBe(200)
    const other = await broker.aDirectory()
    const stranger = { ...shared, authorization: 'Bearer dbs_of_nobody_at_all_whatsoever' }
    for (const [method, path] of [
      ['GET', '/Users?count=0'],
      ['DELETE', '/Users/none'],
      ['POST', '/Users'],
    ] as const)
      await flood(method, path, method === 'POST' ? {} : undefined, () => stranger)
    expect((await directory.call('GET', `/Users/${id}`, undefined, shared)).status).toBe(200)
    expect((await directory.call('GET', '/Schemas', undefined, shared)).status).toBe(200)
    expect((await directory.call('PATCH', `/Users/${id}`, gone, shared)).status).toBe(200)
    expect(await isGone()).toBe(true)
    // Whom nobody remembers must come from elsewhere first, or later.
    expect((await other.call('GET', '/Users?count=0', undefined, shared)).status).toBe(429)
    expect((await other.call('GET', '/Users?count=0', undefined, elsewhere())).status).toBe(200)
    expect((await other.call('GET', '/Users?count=0', undefined, shared)).status).toBe(200)
  })

  it('one that asks beyond everything that its token may do is told so before its body is read; a body of anybody else is', async () => {
    const tooLarge = { ...ada, title: 'x'.repeat(9_000_000) }
    expect((await directory.call('POST', '/Users', tooLarge, elsewhere())).status).toBe(413)
    // The first one counts for its address.
    for (let sent = 0; sent <= rateLimits.scim_proven.burst * 0.02; sent += 1)
      await directory.call('GET', '/Users?count=0', undefined, elsewhere())
    const refused = await directory.call('POST', '/Users', tooLarge, elsewhere())
    expect([refused.status, refused.body['scimType'] ?? refused.headers.get('content-type')]).toEqual([
      429,
      'application/scim+json; charset=utf-8',
    ])
    const other = await broker.aDirectory()
    expect((await other.call('GET', '/Users?count=0', undefined, elsewhere())).status).toBe(200)
    wait(Number(refused.headers.get('retry-after')))
    expect((await directory.call('GET', '/Users?count=0', undefined, elsewhere())).status).toBe(200)
  })

  it('one whose token has become nothing counts for its address from its first refusal on', async () => {
    const shared = from('203.0.113.10')
    expect((await directory.call('GET', '/Schemas', undefined, shared)).status).toBe(200)
    await asOwner(fixture.ownerUrl, 'UPDATE scim_tokens SET revoked_at = now() WHERE tenant_id = $1', [directory.tenant.tenantId])
    expect((await directory.call('GET', '/Schemas', undefined, shared)).status).toBe(401)
    await flood('GET', '/Schemas', undefined, () => shared)
    expect((await directory.call('GET', '/Schemas', undefined, elsewhere())).status).toBe(401)
  })

  it('a goodbye that is told to wait takes nothing, and everything when it comes again', async () => {
    const id = await create()
    const refused = await flood('PATCH', '/Users/none', gone, elsewhere)
    expect((await directory.call('PATCH', `/Users/${id}`, gone, elsewhere())).status).toBe(429)
    expect(await isGone()).toBe(false)
    wait(Number(refused.headers.get('retry-after')))
    expect((await directory.call('PATCH', `/Users/${id}`, gone, elsewhere())).status).toBe(200)
    expect(await isGone()).toBe(true)
  })
})
