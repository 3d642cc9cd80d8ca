/** The vendor's policy is a wall around every tenant's: it holds at once, for what is open already too, and no tenant gets over it. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anAttempt, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
beforeAll(async () => {
  product = await aProduct()
}, 120_000)
afterAll(() => product?.stop(), 60_000)

const signIn = async (scope: string) => {
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope })
  const { page } = await logIn(attempt, { name: 'ada' })
  const { json } = await redeem(attempt, page, issuer)
  return { issuer, clientId, scope: json['scope'], refreshToken: String(json['refresh_token']) }
}
const publish = async (document: string) => {
  const { version } = (await product.admin('GET', '/vendor-policy')).json as { readonly version: number }
  return product.admin('POST', '/vendor-policies', { base: version, document, note: 'test' })
}
const wall = (rest: string): string => `version: 1\n${rest}\n`
const noWriting = 'rules: [{ name: no-writing, effect: deny, scopes: ["*:write"], everyone: true }]'

it('takes a scope from a living grant at its next refresh, and from every new one', async () => {
  const before = await signIn('documents:read documents:write')
  expect(before.scope).toBe('documents:read documents:write')
  expect((await publish(wall(noWriting))).status).toBe(201)

  const refreshed = await refreshAt(before.issuer, before.clientId, before.refreshToken)
  expect([refreshed.status, refreshed.json['scope']]).toEqual([200, 'documents:read'])
  expect((await signIn('documents:read documents:write')).scope).toBe('documents:read')

  // What was taken by the wall does not come back to a grant when the wall falls; a new one has it again.
  expect((await publish(wall('rules: []'))).status).toBe(201)
  const again = await refreshAt(before.issuer, before.clientId, String(refreshed.json['refresh_token']))
  expect(again.json['scope']).toBe('documents:read')
  expect((await signIn('documents:read documents:write')).scope).toBe('documents:read documents:write')
})

it('bounds the numbers that a tenant may write, and holds a policy of before to them', async () => {
  expect((await publish(wall('limits: { read: { accessTokenSeconds: 100 } }'))).status).toBe(201)
  const looser = { document: 'version: 1\nlimits: { read: { accessTokenSeconds: 101 } }\n' }
  const refused = await product.admin('POST', '/tenants/acme/policies/check', looser)
  expect([refused.status, JSON.stringify(refused.json)]).toEqual([400, expect.stringContaining('at most 100')])
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope: 'documents:read' })
  const { page } = await logIn(attempt, { name: 'ada' })
  expect((await redeem(attempt, page, issuer)).json).toMatchObject({ scope: 'documents:read', expires_in: 100 })
})

it('is refused where it grants, leaves the one that holds, and is nothing that a tenant may read or write', async () => {
  const granting = wall('rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]')
  for (const path of ['/vendor-policies', '/vendor-policies/check'])
    expect((await product.admin('POST', path, { document: granting, ...(path.endsWith('check') ? {} : { base: 2 }) })).status).toBe(400)
  const held = await product.admin('GET', '/vendor-policy')
  expect(held.json).toMatchObject({ version: 3, document: wall('limits: { read: { accessTokenSeconds: 100 } }') })
  // The tenant's own policy is the one that it was, though its versions have risen with the vendor's.
  const own = await product.admin('GET', '/tenants/acme/policy')
  expect(own.json).toMatchObject({ version: 1, document: expect.stringContaining('engineers-write-and-purge') })
  const trail = await product.admin('GET', '/audit-events?kind=vendor_policy.published')
  expect((trail.json['auditEvents'] as unknown[]).length).toBe(3)
})
