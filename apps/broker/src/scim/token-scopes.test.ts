/** What a token may do whose scope is smaller than everything, and what becomes of what it may not. */
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aScimBroker, type Directory, directoryOf, type ScimBroker } from '../../test/a-directory.js'
import { rateLimits } from '../http/rate-limit.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const ada = { userName: 'ada@acme.example', externalId: 'ada' }
const patchOf = (...Operations: object[]) => ({ Operations })
// `scim_scope_exceeded`
const exceeded = (needs: string) => ({ status: 403, body: { status: '403', detail: expect.stringContaining(`it needs ${needs}`) } })

/** A directory with another token of the same connection. */
async function aPair(scope: 'scim:read' | 'scim:users') {
  const whole = await broker.aDirectory()
  const narrow = await directoryOf(broker.fixture, broker.origin, whole.tenant, broker.clock.at, scope)
  const user = (await whole.call('POST', '/Users', ada)).body['id'] as string
  const group = (await whole.call('POST', '/Groups', { displayName: 'Staff', members: [{ value: user }] })).body['id'] as string
  return { whole, narrow, user, group }
}
const trailOf = (directory: Directory) =>
  asOwner<{ detail: Record<string, unknown> }>(
    broker.fixture.ownerUrl,
    "SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'scim_token.exceeded' ORDER BY id",
    [directory.tenant.tenantId],
  ).then((rows) => rows.map(({ detail }) => detail))
const isActive = async ({ whole, user }: { whole: Directory; user: string }) => (await whole.call('GET', `/Users/${user}`)).body['active']

test('a token that reads finds people and groups, in each way in which they are looked for, and what the endpoints say of themselves', async () => {
  const { narrow, user, group } = await aPair('scim:read')
  const asked: readonly (readonly [string, string, object?])[] = [
    ['GET', `/Users/${user}`],
    ['GET', '/Users?filter=userName%20eq%20%22ada@acme.example%22'],
    ['GET', `/Groups/${group}`],
    ['POST', '/Users/.search', {}],
    ['POST', '/Groups/.search', {}],
    ['POST', '/.search', {}],
    ['GET', '/ServiceProviderConfig'],
    ['GET', '/Schemas'],
    ['GET', '/ResourceTypes'],
  ]
  for (const [method, path, body] of asked) expect([path, (await narrow.call(method, path, body)).status]).toEqual([path, 200])
  expect((await narrow.call('GET', '/Me')).status).toBe(501)
  expect(await trailOf(narrow)).toEqual([])
})

test('it changes nobody, takes nobody’s access, and each refusal says which scope is needed and is in the trail', async () => {
  const pair = await aPair('scim:read')
  const { narrow, user, group } = pair
  const asked: readonly (readonly [string, string, object?])[] = [
    ['POST', '/Users', { userName: 'eve' }],
    ['PATCH', `/Users/${user}`, patchOf({ op: 'replace', path: 'active', value: false })],
    ['PUT', `/Users/${user}`, { ...ada, title: 'Countess' }],
    ['DELETE', `/Users/${user}`],
    ['DELETE', `/Groups/${group}`],
  ]
  for (const [method, path, body] of asked)
    expect(await narrow.call(method, path, body)).toMatchObject(exceeded(path.startsWith('/Users') ? 'scim:users' : 'scim'))
  const refused = await narrow.call('DELETE', `/Users/${user}`)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="scim", error="insufficient_scope"')
  expect(await isActive(pair)).toBe(true)
  const common = { token: narrow.tokenId, needs: 'scim:users', resource: 'User' }
  expect(await trailOf(narrow)).toEqual([
    { ...common, method: 'POST', takesAway: false },
    { ...common, method: 'PATCH', id: user, takesAway: true },
    { ...common, method: 'PUT', id: user, takesAway: false },
    { ...common, method: 'DELETE', id: user, takesAway: true },
    { ...common, needs: 'scim', resource: 'Group', method: 'DELETE', id: group, takesAway: true },
    { ...common, method: 'DELETE', id: user, takesAway: true },
  ])
})

