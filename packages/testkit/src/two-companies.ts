/**
 * Two companies behind one broker, whose people sign in at identity providers that share no code with us: acme speaks SAML, globex OpenID
 * Connect. For what has to hold over both protocols, through HTTP alone.
 */
import { type BrokerApp, createApp } from '@drawbridge/broker/app'
import { type Browser, type BrowserOptions, openBrowser, type Page } from '@drawbridge/simulator/browser'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from './a-broker.js'
import { aChallenge } from './a-grant.js'
import { type ATenant, aTenant } from './a-tenant.js'
import { anAdmin, type Call } from './an-admin.js'
import { asOwner, type TestDatabase, testDatabase } from './database.js'

export type Company = 'acme' | 'globex'
export const bothCompanies: readonly Company[] = ['acme', 'globex']
export const protocolOf = (company: Company): Protocol => (company === 'acme' ? 'saml' : 'oidc')

/** Nobody listens there: a browser stops in front of it. */
export const theirRedirectUri = 'http://127.0.0.1:51236/callback'
const policy = 'version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n'

export type Protocol = 'saml' | 'oidc'
export type AddedConnection = { readonly id: string; readonly url: string }

export type TwoCompanies = {
  readonly publicUrl: string
  /** Where the simulator's pages are. */
  readonly portal: string
  readonly simulator: Simulator
  readonly fixture: TestDatabase
  readonly call: Call
  of(company: Company): ATenant
  /** Where the IdP's side of its first connection is. */
  connectionUrl(company: Company): string
  /** What an admin would enter without any choice of hers. */
  configurationOf(company: Company): Record<string, unknown>
  /** Replaces the configuration of its first connection, by the admin API. */
  configure(company: Company, more?: Readonly<Record<string, unknown>>): ReturnType<Call>
  /** Another connection of a company, to the IdP that speaks this protocol; that one has to be told with `introduce`. */
  addConnection(company: Company, protocol: Protocol, more?: Readonly<Record<string, unknown>>): Promise<AddedConnection>
  /** The IdP knows these connections from now on, by their URLs; a SAML one by the entity ID of the first. */
  introduce(protocol: Protocol, urls: readonly string[], spEntityId?: string): void
  authorizeUrl(company: Company, change?: Readonly<Record<string, string>>): string
  /** Up to the page on which she is asked to agree, or to the one that says why not. */
  signIn(company: Company, person: string, browser?: Browser): Promise<Page>
  close(): Promise<void>
}

export const aPersonsBrowser = (more: BrowserOptions = {}): Browser => openBrowser({ stopAt: theirRedirectUri, ...more })
export const isLetIn = (page: Page): boolean => page.text.includes('Allow Client?')

export async function twoCompanies(): Promise<TwoCompanies> {
  const fixture = await testDatabase()
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  const simulator = createSimulator({ port: 0, host: '127.0.0.1', signInWithoutAsking: true })
  const portal = (await simulator.start()).url
  const broker = await aBroker(fixture.database)
  const tenants = {
    acme: await aTenant(fixture, { slug: 'acme', publicUrl }),
    globex: await aTenant(fixture, { slug: 'globex', publicUrl }),
  }
  for (const company of bothCompanies) await setUp({ fixture, broker, simulator }, company, tenants[company])
  // Everybody comes from one address here, and a quick machine signs people in faster than one address may.
  const app = createApp({ ...broker.deps, settings: { ...broker.deps.settings, publicUrl, rateLimitFactor: 10 } })
  await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.1', resolve))
  const call = anAdmin({ url: publicUrl, adminKey: broker.adminKey })
  const two = handsOn({ publicUrl, portal, simulator, fixture, broker, app, call, tenants })
  for (const company of bothCompanies) {
    two.introduce(protocolOf(company), [two.connectionUrl(company)])
    await two.configure(company)
  }
  return two
}

type Parts = Pick<TwoCompanies, 'publicUrl' | 'portal' | 'simulator' | 'fixture' | 'call'> & {
  readonly broker: TestBroker
  readonly app: BrokerApp
  readonly tenants: Readonly<Record<Company, ATenant>>
}

