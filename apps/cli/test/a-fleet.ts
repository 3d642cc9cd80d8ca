/** Two brokers and two workers on one database, and what must hold between them; told once, run on each queue. */
import { type RunningBroker, startBroker, startWorker } from '@drawbridge/cli/compose'
import { callTool } from '@drawbridge/cli/demo-client'
import { openPlatform, type Platform } from '@drawbridge/cli/platform'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { expect, it } from 'vitest'
import { type Answered, anAttempt, logIn, post, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, nextSecond, type Product } from './a-product.js'

export type Fleet = { readonly product: Product; readonly first: string; readonly second: string; stop(): Promise<void> }

/** One more broker on the product's database, with its own connections and its own memory; `issuer`: acme as it serves it. */
export async function anotherBroker(
  product: Product,
): Promise<{ readonly platform: Platform; readonly issuer: string; stop(): Promise<void> }> {
  const { settings } = product.started.platform
  const ports = { port: await freePort(), workerPort: await freePort() }
  const platform: Platform = await openPlatform({ ...settings, ...ports }, { kind: 'demo' })
  const broker: RunningBroker = await startBroker(platform, [product.started.simulatorUrl, new URL(product.mcpUrl).origin])
  const stop = async () => {
    await broker.close()
    await platform.close()
  }
  return { platform, issuer: `http://127.0.0.1:${broker.port}/t/acme`, stop }
}

/** `first` and `second`: the issuer acme as each broker serves it. */
export async function aFleet(more: Readonly<Record<string, string>> = {}): Promise<Fleet> {
  const product = await aProduct(more)
  const other = await anotherBroker(product)
  const worker = await startWorker(other.platform)
  return {
    product,
    first: product.issuer('acme'),
    second: other.issuer,
    stop: async () => {
      await worker.close()
      await other.stop()
      await product.stop()
    },
  }
}

type Session = { readonly clientId: string; readonly accessToken: string; readonly refreshToken: string; readonly grantId: string }

/** Signs in at the first broker and redeems at the second. */
async function signIn({ product, first, second }: Fleet, person: string): Promise<Session> {
  const clientId = await registerAt(first)
  const attempt = anAttempt({ issuer: first, clientId, resource: product.mcpUrl })
  const { page } = await logIn(attempt, { name: person })
  const { status, json } = await redeem(attempt, page, second)
  expect({ status, json }).toMatchObject({ status: 200 })
  const accessToken = String(json['access_token'])
  const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as { gid: string }
  return { clientId, accessToken, refreshToken: String(json['refresh_token']), grantId: claims.gid }
}

export async function introspect(product: Product, at: string, token: string): Promise<unknown> {
  const { id, secret } = product.started.demonstration.resourceCredential
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  const response = await fetch(`${at}/introspect`, { method: 'POST', headers: { authorization }, body: new URLSearchParams({ token }) })
  return ((await response.json()) as { active?: unknown }).active
}

type Receipt = { readonly target: string; readonly sweptAt: string | null }
const sweptSubjects = async ({ product }: Fleet): Promise<number> => {
  const { json } = await product.admin('GET', '/tenants/acme/revocations')
  return (json['revocations'] as Receipt[]).filter(({ target, sweptAt }) => target === 'subject' && sweptAt !== null).length
}
const openGrants = async ({ product }: Fleet, clientId: string): Promise<number> => {
  const { json } = await product.admin('GET', `/tenants/acme/grants?client=${clientId}`)
  return (json['grants'] as { revokedAt: string | null }[]).filter(({ revokedAt }) => revokedAt === null).length
}

const publishAtSecond = async ({ product, second }: Fleet, end: string, body: object): Promise<number> => {
  const headers = { authorization: `Bearer ${product.started.demonstration.adminKey}`, 'content-type': 'application/json' }
  const url = `${new URL(second).origin}/admin/v1/tenants/acme/policies${end}`
  return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).status
}

const countOf = (answers: readonly Answered[], status: number) => answers.filter((answer) => answer.status === status).length

