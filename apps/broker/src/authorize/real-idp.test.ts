import { openBrowser } from '@drawbridge/simulator/browser'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BrokerApp, createApp } from '../app.js'

const redirectUri = 'http://127.0.0.1:51234/callback'
const policy = `version: 1
rules: [{name: staff, effect: grant, scopes: ["read", "write"], groups: [staff]}]
mfa: [{scopes: ["write"]}]
`
let fixture: TestDatabase
let simulator: Simulator
let plain: TestBroker
let app: BrokerApp
let publicUrl: string
const tenants: Partial<Record<'acme' | 'globex', ATenant>> = {}

beforeAll(async () => {
  fixture = await testDatabase()
  const port = await freePort()
  publicUrl = `http://127.0.0.1:${port}`
  simulator = createSimulator({ port: 0, host: '127.0.0.1', signInWithoutAsking: true })
  const { url: simulatorUrl } = await simulator.start()
  plain = await aBroker(fixture.database)
  for (const slug of ['acme', 'globex'] as const) {
    const tenant = await aTenant(fixture, { slug, publicUrl })
    tenants[slug] = tenant
    for (const name of ['read', 'write'])
      await asOwner(
        fixture.ownerUrl,
        'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $3, false)',
        [tenant.tenantId, tenant.resourceId, name],
      )
    await inTenant(fixture.database, tenant.tenantId, (db) =>
      publishPolicy(db, tenant.tenantId, { document: policy, author: 'test', now: plain.deps.clock.now() }),
    )
  }
  await connectSaml(tenants.acme as ATenant)
  await connectOidc(tenants.globex as ATenant)
  expect(simulatorUrl).toContain('127.0.0.1')
  app = createApp({ ...plain.deps, settings: { ...plain.deps.settings, publicUrl } })
  await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.1', resolve))
})
afterAll(async () => {
  await app.close()
  await plain.close()
  await simulator.close()
  await fixture.close()
})

async function connectSaml({ connectionId }: ATenant) {
  const base = `${publicUrl}/t/acme/saml/${connectionId}`
  const metadata = simulator.metadataXml('acme')
  const find = (pattern: RegExp) => pattern.exec(metadata)?.[1]
  const certificates = [find(/X509Certificate>([^<]+)</)?.replace(/\s/g, '')]
  const ssoUrl = find(/SingleSignOnService[^>]*HTTP-Redirect"[^>]*Location="([^"]+)"/)
  const configuration = { idpEntityId: find(/entityID="([^"]+)"/), ssoUrl, certificates, loginHintParameter: 'login_hint' }
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'saml', configuration = $2 WHERE id = $1", [
    connectionId,
    JSON.stringify(configuration),
  ])
  simulator.connect('acme', { acsUrl: `${base}/acs`, spEntityId: `${base}/metadata` })
}

async function connectOidc({ tenantId, connectionId }: ATenant) {
  const { clientId, clientSecret } = simulator.oidcClient('globex')
  const { sealer, installation } = plain.deps
  const sealed = sealer.seal(Buffer.from(clientSecret), {
    installation: installation.id,
    tenant: tenantId,
    table: 'connections',
    column: 'sealed_secret',
    row: connectionId,
  })
  const configuration = JSON.stringify({ issuer: simulator.oidcIssuer('globex'), clientId })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2, sealed_secret = $3 WHERE id = $1', [
    connectionId,
    configuration,
    sealed,
  ])
  simulator.connect('globex', { oidcRedirectUri: `${publicUrl}/t/globex/oidc/${connectionId}/callback` })
}

async function signIn(slug: 'acme' | 'globex', person: string, scope: string) {
  const tenant = tenants[slug] as ATenant
  const browser = openBrowser({ stopAt: redirectUri })
  const query = {
    client_id: tenant.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    resource: `${tenant.resource}/`,
    scope,
    state: 'xyz',
    login_hint: `${person}@${slug}.example`,
  }
  const notice = await browser.open(`${publicUrl}/t/${slug}/authorize?${new URLSearchParams(query)}`)
  expect(notice.text).toContain('An application wants you to sign in')
  return notice.form().submit({ answer: 'continue' })
}

it.each([{ slug: 'acme' as const }, { slug: 'globex' as const }])(
  'ada of $slug signs in at a real IdP with two factors and leaves with a code',
  async ({ slug }) => {
    const consent = await signIn(slug, 'ada', 'read write')
    expect(consent.text).toContain('Allow Client?')
    const done = await consent.form().submit({ answer: 'allow' })
    expect(done.isStopped).toBe(true)
    expect(Object.fromEntries(new URL(done.url).searchParams)).toEqual({
      code: expect.stringMatching(/^dbc_/),
      state: 'xyz',
      iss: `${publicUrl}/t/${slug}`,
    })
  },
)

it.each([{ slug: 'acme' as const }, { slug: 'globex' as const }])(
  'clark of $slug, without a second factor, is told so after one step-up',
  async ({ slug }) => {
    const refused = await signIn(slug, 'clark', 'write')
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('A second factor is needed')
  },
)
