/** A device without a browser and a person elsewhere, against the whole broker: two strict client libraries, and Chromium by keyboard. RFC 8628. */
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { hasTool } from '@drawbridge/testkit/required-tool'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, registerAt, walk } from './a-client.js'
import { fitsIn, press, troublesOf } from './a-keyboard.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
let issuer: string
const insecure = { [oauth.allowInsecureRequests]: true }
const television = { client_name: 'Television', grant_types: [deviceGrantType, 'refresh_token'], redirect_uris: [] }

beforeAll(async () => {
  // A laboratory, so that a device need not wait in real time.
  product = await aProduct({ DRAWBRIDGE_LAB: 'true' })
  issuer = product.issuer('acme')
  expect(await product.admin('PUT', '/tenants/acme/device-grant', { enabled: true })).toMatchObject({ status: 200 })
}, 120_000)
afterAll(() => product?.stop(), 60_000)

/** Opens the address that brings the code, types nothing, and goes on from page to page. */
async function answerElsewhere(address: string, atConsent: 'allow' | 'deny' = 'allow') {
  const typed = await aBrowser().open(address)
  const shown = await typed.form('user_code').submit()
  return walk(shown, { name: 'ada', atConsent })
}

const asked = () => ({ scope: 'openid documents:read', resource: product.mcpUrl })

describe('openid-client', () => {
  const configure = async () => {
    const clientId = await registerAt(issuer, television)
    const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.None(), { execute: [openid.allowInsecureRequests] })
    openid.enableNonRepudiationChecks(config)
    return { clientId, config }
  }

  it('asks, polls until the person has said yes, reads who she is, and refreshes', async () => {
    const { clientId, config } = await configure()
    const device = await openid.initiateDeviceAuthorization(config, asked())
    const { page, seen } = await answerElsewhere(device.verification_uri_complete ?? '')
    expect(seen).toEqual(['notice', 'notice', 'sign-in', 'consent'])
    expect(page.text).toContain('You can go back to your device')
    const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0 })
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'openid documents:read' })
    expect(tokens.claims()).toMatchObject({ iss: issuer, aud: clientId, sub: expect.any(String) })
    const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
    expect(fresh.access_token).not.toBe(tokens.access_token)
  })

  it('hears that she said no', async () => {
    const { config } = await configure()
    const device = await openid.initiateDeviceAuthorization(config, asked())
    await answerElsewhere(device.verification_uri_complete ?? '', 'deny')
    await expect(openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0 })).rejects.toMatchObject({ error: 'access_denied' })
  })
})

describe('oauth4webapi', () => {
  it('reads every answer of the grant: waiting, too early, and the tokens', async () => {
    const url = new URL(issuer)
    const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }))
    const client = { client_id: await registerAt(issuer, television) }
    const device = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(server, client, oauth.None(), asked(), insecure),
    )
    expect(device).toMatchObject({ verification_uri: `${issuer}/device`, interval: 5 })
    const poll = async () => {
      const response = await oauth.deviceCodeGrantRequest(server, client, oauth.None(), device.device_code, insecure)
      return oauth.processDeviceCodeResponse(server, client, response)
    }
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending', status: 400 })
    await expect(poll()).rejects.toMatchObject({ error: 'slow_down', status: 400 })
    await answerElsewhere(device.verification_uri_complete ?? '')
    // Told to slow down, it waits ten seconds: those of the broker's own clock.
    expect(await product.admin('PUT', '/lab/clock', { offsetSeconds: 10 })).toMatchObject({ status: 200 })
    expect(await poll()).toMatchObject({ access_token: expect.any(String), scope: 'openid documents:read' })
  })
})

const executablePath = '/usr/bin/chromium'
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--headless']
const withChromium = hasTool('chromium', executablePath) ? describe : describe.skip // npm brings no browser; .ci/run installs and requires it

withChromium('in Chromium, by keyboard only', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args })
  }, 60_000)
  afterAll(() => browser?.close())

  it('a person types the code of a device, reads whose it is, signs in and says yes, on a phone without scripts', async () => {
    const clientId = await registerAt(issuer, television)
    const body = new URLSearchParams({ client_id: clientId, ...asked() })
    const device = (await (await fetch(`${issuer}/device_authorization`, { method: 'POST', body })).json()) as Record<string, string>
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })
    const page = await context.newPage()
    const troubles = troublesOf(page)
    await page.goto(device['verification_uri'] ?? '')
    expect(await page.getByLabel('Code').and(page.locator(':focus')).count()).toBe(1)
    await page.keyboard.type(String(device['user_code']).toLowerCase().replace('-', ' '))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Is this your device?' }).waitFor()
    expect(await fitsIn(page)).toBe(true)
    const said = await page.locator('main').innerText()
    for (const fact of [device['user_code'] ?? '', 'Television', 'If somebody sent you the code']) expect(said).toContain(fact)
    await press(page, 'Yes, this is my device')
    await press(page, 'Continue to sign-in')
    await press(page, 'Ada, with MFA')
    await press(page, 'Continue') // the POST binding moves by itself only with scripts
    await press(page, 'Allow')
    await page.getByRole('heading', { name: 'You can go back to your device' }).waitFor()
    expect(await fitsIn(page)).toBe(true)
    expect(troubles).toEqual([])
    await context.close()
  })
})
