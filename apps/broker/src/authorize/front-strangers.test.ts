/** A stranger who registers clients at the front, without anybody signing in: what it costs the tenants, which is next to nothing. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { everyWay, registrationLimits } from '@drawbridge/core/oauth/client-registration'
import { type DeprovisioningEventId, type IssuerId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { hasRoomForCopy } from '@drawbridge/store/front-clients'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aFrontUrl, aFrontWorld, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

let now: Instant = instant(Date.now())
let world: FrontWorld
/** With the limits of a production, and by as many addresses as are named. */
let strict: TestBroker
beforeAll(async () => {
  world = await aFrontWorld(() => now)
  const settings = readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' })
  strict = await aBroker(world.fixture.database, { clock: { now: () => now }, connectorFor: world.idp.connectorFor, settings })
})
afterAll(async () => {
  await strict?.close()
  await world?.close()
})
beforeEach(() => {
  now = addSeconds(now, 60)
})

const callback = 'https://client.example/callback'
const metadata = { client_name: 'A', redirect_uris: [callback], token_endpoint_auth_method: 'none' }
type Registered = Readonly<Record<string, string>> & { readonly client_id: string; readonly registration_access_token: string }

async function send(method: string, path: string, body?: object, token?: string) {
  const headers = { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const answer = await fetch(`${world.broker.url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Registered }
}
const register = async () => (await send('POST', '/register', metadata)).body
async function replace(client: Registered, uri: string): Promise<Registered> {
  const said = { ...metadata, client_id: client.client_id, redirect_uris: [callback, uri] }
  const { status, body } = await send('PUT', `/register/${client.client_id}`, said, client.registration_access_token)
  expect(status).toBe(200)
  return body
}
const authorize = (client: Pick<Registered, 'client_id'>, company: string, { url } = world.broker, address = '203.0.113.1') =>
  fetch(world.authorizeUrl('front for acme', { client_id: client.client_id, login_hint: company }).replace(aFrontUrl, url), {
    redirect: 'manual',
    headers: { 'x-forwarded-for': address },
  })
/** By tenant: how often its copy was ended, and what anybody was told of that. */
const toldOf = async ({ client_id: id }: Registered) => {
  const of = (table: string, condition: string) => `(SELECT count(*)::int FROM ${table} r WHERE r.tenant_id = t.id AND ${condition})`
  return rowsOf<{ slug: string; epoch: number | null; events: number; trail: number; jobs: number }>(
    world,
    `SELECT t.slug, (SELECT c.epoch FROM clients c WHERE c.tenant_id = t.id AND c.client_id = $1) AS epoch,
       ${of('deprovisioning_events', 'r.target_id = $1')} AS events, ${of('audit_events', "r.client_id = $1 AND r.kind = 'client.deprovisioned'")} AS trail,
       ${of('outbox', "r.kind = 'revoke' AND r.payload ->> 'targetId' = $1")} AS jobs
     FROM tenants t WHERE t.slug IN ('acme', 'globex', 'vendor') ORDER BY t.slug`,
    [id],
  )
}
const nothing = { events: 0, trail: 0, jobs: 0 }
const once = { events: 1, trail: 1, jobs: 1 }

describe('a registration that is replaced again and again', () => {
  it('raises the barrier at every tenant that has a copy, and tells nobody where nobody has granted it anything', async () => {
    let client = await register()
    for (const company of ['acme', 'globex']) expect((await authorize(client, company)).status).toBe(303)
    for (const n of [1, 2, 3]) client = await replace(client, `https://client.example/${n}`)
    expect(await toldOf(client)).toEqual(['acme', 'globex', 'vendor'].map((slug) => ({ slug, epoch: 4, ...nothing })))
    expect((await send('DELETE', `/register/${client.client_id}`, undefined, client.registration_access_token)).status).toBe(204)
    expect(await toldOf(client)).toEqual(['acme', 'globex', 'vendor'].map((slug) => ({ slug, epoch: 5, ...nothing })))
  })

  it('tells, once, the tenant at which somebody granted it something, and no other', async () => {
    let client = await register()
    await world.signIn('front for acme', { client_id: client.client_id })
    await authorize(client, 'globex')
    for (const n of [1, 2, 3]) client = await replace(client, `https://client.example/${n}`)
    expect(await toldOf(client)).toEqual([
      { slug: 'acme', epoch: 4, ...once },
      { slug: 'globex', epoch: 4, ...nothing },
      { slug: 'vendor', epoch: 4, ...nothing },
    ])
    await world.signIn('front for acme', { client_id: client.client_id })
    await replace(client, 'https://client.example/4')
    expect((await toldOf(client))[0]).toEqual({ slug: 'acme', epoch: 5, events: 2, trail: 2, jobs: 2 })
  })
})

