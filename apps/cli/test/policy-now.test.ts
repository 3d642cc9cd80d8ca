/** What a publish does to what is open: at the next refresh, or now. A person whom it takes nothing from notices neither. */
import { callTool } from '@drawbridge/cli/demo-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Answered, anAttempt, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

let product: Product
beforeAll(async () => {
  product = await aProduct()
}, 120_000)
afterAll(() => product?.stop(), 60_000)

type SignedIn = { readonly accessToken: string; readonly refresh: () => Promise<Answered> }

const signIn = async (name: string, scope = 'documents:read documents:write'): Promise<SignedIn> => {
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope })
  const { page } = await logIn(attempt, { name })
  const { json } = await redeem(attempt, page, issuer)
  expect(json['scope']).toBe(scope)
  return { accessToken: String(json['access_token']), refresh: () => refreshAt(issuer, clientId, json['refresh_token']) }
}
/** What the guarded MCP server says to her. */
const statusOf = async (token: unknown) => (await callTool(product.mcpUrl, String(token))).status
const sweepOf = async (version: unknown) => (await product.admin('GET', `/tenants/acme/policies/${String(version)}/sweep`)).json
const granting = (scopes: string) => `version: 1\nrules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]\n`
const readsAndWrites = granting('"documents:read", "documents:write"')
const onlyReads = granting('"documents:read"')
const publish = (document: string, liveGrants?: 'now' | 'at_next_refresh') =>
  product.admin('POST', '/tenants/acme/policies', { document, note: 'test', ...(liveGrants && { liveGrants }) })

it('leaves what is open to its next refresh, unless it is said', async () => {
  await publish(readsAndWrites)
  const ada = await signIn('ada')
  const { json } = await publish(onlyReads)
  expect((await product.admin('GET', `/tenants/acme/policies/${String(json['version'])}/sweep`)).status).toBe(404)
  expect(await statusOf(ada.accessToken)).toBe(200)
  expect((await ada.refresh()).json['scope']).toBe('documents:read')
  expect(await statusOf(ada.accessToken)).toBe(200)
})

it('ends older tokens of whoever loses something within seconds, gives narrower ones, and leaves everybody else alone', async () => {
  await publish(readsAndWrites)
  const ada = await signIn('ada')
  const lena = await signIn('lena', 'documents:read')
  const { status, json } = await publish(onlyReads, 'now')
  expect(status).toBe(201)
  await eventually(async () => (await statusOf(ada.accessToken)) === 401)
  expect(await statusOf(lena.accessToken)).toBe(200)

  const refreshed = await ada.refresh()
  expect([refreshed.status, refreshed.json['scope']]).toEqual([200, 'documents:read'])
  expect(await statusOf(refreshed.json['access_token'])).toBe(200)
  expect((await lena.refresh()).json['scope']).toBe('documents:read')
  await eventually(async () => (await sweepOf(json['version']))['settledAt'] !== null)
  expect(await sweepOf(json['version'])).toMatchObject({ shrunk: 1, deferred: 0, ended: 0 })

  const { json: listed } = await product.admin('GET', '/tenants/acme/audit-events?kind=grant.shrunk')
  expect(listed['auditEvents']).toMatchObject([{ scopes: ['documents:read'], detail: { lost: ['documents:write'] } }])
  const { json: receipts } = await product.admin('GET', '/tenants/acme/revocations')
  expect(receipts['revocations']).toEqual(expect.arrayContaining([expect.objectContaining({ source: 'policy', target: 'grant' })]))
})

it('ends a grant of which nothing is left, and an older version is published again with the same effect', async () => {
  const { json: wide } = await publish(readsAndWrites)
  const ada = await signIn('ada', 'documents:write')
  const { json: narrow } = await publish(onlyReads)
  expect(await statusOf(ada.accessToken)).not.toBe(401)
  await product.admin('POST', `/tenants/acme/policies/${String(wide['version'])}/republish`, {})
  const again = await product.admin('POST', `/tenants/acme/policies/${String(narrow['version'])}/republish`, { liveGrants: 'now' })
  expect(again.status).toBe(201)
  await eventually(async () => (await statusOf(ada.accessToken)) === 401)
  expect(await ada.refresh()).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
  expect(await sweepOf(again.json['version'])).toMatchObject({ ended: 1 })
})

it('is said by the vendor for every tenant at once', async () => {
  await publish(readsAndWrites)
  const ada = await signIn('ada')
  const noWriting = 'version: 1\nrules: [{ name: no-writing, effect: deny, scopes: ["*:write"], everyone: true }]\n'
  expect((await product.admin('POST', '/vendor-policies', { base: 0, document: noWriting, note: 'test', liveGrants: 'now' })).status).toBe(
    201,
  )
  await eventually(async () => (await statusOf(ada.accessToken)) === 401)
  expect((await ada.refresh()).json['scope']).toBe('documents:read')
})
