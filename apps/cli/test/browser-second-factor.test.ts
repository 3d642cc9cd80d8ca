/** A second factor in a real browser with an authenticator of its own: the script runs under the page's policy, and a code needs none. */
import { createServer, type Server } from 'node:http'
import { instant } from '@drawbridge/core/instant'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { appShows } from '@drawbridge/testkit/an-authenticator-app'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import decodeQR from 'qr/decode.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anAttempt, registerAt } from './a-client.js'
import { fitsIn, press, troublesOf } from './a-keyboard.js'
import { aProduct, type Product } from './a-product.js'

const executablePath = '/usr/bin/chromium'
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--headless']
const withChromium = hasTool('chromium', executablePath) ? describe : describe.skip // npm brings no browser; .ci/run installs and requires it

withChromium('a second factor in Chromium', () => {
  let product: Product
  let browser: Browser
  let callback: Server
  let redirectUri = ''
  let clientId = ''

  beforeAll(async () => {
    product = await aProduct()
    redirectUri = `http://127.0.0.1:${await freePort()}/callback`
    callback = createServer((_request, response) => response.end('back at the client')).listen(
      Number(new URL(redirectUri).port),
      '127.0.0.1',
    )
    browser = await chromium.launch({ executablePath, args: [...args, ...quiet] })
    clientId = await registerAt(product.issuer('acme'), { client_name: 'Purging agent', redirect_uris: [redirectUri] })
    const { json } = await product.admin('GET', '/tenants/acme/connections')
    const [own] = json['connections'] as readonly { id: string }[]
    const setting = { mode: 'on', cannotProve: [own?.id] }
    expect(await product.admin('PUT', '/tenants/acme/second-factor', setting)).toMatchObject({ status: 200 })
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    callback?.close()
    await product?.stop()
  }, 60_000)

  /** To our page: what may do harm demands a second factor, and the sign-in shows a password. */
  async function toSecondFactor(page: Page, person: string): Promise<void> {
    const scope = 'documents:read admin:purge'
    await page.goto(anAttempt({ issuer: product.issuer('acme'), clientId, resource: product.mcpUrl, scope, redirectUri }).url)
    for (let steps = 0; steps < 8; steps += 1) {
      await page.waitForLoadState()
      if (/\/authorize\/second-factor/.test(page.url())) return
      const known = ['Continue to sign-in', person, 'Continue']
      for (const name of known) {
        const button = page.getByRole('button', { name, exact: true })
        if ((await button.count()) > 0) {
          await Promise.all([page.waitForNavigation(), button.first().click()])
          break
        }
      }
    }
    throw new Error(`not sent to a second factor: ${page.url()} ${await page.locator('h1').innerText()}`)
  }

  async function aCodeFor(sub: RegExp): Promise<string> {
    const { json } = await product.admin('GET', '/tenants/acme/subjects')
    const people = json['subjects'] as readonly { id: string; stableId: string }[]
    const found = people.find(({ stableId }) => sub.test(stableId))
    const made = await product.admin('POST', `/tenants/acme/subjects/${found?.id}/factor-codes`)
    expect(made.status).toBe(201)
    return String(made.json['code'])
  }

  async function aBrowserOf(options: BrowserContextOptions): Promise<{ context: BrowserContext; page: Page; troubles: string[] }> {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    return { context, page, troubles: troublesOf(page) }
  }

  it('a person enrols a passkey by keyboard, and comes back with it', async () => {
    const { context, page, troubles } = await aBrowserOf({ viewport: { width: 1100, height: 900 } })
    const cdp = await context.newCDPSession(page)
    await cdp.send('WebAuthn.enable')
    const device = {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    } as const
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: { ...device, automaticPresenceSimulation: true },
    })
    await toSecondFactor(page, 'Ada, with a password only')
    await page.getByLabel('The code that they told you').fill(await aCodeFor(/ada/i))
    await press(page, 'Continue')
    await press(page, 'Add a passkey')
    await page.getByRole('heading', { name: 'Show that it is you' }).waitFor()
    await press(page, 'Use a passkey')
    await press(page, 'Allow')
    await page.getByText('back at the client').waitFor()
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
    expect(credentials.map(({ rpId, signCount }) => [rpId, signCount > 0])).toEqual([[new URL(product.publicUrl).hostname, true]])
    // A device that verifies nobody is asked again, and the page says so.
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
    await toSecondFactor(page, 'Ada, with a password only')
    await press(page, 'Use a passkey')
    await page.getByText('Your device did not answer with a passkey').waitFor({ timeout: 150_000 })
    expect(troubles).toEqual([])
    await context.close()
  }, 240_000)

  it('without JavaScript, on a phone, a person enrols an app and comes back with its code', async () => {
    const { context, page, troubles } = await aBrowserOf({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })
    const fits = async () => expect(await fitsIn(page)).toBe(true)
    await toSecondFactor(page, 'Clark, with a password only')
    await fits()
    await page.getByLabel('The code that they told you').fill(await aCodeFor(/clark/i))
    await press(page, 'Continue')
    await page.getByRole('heading', { name: 'An authenticator app' }).waitFor()
    await fits()
    const key = (await page.locator('main code').first().innerText()).replaceAll(' ', '')
    expect(new URL(await scanned(page)).searchParams.get('secret')).toBe(key)
    const field = page.getByLabel('The code that the app shows for it')
    const enrolledAt = Date.now()
    await field.fill(appShows(key, instant(enrolledAt)))
    await press(page, 'Add the app')
    await page.getByRole('heading', { name: 'Show that it is you' }).waitFor()
    await fits()
    // The code that enrolled it is used; the app's next one is near enough.
    await page.getByLabel('The code that your authenticator app shows').fill(appShows(key, instant(enrolledAt + 30_000)))
    await press(page, 'Continue with the code')
    await press(page, 'Allow')
    await page.getByText('back at the client').waitFor()
    expect(troubles).toEqual([])
    await context.close()
  }, 120_000)

  it('on a phone, without JavaScript and by keyboard, a person adds an app to the one that she has, and takes the old one away', async () => {
    const { context, page, troubles } = await aBrowserOf({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })
    const fits = async () => expect(await fitsIn(page)).toBe(true)
    await toSecondFactor(page, 'Max, with a password only')
    await page.getByLabel('The code that they told you').fill(await aCodeFor(/max/i))
    await press(page, 'Continue')
    const first = await keyShown(page)
    const firstAt = Date.now()
    await page.getByLabel('The code that the app shows for it').fill(appShows(first, instant(firstAt)))
    await press(page, 'Add the app')
    await page.getByRole('heading', { name: 'Show that it is you' }).waitFor()

    await page.goto(`${product.issuer('acme')}/factors`)
    await fits()
    await press(page, 'Continue to sign-in')
    await press(page, 'Max, with a password only')
    // Without JavaScript the IdP's answer is sent on by a button.
    await press(page, 'Continue')
    await page.getByRole('heading', { name: 'Show that it is you' }).waitFor()
    await fits()
    await page.getByLabel('The code that your authenticator app shows').fill(appShows(first, instant(firstAt + 30_000)))
    await press(page, 'Continue with the code')
    await page.getByRole('heading', { name: 'Your second factors' }).waitFor()
    await fits()
    await page.getByText('It is the only one').waitFor()
    await press(page, 'Add a passkey or an app')
    const second = await keyShown(page)
    await fits()
    await page.getByLabel('The code that the app shows for it').fill(appShows(second, instant(Date.now())))
    await press(page, 'Add the app')
    await page.getByText('Never shown yet.').waitFor()
    await fits()
    await press(page, 'Remove 1. Authenticator app')
    await page.getByRole('heading', { name: 'Remove this one?' }).waitFor()
    await fits()
    await press(page, 'Remove it')
    await page.getByText('None of yours can be shown here now').waitFor()
    await fits()
    const { json } = await product.admin('GET', '/tenants/acme/factors')
    const apps = (json['factors'] as readonly { kind: string; enrolledBy: string }[]).filter(({ enrolledBy }) => enrolledBy === 'factor')
    expect(apps).toHaveLength(1)
    expect(troubles).toEqual([])
    await context.close()
  }, 180_000)
})

