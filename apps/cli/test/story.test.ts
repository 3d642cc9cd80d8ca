/** The story from 401 to kill, over SAML and OpenID Connect, for a client known in each of the three ways. */
import { createServer, type Server } from 'node:http'
import { callTool, discover } from '@drawbridge/cli/demo-client'
import { createExampleAgent } from '@drawbridge/example-agent/example-agent'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anAttempt, answerOf, logIn, redeem, redirectUri, refreshAt, registerAt, webRedirectUri } from './a-client.js'
import { aProduct, type Company, eventually, nextSecond, type Product } from './a-product.js'

let product: Product
let publisher: Server
let documentUrl = ''
let documentFetches = 0

beforeAll(async () => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  documentUrl = `${origin}/client.json`
  const document = {
    client_id: documentUrl,
    client_name: 'Published agent',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  publisher = createServer((_request, response) => {
    documentFetches += 1
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  }).listen(port, '127.0.0.1')
  product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: origin })
}, 120_000)
afterAll(async () => {
  publisher.close()
  await product.stop()
}, 60_000)

const preRegister = async (company: Company): Promise<string> => {
  const body = { name: 'Reviewed agent', redirectUris: [webRedirectUri], preApproved: true }
  const { status, json } = await product.admin('POST', `/tenants/${company}/clients`, body)
  expect(status).toBe(201)
  return String(json['clientId'])
}
const known = {
  'a metadata document': { clientOf: async () => documentUrl, back: redirectUri, gates: ['notice', 'sign-in', 'consent'] },
  'dynamic registration': {
    clientOf: (company: Company) => registerAt(product.issuer(company)),
    back: redirectUri,
    gates: ['notice', 'sign-in', 'consent'],
  },
  'the admin, who approved it': { clientOf: preRegister, back: webRedirectUri, gates: ['sign-in'] },
} as const

describe.each(['acme', 'globex'] as const)('at %s', (company) => {
  it.each(Object.keys(known) as (keyof typeof known)[])('a client known by %s gets in, and out again when IT says so', async (way) => {
    const { clientOf, back, gates } = known[way]
    await product.provision(company)
    await product.setActive(company, 'lena', true)
    await nextSecond()
    const discovered = await discover(product.mcpUrl, company)
    const clientId = await clientOf(company)
    const scope = 'documents:read documents:write'
    const attempt = anAttempt({ issuer: discovered.issuer, clientId, resource: product.mcpUrl, scope, redirectUri: back })
    const { page, seen } = await logIn(attempt, { name: 'lena' })
    expect(page.isStopped ? seen : page.text).toEqual(gates)
    expect(answerOf(page)).toEqual({ code: expect.stringMatching(/^dbc_/), state: attempt.state, iss: discovered.issuer })
    const tokens = await redeem(attempt, page, discovered.issuer)
    expect(tokens).toMatchObject({ status: 200, json: { token_type: 'Bearer', scope } })
    const accessToken = String(tokens.json['access_token'])
    expect((await callTool(product.mcpUrl, accessToken)).status).toBe(200)
    const fresh = await refreshAt(discovered.issuer, clientId, tokens.json['refresh_token'])
    expect(fresh.status).toBe(200)

    await product.setActive(company, 'lena', false)
    await eventually(async () => (await callTool(product.mcpUrl, accessToken)).status === 401)
    expect((await callTool(product.mcpUrl, String(fresh.json['access_token']))).status).toBe(401)
    expect(await refreshAt(discovered.issuer, clientId, fresh.json['refresh_token'])).toMatchObject({
      status: 400,
      json: { error: 'invalid_grant' },
    })
    const again = await logIn({ ...attempt }, { name: 'lena' })
    expect(again.page).toMatchObject({ isStopped: false, status: 403, text: expect.stringContaining('subject_deactivated') })
  })
})

it('fetched the document once per tenant and no more, for it may be kept', () => {
  expect(documentFetches).toBe(2)
})

it('the official MCP client finds its way by itself, and steps up for a tool that needs more', async () => {
  const browser = async (url: URL) => new URL((await logIn({ ...anAttempt(anyAsk()), url: url.href }, { name: 'ada' })).page.url)
  const agent = createExampleAgent({ serverUrl: product.mcpUrl, redirectUrl: redirectUri, browser })
  await agent.connect()
  expect(await agent.callTool('search_documents', { text: 'Drawbridge' })).toContain('welcome')
  expect(await agent.callTool('write_document', { name: 'plan', content: 'raise the bridge' })).toBe('wrote plan')
  expect(agent.visits()).toBe(2)
  await agent.close()
})

const anyAsk = () => ({ issuer: product.issuer('acme'), clientId: 'unused', resource: product.mcpUrl })
