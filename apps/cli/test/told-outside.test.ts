/**
 * The whole product, a client with a session of its own and a system of the tenant: both hear of every end by HTTP, and the client judges what it hears as a
 * stranger would, by the issuer's metadata and keys as they are published.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aBrowser, anAttempt, logIn, redeem, registerAt } from './a-client.js'
import { aProduct, type Company, eventually, type Product } from './a-product.js'

type Heard = { readonly path: string; readonly type: string; readonly body: string }
const heard: Heard[] = []
let isDown = false
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString('utf8')
  })
  request.on('end', () => {
    if (!isDown) heard.push({ path: request.url ?? '', type: request.headers['content-type'] ?? '', body })
    response.writeHead(isDown ? 503 : 200).end()
  })
})
let product: Product
let origin: string

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: origin })
  await product.provision('acme')
}, 120_000)
afterAll(async () => {
  await product?.stop()
  server.close()
}, 60_000)
beforeEach(() => {
  heard.length = 0
  isDown = false
})

async function signIn(company: Company, name: string, path: string) {
  const issuer = product.issuer(company)
  const clientId = await registerAt(issuer, { backchannel_logout_uri: `${origin}${path}` })
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope: 'documents:read' })
  const browser = aBrowser()
  const { page } = await logIn(attempt, { name }, browser)
  const { json } = await redeem(attempt, page, issuer)
  const { sub, sid } = decodeJwt(String(json['access_token']))
  return { issuer, clientId, browser, sub, sid }
}
const to = (path: string) => heard.filter((one) => one.path === path)

/** @spec OpenID Connect Back-Channel Logout 1.0 §2.6 */
async function judge({ body, type }: Heard, { issuer, clientId }: { readonly issuer: string; readonly clientId: string }) {
  expect(type).toBe('application/x-www-form-urlencoded')
  const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<string, string>
  expect(metadata).toMatchObject({ backchannel_logout_supported: true, backchannel_logout_session_supported: true })
  const keys = createRemoteJWKSet(new URL(metadata['jwks_uri'] ?? ''))
  const token = new URLSearchParams(body).get('logout_token') ?? ''
  const { payload } = await jwtVerify(token, keys, { issuer, audience: clientId, typ: 'logout+jwt', algorithms: ['ES256'] })
  expect(payload['events']).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} })
  expect(payload).not.toHaveProperty('nonce')
  return payload
}

it('whom the directory switches off is logged out at her client, and the tenant’s system reads who', async () => {
  const made = await product.admin('POST', '/tenants/acme/webhooks', {
    name: 'SIEM',
    url: `${origin}/siem`,
    events: ['access.ended', 'subject.deactivated', 'access.dead_everywhere'],
  })
  expect(made.status).toBe(201)
  const session = await signIn('acme', 'ada', '/acme')
  await product.setActive('acme', 'ada', false)
  await eventually(async () => to('/acme').length === 1 && to('/siem').length >= 2)
  const [token] = to('/acme')
  expect(token && (await judge(token, session))).toMatchObject({ sub: session.sub })
  const news = to('/siem').map(({ body }) => JSON.parse(body) as { type: string; data: { subject?: string } })
  for (const type of ['access.ended', 'subject.deactivated'])
    expect(news.filter((one) => one.type === type).map(({ data }) => data.subject)).toEqual([session.sub])
})

it('whose session her provider ends is logged out of that session at her client', async () => {
  const session = await signIn('globex', 'ada', '/ended')
  await product.logOut('ada')
  await eventually(async () => to('/ended').length > 0)
  const [token] = to('/ended')
  expect(token && (await judge(token, session))).toMatchObject({ sub: session.sub, sid: session.sid })
})

it('who signs out here is logged out at her client, also where that was away at the moment', async () => {
  const session = await signIn('globex', 'lena', '/away')
  isDown = true
  const asked = await session.browser.open(`${session.issuer}/logout`)
  await asked.form('proof').submit()
  const waiting = async () =>
    (await product.admin('GET', '/tenants/globex/deliveries?state=waiting')).json['deliveries'] as { reason: string | null }[]
  await eventually(async () => (await waiting()).some(({ reason }) => reason === 'answered 503'))
  isDown = false
  await eventually(async () => to('/away').length === 1)
  const [token] = to('/away')
  expect(token && (await judge(token, session))).toMatchObject({ sub: session.sub, sid: session.sid })
})