const keyShown = async (page: Page): Promise<string> => {
  await page.getByRole('heading', { name: 'An authenticator app' }).waitFor()
  return (await page.locator('main code').first().innerText()).replaceAll(' ', '')
}

/** What a phone held before the page reads: of its pixels, in the colours of a dark page, too. */
async function scanned(page: Page): Promise<string> {
  await page.emulateMedia({ colorScheme: 'dark' })
  const shot = await page.getByRole('img', { name: 'QR code of the key that stands below as text' }).screenshot()
  await page.emulateMedia({ colorScheme: null })
  const context = (await page.context().browser()?.newContext()) as BrowserContext
  const beside = await context.newPage()
  const { width, height, data } = await beside.evaluate(
    async (png) => {
      const image = await createImageBitmap(await (await fetch(png)).blob())
      const canvas = new OffscreenCanvas(image.width, image.height)
      const drawing = canvas.getContext('2d')
      drawing?.drawImage(image, 0, 0)
      const pixels = drawing?.getImageData(0, 0, image.width, image.height)
      return { width: image.width, height: image.height, data: [...(pixels?.data ?? [])] }
    },
    `data:image/png;base64,${shot.toString('base64')}`,
  )
  await context.close()
  return decodeQR({ width, height, data: Uint8ClampedArray.from(data) })
}