export function describeFleet(theFleet: () => Fleet): void {
  it('a code made by one broker is redeemed at the other, once', async () => {
    const fleet = theFleet()
    const clientId = await registerAt(fleet.first)
    const attempt = anAttempt({ issuer: fleet.first, clientId, resource: fleet.product.mcpUrl })
    const { page } = await logIn(attempt, { name: 'ada' })
    const both = await Promise.all([redeem(attempt, page, fleet.first), redeem(attempt, page, fleet.second)])
    expect([countOf(both, 200), countOf(both, 400)]).toEqual([1, 1])
  })

  it('refreshing at both at once gives both the same successor', async () => {
    const fleet = theFleet()
    const { clientId, refreshToken } = await signIn(fleet, 'max')
    const at = [fleet.first, fleet.second, fleet.first, fleet.second]
    const answers = await Promise.all(at.map((issuer) => refreshAt(issuer, clientId, refreshToken)))
    expect(countOf(answers, 200)).toBe(at.length)
    expect(new Set(answers.map(({ json }) => json['refresh_token'])).size).toBe(1)
  })

  it('what one broker kills, both refuse, and the tool too', async () => {
    const fleet = theFleet()
    const { clientId, accessToken, refreshToken, grantId } = await signIn(fleet, 'ada')
    expect((await callTool(fleet.product.mcpUrl, accessToken)).status).toBe(200)
    const headers = { authorization: `Bearer ${fleet.product.started.demonstration.adminKey}`, 'content-type': 'application/json' }
    const killed = await fetch(`${new URL(fleet.second).origin}/admin/v1/tenants/acme/grants/${grantId}/revoke`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ reason: 'test' }),
    })
    expect(killed.ok ? 'ok' : await killed.text()).toBe('ok')
    for (const at of [fleet.first, fleet.second]) {
      expect(await refreshAt(at, clientId, refreshToken)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
      expect(await introspect(fleet.product, at, accessToken)).toBe(false)
    }
    await eventually(async () => (await callTool(fleet.product.mcpUrl, accessToken)).status === 401)
  })

  it('the sweep after a deactivation is done once, whichever worker takes it, and reaches everything', async () => {
    const fleet = theFleet()
    await fleet.product.provision('acme')
    const sessions = [await signIn(fleet, 'lena'), await signIn(fleet, 'lena'), await signIn(fleet, 'lena')]
    await fleet.product.setActive('acme', 'lena', false)
    for (const { clientId, accessToken, refreshToken } of sessions) {
      await eventually(async () => (await callTool(fleet.product.mcpUrl, accessToken)).status === 401)
      for (const at of [fleet.first, fleet.second]) expect((await refreshAt(at, clientId, refreshToken)).status).toBe(400)
    }
    for (const { clientId } of sessions) await eventually(async () => (await openGrants(fleet, clientId)) === 0)
    await eventually(async () => (await sweptSubjects(fleet)) === 1)
    await fleet.product.setActive('acme', 'lena', true)
    await nextSecond()
    const anew = await signIn(fleet, 'lena')
    expect((await callTool(fleet.product.mcpUrl, anew.accessToken)).status).toBe(200)
    expect((await callTool(fleet.product.mcpUrl, sessions[0]?.accessToken)).status).toBe(401)
  })

  it('a policy that is published at one decides at the other within a second, for what is open and for what is new', async () => {
    const fleet = theFleet()
    const { clientId, refreshToken } = await signIn(fleet, 'ada')
    const held = await fleet.product.admin('GET', '/tenants/acme/policy')
    const document = `${String(held.json['document'])}rules: [{ name: read-only, effect: deny, scopes: ["*:write"], everyone: true }]\n`
    expect(await publishAtSecond(fleet, '', { document })).toBe(201)
    await nextSecond()
    const refreshed = await refreshAt(fleet.first, clientId, refreshToken)
    expect([refreshed.status, refreshed.json['scope']]).toEqual([200, 'documents:read'])
    const attempt = anAttempt({ issuer: fleet.first, clientId, resource: fleet.product.mcpUrl, scope: 'documents:read documents:write' })
    const { page } = await logIn(attempt, { name: 'ada' })
    expect((await redeem(attempt, page, fleet.first)).json).toMatchObject({ scope: 'documents:read' })
    expect(await publishAtSecond(fleet, `/${String(held.json['version'])}/republish`, { note: 'the test is over' })).toBe(201)
  })

  it('a change of configuration at one is known to the other', async () => {
    const fleet = theFleet()
    const clientId = await registerAt(fleet.second)
    const blocked = await fleet.product.admin('PATCH', `/tenants/acme/clients/${clientId}`, { blocked: true })
    expect(blocked.status).toBe(200)
    const form = { grant_type: 'refresh_token', refresh_token: 'dbr_none', client_id: clientId }
    expect(await post(`${fleet.second}/token`, form)).toMatchObject({ status: 401, json: { error: 'invalid_client' } })
  })
}