describe('a client that registered itself at the front, and that somebody ends', () => {
  /** Known at two tenants, of which one granted it very much. */
  async function aUsedClient(): Promise<Registered> {
    const client = await register()
    await world.signIn('front for acme', { client_id: client.client_id })
    expect((await authorize(client, 'globex')).status).toBe(303)
    await rowsOf(
      world,
      `INSERT INTO grants SELECT made.* FROM grants AS g, generate_series(1, 3000) AS n,
         jsonb_populate_record(NULL::grants, to_jsonb(g) || jsonb_build_object('id', md5(g.id::text || n)::uuid)) AS made WHERE g.client_id = $1`,
      [client.client_id],
    )
    return client
  }
  /** By this connection. */
  const readByNow = async (db: Db) =>
    (
      await db.query<{ read: number }>(
        "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS read FROM pg_stat_xact_user_tables WHERE relname = 'grants'",
      )
    ).rows[0]?.read ?? 0
  /** Answers how many grants were read for it. */
  const end = (client: Registered, source: 'registration' | 'admin') =>
    inTenant(world.fixture.database, vendorTenantId, async (db) => {
      const event = { tenant: vendorTenantId, eventId: randomUUID() as DeprovisioningEventId, source, target: 'client' as const }
      const before = await readByNow(db)
      await deprovision(db, { ...event, targetId: client.client_id, reason: 'a test', toldAt: undefined, now, requestId: undefined })
      return (await readByNow(db)) - before
    })

  it.each(['before anything is known of the tables', 'after ANALYZE'])('%s, is ended without a look at all that it holds', async (when) => {
    const client = await aUsedClient()
    if (when === 'after ANALYZE') await rowsOf(world, 'ANALYZE')
    expect(await end(client, 'registration')).toBeLessThan(5)
    expect(await toldOf(client)).toMatchObject([once, nothing, nothing])
  })

  it('is told at every tenant that has a copy where the vendor ends it, and nothing that it holds is looked at', async () => {
    const client = await aUsedClient()
    expect(await end(client, 'admin')).toBe(0)
    expect(await toldOf(client)).toMatchObject([once, once, once])
  })
})

/** At acme, by the front. */
const copies = async () =>
  (
    await rowsOf<{ id: string }>(
      world,
      "SELECT c.client_id AS id FROM clients c JOIN issuers i ON i.id = c.issuer_id WHERE i.kind = 'front_member' AND c.tenant_id = $1 AND c.kind = 'dynamic' AND c.unregistered_at IS NULL",
      [world.acme.tenantId],
    )
  ).map(({ id }) => id)
