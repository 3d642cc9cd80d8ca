/** Logout with an OpenID provider that nobody here wrote: it tells us of an end, and it is told of one. */
import { callTool } from '@drawbridge/cli/demo-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, anAttempt, answerOf, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

let product: Product
let issuer: string
let clientId: string

beforeAll(async () => {
  product = await aProduct()
  issuer = product.issuer('globex')
  clientId = await registerAt(issuer)
}, 120_000)
afterAll(() => product.stop(), 60_000)

async function signIn(name: string) {
  const browser = aBrowser()
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl, scope: 'documents:read' })
  const { page } = await logIn(attempt, { name }, browser)
  const { json } = await redeem(attempt, page, issuer)
  const [accessToken, refreshToken] = [String(json['access_token']), String(json['refresh_token'])]
  expect((await callTool(product.mcpUrl, accessToken)).status).toBe(200)
  return { browser, attempt, accessToken, refreshToken }
}
const isRefused = async (accessToken: string): Promise<boolean> => (await callTool(product.mcpUrl, accessToken)).status === 401

describe('the provider says that everything of a person is over', () => {
  it('her tokens are refused at the MCP server and here, and nobody else’s', async () => {
    const [ada, max] = [await signIn('ada'), await signIn('max')]
    await product.logOut('ada')
    expect(await refreshAt(issuer, clientId, ada.refreshToken)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
    await eventually(() => isRefused(ada.accessToken))
    expect(await isRefused(max.accessToken)).toBe(false)
    const again = await logIn(ada.attempt, { name: 'ada' }, ada.browser)
    expect(again.seen).toContain('sign-in')
    expect(answerOf(again.page)).toHaveProperty('code')
  })
})

describe('a person signs out at the provider', () => {
  it('the provider names her session, and what was granted from it is refused', async () => {
    const [here, elsewhere] = [await signIn('lena'), await signIn('lena')]
    const asked = await here.browser.open(`${product.started.simulatorUrl}/globex/session/end`)
    expect((await asked.form('op.logoutForm').submit({ logout: 'yes' })).text).toContain('Signed out')
    await eventually(() => isRefused(here.accessToken))
    expect(await isRefused(elsewhere.accessToken)).toBe(false)
  })
})

describe('a person signs out here', () => {
  it('is led through the provider, which ends her session and tells us so, and back', async () => {
    const { browser, attempt, accessToken } = await signIn('lena')
    const asked = await browser.open(`${issuer}/logout`)
    const atProvider = await asked.form('proof').submit()
    expect(atProvider.text).toContain('Sign out of the company?')
    await eventually(() => isRefused(accessToken))
    const back = await atProvider.form('op.logoutForm').submit({ logout: 'yes' })
    expect(new URL(back.url).pathname).toBe('/t/globex/logout/done')
    expect(back.text).toContain('has signed you out, too')
    const again = await logIn(attempt, { name: 'lena' }, browser)
    expect(again.seen).toContain('sign-in')
  })
})

it('what the trail says of it names ways and counts, and no token', async () => {
  const { json } = await product.admin('GET', '/tenants/globex/audit-events?kind=session_ended')
  const events = json['auditEvents'] as { reason: string; detail: Record<string, unknown> }[]
  expect(events.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['backchannel_logout', 'signed_out']))
  expect(JSON.stringify(events)).not.toMatch(/eyJ/)
})
