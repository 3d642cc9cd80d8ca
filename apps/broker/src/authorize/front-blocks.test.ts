/** The vendor and a company each shut out a client of the front by a word of their own, and each lifts that one alone: whoever came first, and however it was said. */
import { readFileSync } from 'node:fs'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontWorld, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
/** Each said at a time of its own, or at the same one. */
beforeEach(() => {
  now = addSeconds(now, 60)
})

let made = 0
/** One of the vendor's, which people of both companies use. */
async function aClient({ usedAt = ['acme', 'globex'] as readonly ('acme' | 'globex')[] } = {}): Promise<string> {
  made += 1
  const clientId = `shut-${made}`
  const client = { clientId, name: 'Shut', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  expect((await world.call('POST', '/front-issuer/clients', client)).status).toBe(201)
  for (const slug of usedAt) await world.signIn(`front for ${slug}`, { client_id: clientId })
  return clientId
}

type Who = 'vendor' | 'acme' | 'globex'
const pathOf = (who: Who, id: string): string => (who === 'vendor' ? `/front-issuer/clients/${id}` : `/tenants/${who}/front-clients/${id}`)
const say = (who: Who, id: string, blocked: boolean) => world.call('PATCH', pathOf(who, id), { blocked })
const kill = (who: Who, id: string) =>
  world.call('POST', who === 'vendor' ? `/front-issuer/clients/${id}/kill` : `/tenants/${who}/clients/${id}/kill`, { reason: 'a test' })
const byWhom = async (who: Who, id: string) => {
  const { blockedAt, blockedBy } = (await world.call('GET', pathOf(who, id))).body as unknown as { blockedAt: unknown; blockedBy: string[] }
  expect(blockedAt === null).toBe(blockedBy.length === 0)
  return blockedBy
}
const atAll = async (id: string) => [await byWhom('vendor', id), await byWhom('acme', id), await byWhom('globex', id)]

/** As brokers of before wrote it: they know one mark. */
const writtenByAnOlderBroker = (slug: string, id: string, blockedAt: string) =>
  rowsOf(
    world,
    `UPDATE clients c SET blocked_at = ${blockedAt} FROM tenants t, issuers i
     WHERE t.id = c.tenant_id AND i.tenant_id = t.id AND i.id = c.issuer_id AND i.kind = 'front_member' AND t.slug = $1 AND c.client_id = $2`,
    [slug, id],
  )

describe.each([
  { what: 'kills', shut: kill },
  { what: 'blocks', shut: (who: Who, id: string) => say(who, id, true) },
])('whom a company $what', ({ shut }) => {
  it.each([
    { when: 'after the vendor did', order: ['vendor', 'acme'] },
    { when: 'before the vendor did', order: ['acme', 'vendor'] },
  ] as const)('$when, the vendor’s lifting leaves shut there', async ({ order: [first, then] }) => {
    const id = await aClient()
    expect((await shut(first, id)).status).toBe(200)
    now = addSeconds(now, 5)
    expect((await shut(then, id)).status).toBe(200)
    expect(await atAll(id)).toEqual([['vendor'], ['vendor', 'tenant'], ['vendor']])
    expect((await say('vendor', id, false)).body).toMatchObject({ blockedAt: null, blockedBy: [] })
    expect(await atAll(id)).toEqual([[], ['tenant'], []])
    await expect(world.signIn('front for acme', { client_id: id })).rejects.toThrow('client_blocked')
    await world.signIn('front for globex', { client_id: id })
    expect((await say('acme', id, false)).body).toMatchObject({ blockedAt: null, blockedBy: [] })
    await world.signIn('front for acme', { client_id: id })
  })
})

it('whom the vendor kills no company lets in, though it says so, and is told that it is the vendor who shut it', async () => {
  const id = await aClient()
  await kill('vendor', id)
  for (const blocked of [false, true, false])
    expect((await say('acme', id, blocked)).body).toMatchObject({
      blockedAt: expect.any(String),
      blockedBy: blocked ? ['vendor', 'tenant'] : ['vendor'],
    })
  await expect(world.signIn('front for acme', { client_id: id })).rejects.toThrow('client_blocked')
  await say('vendor', id, false)
  await world.signIn('front for acme', { client_id: id })
})

it('whom a company killed at its own issuer before it met it at the front the vendor does not let in there', async () => {
  const id = await aClient({ usedAt: [] })
  const client = { clientId: id, name: 'Own', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  expect((await world.call('POST', '/tenants/acme/clients', client)).status).toBe(201)
  await kill('acme', id)
  await expect(world.signIn('front for acme', { client_id: id })).rejects.toThrow('client_blocked')
  await kill('vendor', id)
  await say('vendor', id, false)
  expect(await byWhom('acme', id)).toEqual(['tenant'])
})

it('what a broker of before writes is the company’s own word: it adds to the vendor’s, and takes nothing from it', async () => {
  const id = await aClient()
  await writtenByAnOlderBroker('acme', id, 'now()')
  expect(await byWhom('acme', id)).toEqual(['tenant'])
  await kill('vendor', id)
  await writtenByAnOlderBroker('globex', id, 'NULL')
  expect(await atAll(id)).toEqual([['vendor'], ['vendor', 'tenant'], ['vendor']])
  await writtenByAnOlderBroker('acme', id, 'NULL')
  expect(await byWhom('acme', id)).toEqual(['vendor'])
})

it('a client that is limited otherwise, approved or corrected meanwhile stays as shut as it was', async () => {
  const id = await aClient()
  await kill('acme', id)
  await kill('vendor', id)
  await world.call('PATCH', pathOf('acme', id), { scopeCeiling: ['read'], preApproved: true })
  await world.call('PATCH', pathOf('vendor', id), { scopeCeiling: ['read'] })
  await world.call('PATCH', `${pathOf('vendor', id)}/registration`, { name: 'Named' })
  expect(await atAll(id)).toEqual([['vendor'], ['vendor', 'tenant'], ['vendor']])
  await say('vendor', id, false)
  expect(await atAll(id)).toEqual([[], ['tenant'], []])
})

describe('of whoever was shut before this was kept', () => {
  const migration = readFileSync(
    new URL('../../../../prisma/migrations/0162_each_lifts_her_own_block/migration.sql', import.meta.url),
    'utf8',
  )
  /** Runs it where the copies hold one mark alone, which is `at` for each. */
  const migrate = async (at: string, ids: readonly string[]) => {
    const asBefore = `UPDATE clients SET own_blocked_at = NULL, blocked_at_front = NULL${at} WHERE client_id IN (${ids.map((id) => `'${id}'`).join()}) AND tenant_id <> '00000000-0000-0000-0000-000000000000'`
    const switchTo = (how: string) => `ALTER TABLE clients ${how} TRIGGER front_client_bound`
    await rowsOf(world, `BEGIN; ${switchTo('DISABLE')}; ${asBefore}; ${switchTo('ENABLE')}; COMMIT`)
    await rowsOf(world, `BEGIN; ${migration} COMMIT`)
  }
  const vendorsMark = (id: string) =>
    `(SELECT v.blocked_at FROM clients v WHERE v.client_id = '${id}' AND v.tenant_id = '00000000-0000-0000-0000-000000000000')`

  it('a company that said so itself keeps it shut, by its trail or by a mark that is not the vendor’s', async () => {
    const [both, alone] = [await aClient(), await aClient()]
    await kill('vendor', both)
    now = addSeconds(now, 5)
    await kill('acme', both)
    await say('globex', alone, true)
    await migrate('', [both, alone])
    expect(await atAll(both)).toEqual([['vendor'], ['vendor', 'tenant'], ['vendor']])
    expect(await atAll(alone)).toEqual([[], [], ['tenant']])
  })

  it('one that a company had opened although the vendor shut it is shut again', async () => {
    const id = await aClient()
    await kill('vendor', id)
    await migrate(', blocked_at = NULL', [id])
    expect(await atAll(id)).toEqual([['vendor'], ['vendor'], ['vendor']])
  })

  it('where the trail does not go back so far, whoever is shut stays so', async () => {
    const id = await aClient()
    await rowsOf(
      world,
      `UPDATE clients SET blocked_at = '2001-01-01' WHERE client_id = '${id}' AND tenant_id = '00000000-0000-0000-0000-000000000000'`,
    )
    await migrate(`, blocked_at = ${vendorsMark(id)}`, [id])
    expect(await atAll(id)).toEqual([['vendor'], ['vendor', 'tenant'], ['vendor', 'tenant']])
  })
})
