/** One MCP server for all tenants, and one issuer before it: whoever starts there comes to her own company, and out again when that one says so. */
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, anAttempt, answerOf, redeem, refreshAt, registerAt, walk } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Company, eventually, nextSecond, type Product } from './a-product.js'

let product: Product
let guard: Guard
let clientId = ''
const companies = ['acme', 'globex'] as const

beforeAll(async () => {
  product = await aProduct()
  await aFrontIssuer(product)
  clientId = await registerAt(product.publicUrl)
  guard = createGuard({
    resource: product.mcpUrl,
    issuers: [{ issuer: product.publicUrl, front: true, credential: product.started.demonstration.resourceCredential }],
    ...{ toolScopes: {}, onDeaf: 'refuse' },
  })
  await guard.start()
}, 120_000)
afterAll(async () => {
  await guard?.stop()
  await product?.stop()
}, 60_000)

type Tokens = { readonly access_token: string; readonly refresh_token: string }
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const isLetIn = async (token: string) => (await guard.check(`Bearer ${token}`, [])).ok
async function introspect(token: string): Promise<unknown> {
  const { id, secret } = product.started.demonstration.resourceCredential
  const response = await fetch(`${product.publicUrl}/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ token }),
  })
  return ((await response.json()) as { active: unknown }).active
}

type Receipt = { readonly source: string; readonly deadAt: string | null }
const receiptsOf = async (company: Company): Promise<readonly Receipt[]> =>
  (await product.admin('GET', `/tenants/${company}/revocations`)).json['revocations'] as readonly Receipt[]

/** She says where she works; everything else is as at her company's own issuer. */
async function signIn(company: Company, name: string, browser = aBrowser()): Promise<Tokens> {
  const attempt = anAttempt({ issuer: product.publicUrl, clientId, resource: product.mcpUrl })
  const { page, seen } = await walk(await browser.open(attempt.url), { name, company })
  expect(seen).toEqual(['whose', 'notice', 'sign-in', 'consent'])
  expect(answerOf(page)).toMatchObject({ iss: product.publicUrl, state: attempt.state })
  const { status, json } = await redeem(attempt, page, product.publicUrl)
  expect({ status, json }).toMatchObject({ status: 200 })
  return json as Tokens
}

describe.each(companies)('a person of %s', (company) => {
  it('gets tokens of the front that say whose she is, and goes on with them', async () => {
    await product.provision(company)
    const tokens = await signIn(company, 'ada')
    expect(claimsOf(tokens.access_token)).toMatchObject({ iss: product.publicUrl, tenant: company, aud: product.mcpUrl })
    expect(await isLetIn(tokens.access_token)).toBe(true)
    expect(await introspect(tokens.access_token)).toBe(true)
    const refreshed = await refreshAt(product.publicUrl, clientId, tokens.refresh_token)
    expect(refreshed.status).toBe(200)
    expect(await isLetIn(String(refreshed.json['access_token']))).toBe(true)
    expect((await refreshAt(product.publicUrl, clientId, refreshed.json['refresh_token'])).status).toBe(200)
  })
})

it('a deprovisioning in one company kills the front tokens of its person, and of nobody else; its receipt says when all are dead', async () => {
  await nextSecond()
  const [lena, ada, other] = [await signIn('acme', 'lena'), await signIn('acme', 'ada'), await signIn('globex', 'lena')]
  expect(await Promise.all([lena, ada, other].map(({ access_token: token }) => isLetIn(token)))).toEqual([true, true, true])
  await product.setActive('acme', 'lena', false)
  await eventually(async () => !(await isLetIn(lena.access_token)))
  await eventually(async () => (await receiptsOf('acme')).some(({ source, deadAt }) => source === 'scim' && deadAt !== null))
  expect(await introspect(lena.access_token)).toBe(false)
  expect(await refreshAt(product.publicUrl, clientId, lena.refresh_token)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
  for (const { access_token: token, refresh_token: refresh } of [ada, other]) {
    expect(await isLetIn(token)).toBe(true)
    expect(await introspect(token)).toBe(true)
    expect((await refreshAt(product.publicUrl, clientId, refresh)).status).toBe(200)
  }
})
