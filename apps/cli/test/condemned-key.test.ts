/** A signing key is stolen: the admin condemns it, and a guard that has it in its cache refuses what it signed as soon as the notice is there. */
import { callTool } from '@drawbridge/cli/demo-client'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { signJwt } from '@drawbridge/crypto/jwt'
import { toSigningKey } from '@drawbridge/crypto/signing-keys'
import { listSigningKeys } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anAttempt, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

let product: Product
beforeAll(async () => {
  product = await aProduct()
}, 120_000)
afterAll(() => product?.stop(), 60_000)

type Session = { readonly clientId: string; readonly accessToken: string; readonly refreshToken: string }

async function signIn(): Promise<Session> {
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl })
  const { page } = await logIn(attempt, { name: 'ada' })
  const { json } = await redeem(attempt, page, issuer)
  return { clientId, accessToken: String(json['access_token']), refreshToken: String(json['refresh_token']) }
}

const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }
const kidsAt = async (path: string) =>
  ((await (await fetch(`${product.issuer('acme')}${path}`)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
const statusOf = async (token: string) => (await callTool(product.mcpUrl, token)).status
const condemn = (kid: string) => product.admin('POST', `/tenants/acme/signing-keys/${kid}/compromised`)

async function introspect(token: string): Promise<unknown> {
  const { id, secret } = product.started.demonstration.resourceCredential
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  const body = new URLSearchParams({ token })
  const response = await fetch(`${product.issuer('acme')}/introspect`, { method: 'POST', headers: { authorization }, body })
  return ((await response.json()) as { active?: unknown }).active
}

/** Signs the claims of a true token again, with the active key of that purpose, as only the issuer itself could. */
async function signedAgain(token: string, purpose: 'tokens' | 'notices'): Promise<string> {
  const { database, sealer, installation } = product.started.platform
  const tenant = product.started.demonstration.tenants[0]?.tenantId as TenantId
  const keys = await inTenant(database, tenant, (db) => listSigningKeys(db, tenant))
  const key = keys.find((each) => each.purpose === purpose && each.state === 'active')
  if (!key) throw new Error('there is an active key')
  const context = { installation: installation.installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  const opened = sealer.open(key.sealedPrivateKey, context)
  if (!opened.ok) throw new Error('the key opens')
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
  return signJwt(toSigningKey(key, opened.value), { typ: 'at+jwt' }, claims)
}

it('a true token signed with the key for notices is believed neither at introspection nor by the guard', async () => {
  const { accessToken } = await signIn()
  const [ours, wrong] = [await signedAgain(accessToken, 'tokens'), await signedAgain(accessToken, 'notices')]
  expect([await introspect(ours), await statusOf(ours)]).toEqual([true, 200])
  expect([await introspect(wrong), await statusOf(wrong)]).toEqual([false, 401])
})

it('what the condemned key signed is refused everywhere, the refresh token still works, and what the next key signs passes', async () => {
  const session = await signIn()
  const { kid } = headerOf(session.accessToken)
  expect(await statusOf(session.accessToken)).toBe(200)
  expect(await kidsAt('/jwks')).toContain(kid)

  expect((await condemn(kid)).status).toBe(200)
  expect(await kidsAt('/jwks')).not.toContain(kid)
  expect(await introspect(session.accessToken)).toBe(false)
  await eventually(async () => (await statusOf(session.accessToken)) === 401)

  const { status, json } = await refreshAt(product.issuer('acme'), session.clientId, session.refreshToken)
  expect(status).toBe(200)
  const renewed = String(json['access_token'])
  expect(headerOf(renewed).kid).not.toBe(kid)
  expect([await statusOf(renewed), await statusOf((await signIn()).accessToken)]).toEqual([200, 200])
})

it('a condemned key for notices is replaced, and the guard goes on hearing', async () => {
  const { json } = await product.admin('GET', '/tenants/acme/signing-keys')
  const keys = json['signingKeys'] as { id: string; purpose: string; state: string }[]
  const kid = keys.find(({ purpose, state }) => purpose === 'notices' && state === 'active')?.id ?? ''
  expect(await kidsAt('/ssf/jwks')).toContain(kid)
  expect((await condemn(kid)).status).toBe(200)
  expect(await kidsAt('/ssf/jwks')).not.toContain(kid)
  const { accessToken } = await signIn()
  expect(await statusOf(accessToken)).toBe(200)
  const { gid } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as { gid: string }
  expect((await product.admin('POST', `/tenants/acme/grants/${gid}/revoke`, { reason: 'test' })).status).toBe(200)
  await eventually(async () => (await statusOf(accessToken)) === 401)
})

it('keys for tokens and for notices are published apart', async () => {
  const [tokens, notices] = [await kidsAt('/jwks'), await kidsAt('/ssf/jwks')]
  expect([tokens.length, notices.length].every((count) => count > 0)).toBe(true)
  expect(tokens.filter((kid) => notices.includes(kid))).toEqual([])
  const metadata = async (path: string) =>
    ((await (await fetch(`${product.issuer('acme')}${path}`)).json()) as { jwks_uri: string }).jwks_uri
  expect(await metadata('/.well-known/openid-configuration')).toBe(`${product.issuer('acme')}/jwks`)
  expect(await metadata('/ssf/configuration')).toBe(`${product.issuer('acme')}/ssf/jwks`)
})