test('a token for people makes them, changes them and takes their access, and puts nobody into a group', async () => {
  const pair = await aPair('scim:users')
  const { narrow, whole, user, group } = pair
  const eve = (await narrow.call('POST', '/Users', { userName: 'eve' })).body['id'] as string
  expect((await narrow.call('PATCH', `/Users/${user}`, patchOf({ op: 'replace', path: 'active', value: false }))).status).toBe(200)
  expect(await isActive(pair)).toBe(false)
  const add = patchOf({ op: 'add', path: 'members', value: [{ value: eve }] })
  expect(await narrow.call('PATCH', `/Groups/${group}`, add)).toMatchObject(exceeded('scim'))
  expect(await narrow.call('POST', '/Groups', { displayName: 'Admins', members: [{ value: eve }] })).toMatchObject(exceeded('scim'))
  expect((await whole.call('GET', `/Groups/${group}`)).body['members']).toMatchObject([{ value: user }])
  expect((await trailOf(narrow)).map(({ method, takesAway }) => [method, takesAway])).toEqual([
    ['PATCH', true],
    ['POST', false],
  ])
})

test('a refused removal takes nothing, not even what a request that is refused for something else takes', async () => {
  const pair = await aPair('scim:read')
  const { narrow, whole, user, group } = pair
  // Refused for a name that is not there, too: with a token that may, her access ends all the same (`changeOne`).
  const put = { userName: '', active: false }
  expect(await narrow.call('PUT', `/Users/${user}`, put)).toMatchObject(exceeded('scim:users'))
  const out = patchOf({ op: 'remove', path: 'members' }, { op: 'replace', path: 'displayName', value: 7 })
  expect(await narrow.call('PATCH', `/Groups/${group}`, out)).toMatchObject(exceeded('scim'))
  const kinds = await asOwner<{ kind: string }>(broker.fixture.ownerUrl, 'SELECT DISTINCT kind FROM audit_events WHERE tenant_id = $1', [
    whole.tenant.tenantId,
  ])
  expect(kinds.map(({ kind }) => kind)).not.toContain('scim_group.members_withheld')
  expect(await isActive(pair)).toBe(true)
})

test('in Bulk each operation is judged by itself, by a path in whatever shape', async () => {
  const pair = await aPair('scim:users')
  const { narrow, whole, user, group } = pair
  const Operations = [
    { method: 'DELETE', path: `/Groups/${group}` },
    { method: 'POST', path: '/Groups', bulkId: 'g', data: { displayName: 'Admins' } },
    { method: 'PATCH', path: `/Groups/bulkId:g`, data: patchOf({ op: 'replace', path: 'displayName', value: 'x' }) },
    { method: 'PUT', path: `/Groups/${group}`, data: { displayName: 'Staff', members: [{ value: 'bulkId:nobody' }] } },
    { method: 'PATCH', path: `/Users/${user}`, data: patchOf({ op: 'replace', path: 'active', value: false }) },
  ]
  const answer = await narrow.call('POST', '/Bulk', { Operations })
  expect((answer.body['Operations'] as { status: string }[]).map(({ status }) => status)).toEqual(['403', '403', '403', '403', '200'])
  expect((await whole.call('GET', `/Groups/${group}`)).status).toBe(200)
  expect(await isActive(pair)).toBe(false)
  expect((await trailOf(narrow)).map(({ method }) => method)).toEqual(['DELETE', 'POST', 'PATCH', 'PUT'])
  const kinds = await asOwner(
    broker.fixture.ownerUrl,
    "SELECT id FROM audit_events WHERE tenant_id = $1 AND kind = 'scim_group.members_withheld'",
    [whole.tenant.tenantId],
  )
  expect(kinds).toEqual([])
})

test('a token that was made before there were scopes may do everything', async () => {
  const { whole, narrow, group } = await aPair('scim:users')
  await asOwner(broker.fixture.ownerUrl, 'UPDATE scim_tokens SET scope = DEFAULT WHERE tenant_id = $1', [whole.tenant.tenantId])
  expect((await narrow.call('DELETE', `/Groups/${group}`)).status).toBe(204)
})

test('the trail has room for so many refusals of one token, and beyond that each is refused all the same', async () => {
  const factor = 0.02
  const slow = await aScimBroker({ rateLimitFactor: factor })
  try {
    const whole = await slow.aDirectory()
    const narrow = await directoryOf(slow.fixture, slow.origin, whole.tenant, slow.clock.at, 'scim:read')
    const room = rateLimits.scim_exceeded.burst * factor
    for (let n = 0; n < room + 3; n += 1) expect((await narrow.call('DELETE', '/Users/somebody')).status).toBe(403)
    const kept = "SELECT id FROM audit_events WHERE tenant_id = $1 AND kind = 'scim_token.exceeded'"
    expect(await asOwner(slow.fixture.ownerUrl, kept, [whole.tenant.tenantId])).toHaveLength(room)
  } finally {
    await slow.close()
  }
})
