/** The audit trail of a whole life: issuance, refresh, refusal, revocation; who, for which client, which scopes, why, when. */
import { callTool } from '@drawbridge/cli/demo-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anAttempt, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

type AuditEvent = {
  readonly id: number
  readonly kind: string
  readonly at: string
  readonly subjectId?: string
  readonly clientId?: string
  readonly grantId?: string
  readonly scopes: readonly string[]
  readonly reason?: string
  readonly detail: Readonly<Record<string, unknown>>
  readonly requestId?: string
}
let product: Product
let clientId = ''
let subjectId = ''
const secrets: string[] = []

/** Lena logs in, refreshes, is refused once, is deactivated, and is refused for good; clark is refused for want of a second factor. */
beforeAll(async () => {
  product = await aProduct()
  const issuer = product.issuer('acme')
  await product.provision('acme')
  clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope: 'documents:read documents:write' })
  const { page } = await logIn(attempt, { name: 'lena' })
  const first = await redeem(attempt, page, issuer)
  const accessToken = String(first.json['access_token'])
  subjectId = (JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }).sub
  const second = await refreshAt(issuer, clientId, first.json['refresh_token'])
  secrets.push(...[first, second].flatMap(({ json }) => [String(json['access_token']), String(json['refresh_token'])]), attempt.verifier)
  await logIn(anAttempt({ issuer, clientId, resource: product.mcpUrl, scope: 'admin:purge' }), { name: 'clark', withMfa: false })
  await logIn(anAttempt({ issuer, clientId, resource: product.mcpUrl }), { name: 'ada', atConsent: 'deny' })
  await product.setActive('acme', 'lena', false)
  await refreshAt(issuer, clientId, second.json['refresh_token'])
  await logIn(anAttempt({ issuer, clientId, resource: product.mcpUrl }), { name: 'lena' })
  await eventually(async () => (await callTool(product.mcpUrl, accessToken)).status === 401)
}, 120_000)
afterAll(() => product.stop(), 60_000)

const trail = async (filter = ''): Promise<readonly AuditEvent[]> => {
  const { status, json } = await product.admin('GET', `/tenants/acme/audit-events${filter}`)
  expect(status).toBe(200)
  return json['auditEvents'] as AuditEvent[]
}
const one = async (kind: string): Promise<AuditEvent> => {
  const [event, ...others] = await trail(`?kind=${kind}`)
  expect({ kind, found: event === undefined ? 0 : 1 + others.length }).toEqual({ kind, found: 1 })
  return event as AuditEvent
}

const scopes = ['documents:read', 'documents:write']
const anyText = expect.any(String)

it.each([
  { what: 'the grant', kind: 'grant_opened', reason: undefined },
  { what: 'the issuance', kind: 'code_redeemed', reason: undefined },
  { what: 'the refresh', kind: 'token_refreshed', reason: undefined },
  { what: 'the refused refresh', kind: 'token_refresh_refused', reason: anyText },
])('holds $what with subject, client, scopes, grant and request', async ({ kind, reason }) => {
  const event = await one(kind)
  expect(event).toMatchObject({ subjectId, clientId, grantId: anyText, requestId: anyText, ...(reason ? { reason } : {}) })
  expect([...event.scopes].sort()).toEqual(scopes)
  expect(Math.abs(Date.now() - Date.parse(event.at))).toBeLessThan(120_000)
})

it('holds the deactivation with its source and reason, under the subject', async () => {
  const deprovisioned = (await trail(`?subject=${subjectId}`)).find(({ kind }) => kind === 'subject.deprovisioned')
  expect(deprovisioned).toMatchObject({ reason: anyText, detail: { source: 'scim', matched: true }, requestId: anyText })
})

it('holds the refused login of the deactivated person, and the one without a second factor with what was asked', async () => {
  const refused = { subjectId, clientId, scopes: ['documents:read'], reason: 'directory_inactive', requestId: anyText }
  expect(await one('login_refused')).toMatchObject(refused)
  const denied = await one('access_denied')
  expect(denied).toMatchObject({ clientId, scopes: ['admin:purge'], reason: 'mfa_missing', subjectId: anyText })
  expect(await one('consent_denied')).toMatchObject({ clientId, scopes: ['documents:read'], subjectId: anyText })
})

it('tells the story in its order', async () => {
  const told = [...(await trail(`?subject=${subjectId}`))].sort((a, b) => a.id - b.id).map(({ kind }) => kind)
  const order = ['login_completed', 'grant_opened', 'code_redeemed', 'token_refreshed', 'subject.deprovisioned', 'token_refresh_refused']
  expect(told.filter((kind) => order.includes(kind))).toEqual(order)
})

it('holds no credential', async () => {
  const text = JSON.stringify(await trail())
  for (const secret of secrets) expect(text).not.toContain(secret)
  expect(text).not.toMatch(/db[crs]_[A-Za-z0-9_-]{20}/)
})

it('is the tenant’s own: globex has nothing of it', async () => {
  const { json } = await product.admin('GET', '/tenants/globex/audit-events')
  expect(JSON.stringify(json)).not.toContain(subjectId)
})