function handsOn(parts: Parts): TwoCompanies {
  const { publicUrl, portal, simulator, fixture, broker, app, call, tenants } = parts
  const of = (company: Company) => tenants[company]
  const authorizeUrl: TwoCompanies['authorizeUrl'] = (company, change = {}) =>
    `${publicUrl}/t/${company}/authorize?${new URLSearchParams({
      client_id: of(company).clientId,
      redirect_uri: theirRedirectUri,
      response_type: 'code',
      code_challenge: aChallenge,
      code_challenge_method: 'S256',
      resource: `${of(company).resource}/`,
      scope: 'read',
      ...change,
    })}`
  const configurationFor = (protocol: Protocol) => (protocol === 'saml' ? samlOf(simulator) : oidcOf(simulator))
  const configurationOf = (company: Company) => configurationFor(protocolOf(company))
  return {
    ...{ publicUrl, portal, simulator, fixture, call, of, authorizeUrl, configurationOf },
    connectionUrl: (company) => `${publicUrl}/t/${company}/${protocolOf(company)}/${of(company).connectionId}`,
    configure: async (company, more = {}) => {
      const secret = protocolOf(company) === 'oidc' && { clientSecret: simulator.oidcClient('globex').clientSecret }
      const draft = { kind: protocolOf(company), name: 'IdP', configuration: { ...configurationOf(company), ...more }, ...secret }
      const saved = await call('PUT', `/tenants/${company}/connections/${of(company).connectionId}`, draft)
      broker.deps.configuration.invalidate()
      return saved
    },
    addConnection: async (company, kind, more = {}) => {
      const draft = { kind, name: 'Another', configuration: { ...configurationFor(kind), ...more } }
      const secret = kind === 'oidc' && { clientSecret: simulator.oidcClient('globex').clientSecret }
      const { body } = await call('POST', `/tenants/${company}/connections`, { ...draft, ...secret })
      broker.deps.configuration.invalidate()
      return { id: body.id, url: `${publicUrl}/t/${company}/${kind}/${body.id}` }
    },
    introduce: (protocol, urls, spEntityId = `${urls[0]}/metadata`) =>
      protocol === 'saml'
        ? simulator.connect('acme', { acsUrl: urls.map((url) => `${url}/acs`), spEntityId })
        : simulator.connect('globex', {
            oidcRedirectUri: urls.map((url) => `${url}/callback`),
            initiateLoginUri: `${urls[0]}/initiate`,
          }),
    signIn: (company, person, browser = aPersonsBrowser()) =>
      browser.open(authorizeUrl(company, { login_hint: `${person}@${company}.example`, connection: of(company).connectionId })),
    close: async () => {
      await app.close()
      await broker.close()
      await simulator.close()
      await fixture.close()
    },
  }
}

async function setUp(at: Pick<Parts, 'fixture' | 'broker' | 'simulator'>, company: Company, tenant: ATenant): Promise<void> {
  const { fixture, broker, simulator } = at
  const { tenantId, resourceId, connectionId } = tenant
  const owner = (text: string, ...parameters: unknown[]) => asOwner(fixture.ownerUrl, text, parameters)
  await owner('UPDATE clients SET pre_approved = true WHERE tenant_id = $1', tenantId)
  await owner('UPDATE connections SET kind = $2 WHERE id = $1', connectionId, protocolOf(company))
  const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'read', 'read', false)`
  await owner(scope, tenantId, resourceId)
  const now = broker.deps.clock.now()
  await inTenant(fixture.database, tenantId, (db) => publishPolicy(db, tenantId, { document: policy, author: 'test', now }))
  if (company === 'acme') return
  const { sealer, installation } = broker.deps
  const place = { installation: installation.id, tenant: tenantId, table: 'connections', column: 'sealed_secret', row: connectionId }
  const sealed = sealer.seal(Buffer.from(simulator.oidcClient('globex').clientSecret), place)
  await owner('UPDATE connections SET sealed_secret = $2 WHERE id = $1', connectionId, sealed)
}

function samlOf(simulator: Simulator): Record<string, unknown> {
  const metadata = simulator.metadataXml('acme')
  const find = (pattern: RegExp) => pattern.exec(metadata)?.[1]
  const certificates = [find(/X509Certificate>([^<]+)</)?.replace(/\s/g, '')]
  const ssoUrl = find(/SingleSignOnService[^>]*HTTP-Redirect"[^>]*Location="([^"]+)"/)
  const sloUrl = find(/SingleLogoutService[^>]*HTTP-Redirect"[^>]*Location="([^"]+)"/)
  return { idpEntityId: find(/entityID="([^"]+)"/), ssoUrl, sloUrl, certificates, loginHintParameter: 'login_hint' }
}

const oidcOf = (simulator: Simulator) => ({ issuer: simulator.oidcIssuer('globex'), clientId: simulator.oidcClient('globex').clientId })