const configure = async (ways: object) => {
  expect((await world.call('PUT', '/tenants/acme/client-registration', { ...everyWay, ...ways })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}

it('a registration is replaced by another client, at whichever process, so often and no more; as the same one it goes on', async () => {
  let client = await register()
  const put = async (uris: readonly string[], name = 'A') => {
    const body = { ...metadata, client_id: client.client_id, client_name: name, redirect_uris: uris }
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${client.registration_access_token}` }
    const answer = await fetch(`${strict.url}/register/${client.client_id}`, { method: 'PUT', headers, body: JSON.stringify(body) })
    if (answer.status === 200) client = (await answer.json()) as Registered
    return answer.status
  }
  const { burst } = rateLimits.registration_barrier
  const statuses: number[] = []
  for (let n = 0; n <= burst; n += 1) statuses.push(await put([callback, `https://client.example/${n}`]))
  expect(statuses).toEqual([...Array.from({ length: burst }, () => 200), 429])
  expect(await put([callback, `https://client.example/${burst - 1}`], 'B')).toBe(200)
  now = addSeconds(now, 60)
  expect(await put([callback])).toBe(200)
})

describe('a copy at a tenant', () => {
  it('that made room is unknown until it is swept: an admin who wants to know its client is not told that she does, and the trail says nothing', async () => {
    const { client_id: id } = await register()
    const adopt = async () => (await world.call('POST', `/tenants/acme/front-clients/${id}`)).status
    const told = () => rowsOf(world, "SELECT 1 FROM audit_events WHERE kind = 'client.adopted' AND client_id = $1", [id])
    const said = (sql: string) => rowsOf(world, `${sql} WHERE tenant_id = $1 AND client_id = $2`, [world.acme.tenantId, id])
    expect(await adopt()).toBe(200)
    await said('UPDATE clients SET unregistered_at = now()')
    expect([await adopt(), (await told()).length]).toEqual([404, 1])
    await said('DELETE FROM clients')
    expect([await adopt(), (await told()).length]).toEqual([200, 2])
  })

  it('that made room stays over, whatever its client says of itself afterwards; when the registration ends the copies that live end with it', async () => {
    const client = await register()
    for (const company of ['acme', 'globex']) expect((await authorize(client, company)).status).toBe(303)
    const roomMadeAt = '2026-01-02T03:04:05.000Z'
    const isCopy = "client_id = $1 AND issuer_id IN (SELECT id FROM issuers WHERE kind = 'front_member')"
    await rowsOf(world, `UPDATE clients SET unregistered_at = $2 WHERE ${isCopy} AND tenant_id = $3`, [
      ...[client.client_id, roomMadeAt, world.acme.tenantId],
    ])
    const copiesOfIt = async () =>
      (
        await rowsOf<{ acme: boolean; uris: number; over: Date | null }>(
          world,
          `SELECT tenant_id = $2 AS acme, cardinality(redirect_uris) AS uris, unregistered_at AS over FROM clients WHERE ${isCopy} ORDER BY acme DESC`,
          [client.client_id, world.acme.tenantId],
        )
      ).map(({ acme, uris, over }) => ({ acme, uris, over: over === null ? null : new Date(over).toISOString() }))
    const replaced = await replace(client, 'https://client.example/other')
    expect(await copiesOfIt()).toEqual([
      { acme: true, uris: 2, over: roomMadeAt },
      { acme: false, uris: 2, over: null },
    ])
    expect((await send('DELETE', `/register/${client.client_id}`, undefined, replaced.registration_access_token)).status).toBe(204)
    expect((await copiesOfIt()).map(({ over }) => over)).toEqual([roomMadeAt, new Date(now).toISOString()])
  })

  it('is not made where the tenant lets none like it in: by a closed way, or for want of a statement', async () => {
    const client = await register()
    await configure({ dynamic: false })
    expect(await (await authorize(client, 'acme')).text()).toContain('client_way_closed')
    await configure({})
    const demand = async (json: string | null) => {
      await rowsOf(world, "UPDATE tenants SET software_statements = $1 WHERE slug = 'acme'", [json])
      world.broker.deps.configuration.invalidate()
    }
    await demand('{}')
    expect(await (await authorize(client, 'acme')).text()).toContain('client_way_closed')
    expect(await copies()).not.toContain(client.client_id)
    await demand(null)
    expect((await authorize(client, 'acme')).status).toBe(303)
    expect(await copies()).toContain(client.client_id)
    // What was demanded since is demanded of it at its next step.
    await demand('{}')
    expect(await (await authorize(client, 'acme')).text()).toContain('client_way_closed')
    await demand(null)
  })

  it('is counted before it is made: by address, and for the tenant from wherever; one that is there is not', async () => {
    const clients: Registered[] = []
    for (let n = 0; n <= rateLimits.client_copy.burst; n += 1) clients.push(await register())
    const [first] = clients as [Registered]
    const statuses: number[] = []
    for (const client of clients) statuses.push((await authorize(client, 'acme', strict)).status)
    expect(statuses.filter((status) => status !== 303)).toEqual([429])
    expect((await authorize(first, 'acme', strict)).status).toBe(303)
    const { perSecond, burst } = rateLimits.tenant_client_copy
    expect(burst + perSecond * registrationLimits.dynamicClientStaysSeconds).toBeLessThan(registrationLimits.unusedCopies)
  })

  it('is refused by name where there are as many that nobody uses, and takes no room of what registers at the tenant itself', async () => {
    const client = await register()
    const without = async (triggers: 'DISABLE' | 'ENABLE') => {
      for (const name of ['one_client_of_tenant', 'front_client_bound'])
        await rowsOf(world, `ALTER TABLE clients ${triggers} TRIGGER ${name}`)
    }
    await without('DISABLE')
    await rowsOf(
      world,
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, machine_access)
       SELECT tenant_id, id, 'junk-' || n, 'dynamic', 'Junk', '{}', '{}', 'none', '{}', $2, '[]' FROM issuers, generate_series(1, $3::int) n
       WHERE tenant_id = $1 AND kind = 'front_member'`,
      [world.acme.tenantId, new Date(now), registrationLimits.unusedCopies],
    )
    await without('ENABLE')
    const refused = await authorize(client, 'acme')
    expect([refused.status, (await refused.text()).includes('client_copies_full')]).toEqual([403, true])
    expect((await authorize(client, 'globex')).status).toBe(303)
    expect((await send('POST', '/t/acme/register', metadata)).status).toBe(201)
    await rowsOf(world, "DELETE FROM clients WHERE client_id LIKE 'junk-%'")
    expect((await authorize(client, 'acme')).status).toBe(303)
  })

  it('that nobody uses makes room, the oldest first, and none where an admin or a grant holds it; never are there more', async () => {
    const [granted, governed, begun, idle, newest] = [
      await register(),
      await register(),
      await register(),
      await register(),
      await register(),
    ]
    await world.signIn('front for acme', { client_id: granted.client_id })
    for (const client of [governed, begun, idle]) await authorize(client, 'acme')
    expect((await world.call('PATCH', `/tenants/acme/front-clients/${governed.client_id}`, { scopeCeiling: ['read'] })).status).toBe(200)
    await rowsOf(world, 'DELETE FROM authorization_requests WHERE client_id = $1', [idle.client_id])
    const of = (
      await rowsOf<{ id: IssuerId }>(world, "SELECT id FROM issuers WHERE kind = 'front_member' AND tenant_id = $1", [world.acme.tenantId])
    )[0]
    const room = (most: number) =>
      inTenant(world.fixture.database, world.acme.tenantId, (db) =>
        hasRoomForCopy(db, world.acme.tenantId, { member: of?.id as IssuerId, now }, most),
      )
    const unused = (await copies()).length
    expect([await room(unused + 1), await room(unused)]).toEqual([true, false])
    now = addSeconds(now, registrationLimits.dynamicClientStaysSeconds + 1)
    await authorize(newest, 'acme')
    const after: (readonly string[])[] = []
    while (await room(1)) after.push(await copies())
    const left = await copies()
    expect(left).toEqual(expect.arrayContaining([granted.client_id, governed.client_id, newest.client_id]))
    expect([begun, idle].filter(({ client_id: id }) => left.includes(id))).toEqual([])
    const gone = (id: string) => after.findIndex((kept) => !kept.includes(id))
    expect(gone(idle.client_id)).toBeLessThan(gone(begun.client_id))
  })
})
