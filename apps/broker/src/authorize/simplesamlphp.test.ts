/** A whole login at an IdP that nobody here wrote: SimpleSAMLphp reads our metadata, verifies our requests, signs and encrypts. */
import { type Browser, openBrowser, type Page } from '@drawbridge/simulator/browser'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { anAuthorizeUrl } from '@drawbridge/testkit/a-login'
import { aSimpleSamlPhp, hasSimpleSamlPhp, type SimpleSamlPhp } from '@drawbridge/testkit/a-simplesamlphp'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BrokerApp, createApp } from '../app.js'

const withSimpleSamlPhp = hasSimpleSamlPhp() ? describe : describe.skip // npm brings no PHP; .ci/run installs and requires it
const redirectUri = 'http://127.0.0.1:51234/callback'
const policy = `version: 1\nrules: [{name: staff, effect: grant, scopes: ["read"], groups: [staff]}]\n`
const people = {
  ada: { password: 'lovelace', attributes: { uid: ['ada'], groups: ['staff', 'engineering'] } },
  eve: { password: 'elsewhere', attributes: { uid: ['eve'], groups: ['staff'], audience: ['https://other.example'] } },
}

withSimpleSamlPhp('SimpleSAMLphp', () => {
  let fixture: TestDatabase
  let idp: SimpleSamlPhp
  let plain: TestBroker
  let app: BrokerApp
  let publicUrl: string
  let tenant: ATenant
  let call: Call

  beforeAll(async () => {
    fixture = await testDatabase()
    idp = await aSimpleSamlPhp(people)
    const port = await freePort()
    publicUrl = `http://127.0.0.1:${port}`
    plain = await aBroker(fixture.database)
    tenant = await aTenant(fixture, { slug: 'acme', publicUrl })
    const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'read', 'read', false)`
    await asOwner(fixture.ownerUrl, scope, [tenant.tenantId, tenant.resourceId])
    await asOwner(fixture.ownerUrl, `UPDATE connections SET kind = 'saml' WHERE id = $1`, [tenant.connectionId])
    await inTenant(fixture.database, tenant.tenantId, (db) =>
      publishPolicy(db, tenant.tenantId, { document: policy, author: 'test', now: plain.deps.clock.now() }),
    )
    app = createApp({ ...plain.deps, settings: { ...plain.deps.settings, publicUrl } })
    await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.1', resolve))
    call = anAdmin({ url: publicUrl, adminKey: plain.adminKey })
    // More logins than a person begins within seconds, on a machine that is quick.
    expect((await call('PUT', '/tenants/acme/lab/rate-limits', { login: { perSecond: 1000, burst: 1000 } })).status).toBe(200)
    plain.deps.configuration.invalidate()
  }, 60_000)
  afterAll(async () => {
    idp?.close()
    await app?.close()
    await plain?.close()
    await fixture?.close()
  })

  /** Each reads the metadata of the other. */
  async function connect(configuration: Record<string, unknown>, given?: string) {
    const metadataXml = given ?? (await (await fetch(idp.metadataUrl)).text())
    const mine = { stableIdAttribute: 'uid', groupsAttribute: 'groups', signRequests: true, ...configuration }
    const path = `/tenants/acme/connections/${tenant.connectionId}`
    const saved = await call('PUT', path, { kind: 'saml', name: 'SimpleSAMLphp', metadataXml, configuration: mine })
    expect(saved).toMatchObject({ status: 200, body: { configuration: { idpEntityId: idp.entityId } } })
    plain.deps.configuration.invalidate()
    idp.trust(await (await fetch(`${publicUrl}/t/acme/saml/${tenant.connectionId}/metadata`)).text())
  }

  const rs256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
  /** What the IdP does with us, and what the connection says of it. */
  async function agree(options: Record<string, string | boolean>, configuration: Record<string, unknown> = {}) {
    idp.set({ 'signature.algorithm': rs256, ...options })
    await connect(configuration)
  }

  async function startLogin(browser: Browser = openBrowser({ stopAt: redirectUri })): Promise<Page> {
    const asked = anAuthorizeUrl(`${publicUrl}/t/acme`, tenant, { redirect_uri: redirectUri, scope: 'read' })
    const notice = await browser.open(asked)
    return notice.text.includes('An application wants you to sign in') ? notice.form().submit({ answer: 'continue' }) : notice
  }

  async function signIn(name: keyof typeof people, browser?: Browser): Promise<Page> {
    const login = await startLogin(browser)
    return login.form('username').submit({ username: name, password: people[name].password })
  }

  const causeFor = async (name: keyof typeof people) => {
    const { text } = await signIn(name)
    return /cause (\w+)/.exec(text)?.[1] ?? text
  }

  async function expectCode(name: keyof typeof people) {
    const consent = await signIn(name)
    expect(consent.text).toContain('Allow Client?')
    const done = await consent.form().submit({ answer: 'allow' })
    expect(Object.fromEntries(new URL(done.url).searchParams)).toMatchObject({ code: expect.stringMatching(/^dbc_/), state: 'xyz' })
  }

  const xmldsig = 'http://www.w3.org/2001/04/xmldsig-more#'
  it.each([
    { what: 'the assertion', options: { 'saml20.sign.response': false, 'saml20.sign.assertion': true } },
    { what: 'the response', options: { 'saml20.sign.response': true, 'saml20.sign.assertion': false } },
    {
      what: 'both with SHA-384',
      options: { 'saml20.sign.response': true, 'saml20.sign.assertion': true, 'signature.algorithm': `${xmldsig}rsa-sha384` },
    },
    {
      what: 'both with SHA-512',
      options: { 'saml20.sign.response': true, 'saml20.sign.assertion': true, 'signature.algorithm': `${xmldsig}rsa-sha512` },
    },
  ])('signs $what, and ada leaves with a code', async ({ options }) => {
    for (const signatureReader of ['xml-signature', 'xml-crypto']) {
      await agree(options, { signatureReader })
      await expectCode('ada')
    }
  })

  it('signs with SHA-1, and is refused', async () => {
    await agree({ 'signature.algorithm': 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' })
    expect(await causeFor('ada')).toBe('saml_algorithm_sha1')
  })

  it('encrypts to the certificate in our metadata with AES-CBC, which is all it has: by opt-in, in a signed assertion or response', async () => {
    for (const options of [{ 'saml20.sign.assertion': true }, { 'saml20.sign.assertion': false, 'saml20.sign.response': true }]) {
      await agree({ 'assertion.encryption': true, ...options }, { encryption: 'required', contentEncryption: 'gcm-or-cbc' })
      await expectCode('ada')
    }
    await agree({ 'assertion.encryption': true }, { encryption: 'required' })
    expect(await causeFor('ada')).toBe('saml_encryption_cbc_refused')
  })

  it('encrypts nothing where encryption is required, and is refused', async () => {
    await agree({}, { encryption: 'required' })
    expect(await causeFor('ada')).toBe('saml_encryption_required')
  })

  it('verifies the signature of our requests: one with another relay state, or without a signature, gets no further', async () => {
    await agree({ 'validate.authnrequest': true })
    await expectCode('ada')
    const asked = new URL((await startLogin()).trail.find((url) => url.includes('SAMLRequest=')) ?? '')
    expect(asked.searchParams.get('SigAlg')).toBe(rs256)
    const changes = [
      { change: (url: URL) => url.searchParams.set('RelayState', 'evil'), told: 'Unable to validate signature' },
      { change: (url: URL) => url.searchParams.delete('Signature'), told: 'no signature found' },
    ]
    for (const { change, told } of changes) {
      const changed = new URL(asked)
      change(changed)
      const page = await openBrowser().open(changed.href)
      expect(page.forms.some(({ controls }) => controls.some(({ name }) => name === 'username'))).toBe(false)
      expect(page.text).toContain(told)
    }
  })

  describe('single logout, with every message signed and verified at both ends', () => {
    const signsLogout = { 'sign.logout': true, 'validate.logout': true, 'redirect.sign': true, 'redirect.validate': true }
    /** Where this browser comes out that asks for a login: at consent while its session here lives, else at the IdP, with or without its form. */
    const isSignedIn = async (browser: Browser) => (await startLogin(browser)).text.includes('Allow Client?')
    const isSignedInAtIdp = async (browser: Browser) =>
      !(await browser.open(`${idp.url}module.php/core/authenticate.php?as=people`)).text.includes('Password')

    it('begun at the IdP ends the session here, and the IdP hears of it', async () => {
      await agree(signsLogout)
      const browser = openBrowser({ stopAt: redirectUri })
      await signIn('ada', browser)
      expect(await isSignedIn(browser)).toBe(true)
      const done = await browser.open(`${idp.url}saml2/idp/initSLO.php?RelayState=${encodeURIComponent(`${idp.url}logout.php`)}`)
      const [asked, answered] = ['SAMLRequest', 'SAMLResponse'].map(
        (name) => new URL(done.trail.find((url) => url.includes(`${name}=`)) ?? ''),
      )
      expect(asked?.pathname).toBe(`/t/acme/saml/${tenant.connectionId}/slo`)
      expect(answered?.href.startsWith(`${idp.url}saml2/idp/SingleLogoutService.php`)).toBe(true)
      for (const url of [asked, answered]) expect([...(url?.searchParams.keys() ?? [])].slice(-2)).toEqual(['SigAlg', 'Signature'])
      expect(done.url).toBe(`${idp.url}logout.php`)
      expect(await isSignedIn(browser)).toBe(false)
    })

    it('begun here ends the session at the IdP', async () => {
      await agree(signsLogout)
      const browser = openBrowser({ stopAt: redirectUri })
      await signIn('ada', browser)
      expect([await isSignedIn(browser), await isSignedInAtIdp(browser)]).toEqual([true, true])
      const asked = await browser.open(`${publicUrl}/t/acme/logout`)
      const done = await asked.form().submit()
      expect(done.text).toContain('You are signed out')
      expect([await isSignedIn(browser), await isSignedInAtIdp(browser)]).toEqual([false, false])
    })
  })

  it('names another audience for eve, who is refused', async () => {
    await agree({})
    expect(await causeFor('eve')).toBe('saml_audience_wrong')
  })

  it('has another key after a reinstallation, which the old connection does not believe', async () => {
    await agree({})
    const other = await aSimpleSamlPhp(people)
    const metadataXml = (await (await fetch(other.metadataUrl)).text()).replaceAll(other.url, idp.url)
    other.close()
    await connect({}, metadataXml)
    expect(await causeFor('ada')).toBe('saml_signature_invalid')
  })
})
