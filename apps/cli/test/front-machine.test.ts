/** A program of the vendor's that acts for one company at the front issuer: strict client libraries that it may use, and the guard that hears of its end. */
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aFrontIssuer, aFrontMachine } from './a-front-issuer.js'
import { aProduct, eventually, type Product } from './a-product.js'

let product: Product
let guard: Guard
const insecure = { [oauth.allowInsecureRequests]: true }

beforeAll(async () => {
  product = await aProduct()
  await aFrontIssuer(product)
  const credential = product.started.demonstration.resourceCredential
  const issuers = [{ issuer: product.publicUrl, front: true as const, credential }]
  guard = createGuard({ resource: product.mcpUrl, issuers, toolScopes: {}, onDeaf: 'refuse' })
  await guard.start()
}, 120_000)
afterAll(async () => {
  await guard?.stop()
  await product?.stop()
}, 60_000)

const asked = (tenant = 'acme') => ({ tenant, resource: product.mcpUrl, scope: 'documents:read' })
const configure = (clientId: string, auth: openid.ClientAuth) =>
  openid.discovery(new URL(product.publicUrl), clientId, undefined, auth, { execute: [openid.allowInsecureRequests] })

it('openid-client gets a token for the company that it names, by a secret and by a key, and the guard says whose it is', async () => {
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  const jwks = { keys: [await crypto.subtle.exportKey('jwk', pair.publicKey)] }
  const keyed = await aFrontMachine(product, 'acme', { tokenEndpointAuthMethod: 'private_key_jwt', jwks })
  const known = await aFrontMachine(product, 'acme')
  for (const [{ id }, auth] of [
    [known, openid.ClientSecretPost(known.secret)],
    [keyed, openid.PrivateKeyJwt(pair.privateKey)],
  ] as const) {
    const config = await configure(id, auth)
    const { access_token: token, scope } = await openid.clientCredentialsGrant(config, asked())
    expect(scope).toBe('documents:read')
    const judged = await guard.check(`Bearer ${token}`, [])
    expect(judged.ok && [judged.value.tenant, judged.value.subject, judged.value.clientId]).toEqual(['acme', `acme.${id}`, id])
    await expect(openid.clientCredentialsGrant(config, asked('globex'))).rejects.toMatchObject({
      error: 'unauthorized_client',
      status: 400,
    })
    await expect(openid.clientCredentialsGrant(config, { resource: product.mcpUrl })).rejects.toMatchObject({ error: 'invalid_request' })
  }
})

it('oauth4webapi reads the token and every no', async () => {
  const { id, secret } = await aFrontMachine(product, 'acme')
  const url = new URL(product.publicUrl)
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }))
  expect(server.grant_types_supported).toContain('client_credentials')
  const client = { client_id: id }
  const ask = async (parameters: Record<string, string>, auth = oauth.ClientSecretPost(secret)) =>
    oauth.processClientCredentialsResponse(
      server,
      client,
      await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, insecure),
    )
  expect(await ask(asked())).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
  await expect(ask({ resource: product.mcpUrl })).rejects.toMatchObject({ error: 'invalid_request', status: 400 })
  await expect(ask(asked('nobody'))).rejects.toMatchObject({ error: 'invalid_request', status: 400 })
  await expect(ask(asked('globex'))).rejects.toMatchObject({ error: 'unauthorized_client', status: 400 })
  await expect(ask(asked(), oauth.ClientSecretPost('wrong'))).rejects.toMatchObject({ status: 401 })
})

type End = (client: string) => Promise<{ readonly status: number }>
const ends: Readonly<Record<string, End>> = {
  'the company takes its access away': (client) =>
    product.admin('PUT', `/tenants/acme/front-clients/${client}/machine-access`, { access: [] }),
  'the company kills it': (client) => product.admin('POST', `/tenants/acme/clients/${client}/kill`, { reason: 'a test' }),
  'the vendor kills it': (client) => product.admin('POST', `/front-issuer/clients/${client}/kill`, { reason: 'a test' }),
}

it.each(Object.entries(ends))('when %s, the guard lets it in no more; what another has lives', async (_how, end) => {
  const [ended, other] = [await aFrontMachine(product, 'acme'), await aFrontMachine(product, 'globex')]
  const tokenOf = async ({ id, secret }: typeof ended, tenant: string) =>
    (await openid.clientCredentialsGrant(await configure(id, openid.ClientSecretPost(secret)), asked(tenant))).access_token
  const [token, living] = [await tokenOf(ended, 'acme'), await tokenOf(other, 'globex')]
  const isLetIn = async (of: string) => (await guard.check(`Bearer ${of}`, [])).ok
  expect([await isLetIn(token), await isLetIn(living)]).toEqual([true, true])
  expect((await end(ended.id)).status).toBeLessThan(300)
  await eventually(async () => !(await isLetIn(token)))
  expect(await isLetIn(living)).toBe(true)
})
