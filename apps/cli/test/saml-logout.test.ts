/** Single logout through the whole product: over at the IdP is over at the MCP server within seconds, and over here is over at the IdP. */
import { callTool, discover } from '@drawbridge/cli/demo-client'
import type { Browser } from '@drawbridge/simulator/browser'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, logIn, redeem, refreshAt, registerAt } from './a-client.js'
import { aProduct, eventually, nextSecond, type Product } from './a-product.js'

let product: Product
let desk: string
beforeAll(async () => {
  product = await aProduct()
  desk = product.started.simulatorUrl
}, 120_000)
afterAll(() => product.stop(), 60_000)

async function signIn(browser: Browser, name: string) {
  await nextSecond()
  const { issuer } = await discover(product.mcpUrl, 'acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl })
  const { page, seen } = await logIn(attempt, { name }, browser)
  const { json } = await redeem(attempt, page, issuer)
  const token = String(json['access_token'])
  expect((await callTool(product.mcpUrl, token)).status).toBe(200)
  return { issuer, clientId, token, refreshToken: json['refresh_token'], seen }
}

/** Sessions that the IdP knows, the latest first. */
const sessionsAtIdp = async (): Promise<readonly string[]> =>
  [...(await (await fetch(`${desk}/acme`)).text()).matchAll(/name="session" value="([^"]+)"/g)].map(([, session]) => session as string)

it('whoever signs out at the IdP is out at the MCP server, and has to sign in again', async () => {
  const [browser, others] = [aBrowser(), aBrowser()]
  const ada = await signIn(browser, 'ada')
  const clark = await signIn(others, 'clark')
  expect(ada.seen).toContain('sign-in')
  const [, ofAda] = await sessionsAtIdp()
  const page = await (await browser.open(`${desk}/acme`)).form('session').submit({ session: ofAda as string })
  expect(page.text).toContain('Signed out here, and at the service.')
  expect(page.trail.some((url) => url.startsWith(`${ada.issuer}/saml/`))).toBe(true)

  await eventually(async () => (await callTool(product.mcpUrl, ada.token)).status === 401)
  expect(await refreshAt(ada.issuer, ada.clientId, ada.refreshToken)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
  expect((await signIn(browser, 'ada')).seen).toContain('sign-in')
  expect((await callTool(product.mcpUrl, clark.token)).status).toBe(200)
}, 60_000)

it('whoever signs out here is out at the IdP, which says so', async () => {
  const browser = aBrowser()
  const ada = await signIn(browser, 'ada')
  const [latest] = await sessionsAtIdp()
  const page = await (await browser.open(`${ada.issuer}/logout`)).form().submit()
  expect(page.text).toContain('Your company’s own sign-in has signed you out, too.')
  expect(page.trail.some((url) => url.startsWith(`${desk}/acme/slo?SAMLRequest=`))).toBe(true)
  expect(await sessionsAtIdp()).not.toContain(latest)
  await eventually(async () => (await callTool(product.mcpUrl, ada.token)).status === 401)
}, 60_000)
