/** A real browser, driven by the keyboard alone: acme's SAML login and the consent page, as a person without a mouse meets them. */
import { createServer, type Server } from 'node:http'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Attempt, anAttempt, post, registerAt } from './a-client.js'
import { fitsIn, focus, press, troublesOf } from './a-keyboard.js'
import { aProduct, type Product } from './a-product.js'

const executablePath = '/usr/bin/chromium'
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--headless']
const withChromium = hasTool('chromium', executablePath) ? describe : describe.skip // npm brings no browser; .ci/run installs and requires it

withChromium('in Chromium, by keyboard only', () => {
  let product: Product
  let browser: Browser
  let callback: Server
  let redirectUri = ''

  beforeAll(async () => {
    product = await aProduct()
    const port = await freePort()
    redirectUri = `http://127.0.0.1:${port}/callback`
    callback = createServer((_request, response) => response.end('back at the client')).listen(port, '127.0.0.1')
    browser = await chromium.launch({ executablePath, args: [...args, ...quiet] })
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    callback?.close()
    await product?.stop()
  }, 60_000)

  const anAsk = async (clientName: string): Promise<Attempt> => {
    const clientId = await registerAt(product.issuer('acme'), { client_name: clientName, redirect_uris: [redirectUri] })
    const scope = 'documents:read documents:write admin:purge'
    return anAttempt({ issuer: product.issuer('acme'), clientId, resource: product.mcpUrl, scope, redirectUri })
  }

  it('a person gets through both gates, her IdP and back to the client', async () => {
    const attempt = await anAsk('Atlas coding agent')
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } })
    const troubles = troublesOf(page)
    await page.goto(attempt.url)
    await press(page, 'Continue to sign-in')
    await press(page, 'Ada, with MFA')
    await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
    expect(await page.locator('main').innerText()).toContain('Atlas coding agent')
    await press(page, 'Allow')
    await page.getByText('back at the client').waitFor()
    const back = new URL(page.url())
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.any(String),
      state: attempt.state,
      iss: product.issuer('acme'),
    })
    const tokens = await post(`${product.issuer('acme')}/token`, {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      client_id: attempt.clientId,
      code_verifier: attempt.verifier,
      resource: attempt.resource,
    })
    expect(tokens.status).toBe(200)
    expect(troubles).toEqual([])
    await page.close()
  })

  it('the consent page fits a phone, works without JavaScript and shows where the focus is', async () => {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto((await anAsk('Phone agent')).url)
    await press(page, 'Continue to sign-in')
    await press(page, 'Ada, with MFA')
    await press(page, 'Continue') // the POST binding moves by itself only with scripts
    await page.getByRole('button', { name: 'Allow', exact: true }).waitFor()
    expect(await fitsIn(page)).toBe(true)
    expect(await page.evaluate('document.scripts.length')).toBe(0)
    expect(await page.evaluate('document.documentElement.lang')).not.toBe('')
    await focus(page, 'Allow')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none')
    await context.close()
  })

  it('a person opens an application from the portal of her company, and signs in as she always does', async () => {
    const attempt = await anAsk('Documents')
    const asked: URLSearchParams[] = []
    const documents = createServer((request, response) => {
      const query = new URL(request.url ?? '/', redirectUri).searchParams
      asked.push(query)
      response.writeHead(303, { location: `${attempt.url}&connection=${query.get('connection')}` }).end()
    })
    const initiateLoginUri = `http://127.0.0.1:${await freePort()}/login`
    documents.listen(Number(new URL(initiateLoginUri).port), '127.0.0.1')
    const { json } = await product.admin('GET', '/tenants/acme/connections')
    const [own] = json['connections'] as readonly { id: string; kind: string; name: string; configuration: object }[]
    const targets = [{ name: 'Documents', relayState: 'documents', initiateLoginUri }]
    const opened = { kind: own?.kind, name: own?.name, configuration: { ...own?.configuration, idpInitiated: { targets } } }
    expect(await product.admin('PUT', `/tenants/acme/connections/${own?.id}`, opened)).toMatchObject({ status: 200 })
    const page = await browser.newPage()
    const troubles = troublesOf(page)
    await page.goto(`${product.started.simulatorUrl}/acme`)
    await press(page, 'Open Documents from the company portal')
    await press(page, 'Continue to sign-in')
    await press(page, 'Ada, with MFA')
    await press(page, 'Allow')
    await page.getByText('back at the client').waitFor()
    expect(new URL(page.url()).searchParams.get('code')).toMatch(/^dbc_/)
    expect(asked.map((query) => query.get('iss'))).toEqual([product.issuer('acme')])
    expect(troubles).toEqual([])
    await page.close()
    documents.close()
  })

  it('a person whose company has two connections chooses one, and comes home by it', async () => {
    const { json } = await product.admin('GET', '/tenants/acme/connections')
    const [own] = json['connections'] as readonly { kind: string; name: string; configuration: unknown }[]
    const added = { kind: own?.kind, name: 'Lisbon office', configuration: own?.configuration }
    expect(await product.admin('POST', '/tenants/acme/connections', added)).toMatchObject({ status: 201 })
    const page = await browser.newPage()
    const troubles = troublesOf(page)
    await page.goto((await anAsk('Two offices agent')).url)
    await page.getByRole('button', { name: 'Lisbon office', exact: true }).waitFor()
    await press(page, own?.name ?? '')
    await press(page, 'Continue to sign-in')
    await press(page, 'Ada, with MFA')
    await press(page, 'Allow')
    await page.getByText('back at the client').waitFor()
    expect(new URL(page.url()).searchParams.get('code')).toMatch(/^dbc_/)
    expect(troubles).toEqual([])
    await page.close()
  })

  const aSetupLink = async (slug: string): Promise<string> => {
    expect(await product.admin('POST', '/tenants', { slug, name: 'Initech' })).toMatchObject({ status: 201 })
    const { json } = await product.admin('POST', `/tenants/${slug}/setup-links`, { note: 'Peter of IT' })
    return String(json['url'])
  }

  it('a company’s IT opens its link, chooses its product, describes its IdP and uses it', async () => {
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } })
    const troubles = troublesOf(page)
    await page.goto(await aSetupLink('initech'))
    await page.getByRole('heading', { name: '1. At your identity provider' }).waitFor()
    expect(new URL(page.url()).hash).toBe('')
    await page.getByLabel('Your identity provider').selectOption('okta')
    await press(page, 'Show what to enter there')
    await page.getByText('Audience URI (SP Entity ID)').waitFor()
    await page.getByLabel('or the document').fill(await (await fetch(`${product.started.simulatorUrl}/acme/metadata`)).text())
    await press(page, 'Look at it as SAML')
    await page.getByRole('heading', { name: 'What was understood' }).waitFor()
    await press(page, 'Use this connection')
    await page.getByRole('heading', { name: 'It is active' }).waitFor()
    expect((await product.admin('GET', '/tenants/initech/connections')).json['connections']).toHaveLength(1)
    await page.getByLabel('Domain of your addresses').fill('initech.example')
    await press(page, 'Claim this domain')
    await page.getByText('_drawbridge-challenge.initech.example').waitFor()
    await focus(page, 'Check initech.example now')
    const popup = page.waitForEvent('popup')
    await press(page, 'Test the sign-in')
    const test = await popup
    const itsTroubles = troublesOf(test)
    await test.getByText('on the set-up page of this browser').waitFor()
    expect(itsTroubles).toEqual([])
    await press(test, 'Start the test')
    // There the trip ends: the simulated IdP was told of no such application. What comes home is in setup-tests.test.ts.
    await test.waitForURL(`${product.started.simulatorUrl}/**`)
    await test.close()
    await press(page, 'Look whether a test is done')
    await page.getByText('On its way.').waitFor()
    await page.locator('a[href*="/setup/test-logins/"]').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'What the test found' }).waitFor()
    expect(troubles).toEqual([])
    await page.close()
  })

  it('without JavaScript, on a phone, the code of a set-up link is typed, and the steps fit', async () => {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, javaScriptEnabled: false })
    const page = await context.newPage()
    const link = await aSetupLink('initrode')
    await page.goto(link)
    await page.getByLabel('The code behind the # of your link').fill(new URL(link).hash.slice(1))
    await press(page, 'Begin')
    for (const vendor of ['', 'onelogin', 'keycloak']) {
      await page.getByLabel('Your identity provider').selectOption(vendor)
      await press(page, 'Show what to enter there')
      await page.waitForURL(`**/setup?vendor=${vendor}`)
      expect(await fitsIn(page)).toBe(true)
    }
    const metadata = await (await fetch(`${product.started.simulatorUrl}/acme/metadata`)).text()
    const upload = async (text: string) => {
      const file = { name: 'metadata.xml', mimeType: 'text/xml', buffer: Buffer.from(text) }
      await page.getByLabel('or the file').setInputFiles(file)
      await press(page, 'Look at it as SAML')
    }
    await upload(metadata + ' '.repeat(600_000))
    await page.getByRole('heading', { name: 'Too large' }).waitFor()
    await page.goBack()
    await upload(metadata)
    await page.getByRole('heading', { name: 'What was understood' }).waitFor()
    expect(await page.locator('dl').last().innerText()).toContain('NameID')
    await press(page, 'Use this connection')
    await page.getByLabel('Domain of your addresses').fill('a-company-with-a-rather-long-name.example')
    await press(page, 'Claim this domain')
    await page.getByText('Not proven yet').waitFor()
    expect(await fitsIn(page)).toBe(true)
    const popup = page.waitForEvent('popup')
    await press(page, 'Test the sign-in')
    const test = await popup
    await test.getByRole('button', { name: 'Start the test' }).waitFor()
    await press(page, 'Look whether a test is done')
    await page.getByRole('link', { name: /^Of / }).press('Enter')
    await page.getByRole('heading', { name: 'What the test found' }).waitFor()
    expect(await fitsIn(page)).toBe(true)
    await context.close()
  })
})
