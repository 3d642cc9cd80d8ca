/** A stranger who registers a client at the front, without anybody signing in: what it costs the tenants, which is next to nothing. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontUrl, aFrontWorld, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
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
const authorize = (client: Registered, company: string) =>
  fetch(world.authorizeUrl('front for acme', { client_id: client.client_id, login_hint: company }).replace(aFrontUrl, world.broker.url), {
    redirect: 'manual',
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
