/**
 * One customer on the production shape: processes of their own on PostgreSQL and Redis, set up by the admin API alone, a company's IdP at its
 * own https address, and a guarded MCP server. The public addresses are found through a load balancer, as a name service and TLS would lead.
 */
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { type Browser, openBrowser } from '@drawbridge/simulator/browser'
import { createSimulator, type Simulator, type SimulatorSettings } from '@drawbridge/simulator/simulator'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { type Answered, redirectUri } from './a-client.js'
import { aLoadBalancer, type LoadBalancer } from './a-load-balancer.js'
import { aPlainPostgres, type PlainPostgres, productionOn } from './a-plain-postgres.js'
import { answers, aProcess, type Environment, type Running, run } from './a-process.js'
import { aRedis, type TestRedis } from './a-redis.js'

export type Part = { readonly process: Running; readonly port: number }
export type Production = {
  readonly postgres: PlainPostgres
  readonly redis: TestRedis
  readonly environment: Environment
  readonly brokers: readonly Part[]
  readonly workers: readonly Part[]
  readonly balancer: LoadBalancer
  readonly simulator: Simulator
  readonly mcpUrl: string
  /** Of the MCP server. */
  readonly credential: Customer['credential']
  /** Where the public issuer is found from here. */
  readonly issuerAt: string
  admin(method: string, path: string, body?: unknown): Promise<Answered>
  browser(): Browser
  stop(): Promise<void>
}

export const publicUrl = 'https://login.example.com'
export const issuer = `${publicUrl}/t/initech`
export const idpUrl = 'https://idp.initech.example'
const each = 2

const policy = `version: 1
bundles:
  - name: everybody
    groups: [staff]
    scopes: ["documents:read", "documents:write"]
`
const scopes = [
  { name: 'documents:read', description: 'Find and read documents', tier: 'read', isDefault: true },
  { name: 'documents:write', description: 'Write documents', tier: 'write' },
]

export async function aProduction(): Promise<Production> {
  const [postgres, redis] = await Promise.all([aPlainPostgres(), aRedis()])
  const environment = { ...productionOn(postgres), DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1', REDIS_URL: redis.url }
  const migrated = await run(['migrate'], { ...environment, DATABASE_OWNER_URL: postgres.ownerUrl })
  if (migrated.code !== 0) throw new Error(migrated.output)
  const [brokers, workers] = await Promise.all([startSeveral('broker', environment), startSeveral('worker', environment)])
  const balancer = await aLoadBalancer(brokers.map(({ port }) => port))
  const adminKey = (await run(['admin-key', 'create'], environment)).output.trim()
  const admin = adminAt(balancer.url, adminKey)
  const idp = await aCompanyIdp()
  const { server, credential } = await setUpCustomer(admin, idp.simulator, balancer)
  const servers = new Map([
    [publicUrl, balancer.url],
    [idpUrl, idp.at],
  ])
  const findServer = (url: URL) => new URL(url.pathname + url.search, servers.get(url.origin) ?? url.origin)
  return {
    ...{ postgres, redis, environment, brokers, workers, balancer, admin, simulator: idp.simulator },
    mcpUrl: server.guard.resource,
    credential,
    issuerAt: `${balancer.url}/t/initech`,
    browser: () => openBrowser({ stopAt: redirectUri, findServer }),
    stop: async () => {
      await server.close()
      await Promise.all([...brokers, ...workers].map(({ process }) => process.stop('SIGKILL')))
      await Promise.all([balancer.close(), idp.simulator.close(), redis.stop(), postgres.remove()])
    },
  }
}

export const adminAt =
  (brokersAt: string, adminKey: string): Production['admin'] =>
  async (method, path, body) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const response = await fetch(`${brokersAt}/admin/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    const text = await response.text()
    return { status: response.status, json: text === '' ? {} : JSON.parse(text) }
  }

async function startSeveral(kind: 'broker' | 'worker', environment: Environment): Promise<readonly Part[]> {
  const variable = kind === 'broker' ? 'DRAWBRIDGE_PORT' : 'DRAWBRIDGE_WORKER_PORT'
  const parts: Part[] = []
  for (let started = 0; started < each; started++) {
    const port = await freePort()
    parts.push({ port, process: aProcess([kind], { ...environment, [variable]: String(port) }) })
  }
  await Promise.all(parts.map(({ process, port }) => answers(process, `http://127.0.0.1:${port}/readyz`)))
  return parts
}

export async function aCompanyIdp(
  publicAt: string = idpUrl,
  more: Partial<SimulatorSettings> = {},
): Promise<{ simulator: Simulator; at: string }> {
  const port = await freePort()
  const simulator = createSimulator({ ...more, publicUrl: publicAt, port })
  await simulator.start()
  return { simulator, at: `http://127.0.0.1:${port}` }
}

export type Customer = {
  readonly resource: string
  readonly credential: { readonly id: string; readonly secret: string }
  readonly scimToken: string
  readonly connectionId: string
}
/** A resource of the vendor's, for the front issuer and for whichever company it is given to. */
export type SharedResource = Pick<Customer, 'resource' | 'credential'> & { readonly id: string }

const making =
  (admin: Production['admin']) =>
  async (path: string, body: unknown): Promise<Record<string, string>> => {
    const { status, json } = await admin('POST', path, body)
    if (status !== 201) throw new Error(`${path} was answered ${status}: ${JSON.stringify(json)}`)
    return json as Record<string, string>
  }

async function makeResource(admin: Production['admin'], path: string, identifier: string): Promise<SharedResource> {
  const make = making(admin)
  const { id = '' } = await make(path, { identifier, name: 'Documents', scopes })
  const credential = await make(`${path}/${id}/credentials`, {})
  return { id, resource: identifier, credential: { id: credential['id'] ?? '', secret: credential['secret'] ?? '' } }
}

export async function shareResource(admin: Production['admin'], identifier: string): Promise<SharedResource> {
  const shared = await makeResource(admin, '/shared-resources', identifier)
  await making(admin)('/front-issuer', {})
  await admin('POST', `/front-issuer/shared-resources/${shared.id}`)
  return shared
}

type Asked = {
  /** Where its directory finds the brokers. */
  readonly brokersAt: string
  /** Its own, which is made, or one that is shared with it. */
  readonly resource: string | SharedResource
  readonly slug?: string
}

/** All that the vendor's operator and the company's administrator enter. */
export async function makeCustomer(
  admin: Production['admin'],
  simulator: Simulator,
  { brokersAt, resource, slug = 'initech' }: Asked,
  configuration: Readonly<Record<string, unknown>> = {},
): Promise<Customer> {
  const make = making(admin)
  const at = `/tenants/${slug}`
  await make('/tenants', { slug, name: slug })
  const connection = await make(`${at}/connections`, {
    kind: 'saml',
    name: 'Sign-in',
    metadataXml: simulator.metadataXml('acme'),
    configuration: { scimLinkKey: { attribute: 'NameID', scim: 'externalId' }, ...configuration },
  })
  await admin('PUT', `${at}/provisioning`, { mode: 'just_in_time' })
  const token = await make(`${at}/scim-tokens`, { connectionId: connection['id'], name: 'directory' })
  await make(`${at}/policies`, { document: policy })
  const used = typeof resource === 'string' ? await makeResource(admin, `${at}/resources`, resource) : resource
  if (used === resource) await admin('POST', `${at}/shared-resources/${used.id}`)
  const scimToken = token['secret'] ?? ''
  const saml = `${publicUrl}/t/${slug}/saml/${connection['id']}`
  simulator.connect('acme', {
    issuer: `${publicUrl}/t/${slug}`,
    acsUrl: `${saml}/acs`,
    spEntityId: `${saml}/metadata`,
    scimBaseUrl: `${brokersAt}/t/${slug}/scim/v2`,
    scimToken,
  })
  return { resource: used.resource, credential: used.credential, scimToken, connectionId: connection['id'] ?? '' }
}

/** The customer, and the MCP server that trusts its issuer; the front issuer mints for it, too. */
async function setUpCustomer(
  admin: Production['admin'],
  simulator: Simulator,
  balancer: LoadBalancer,
): Promise<Pick<Production, 'credential'> & { readonly server: ExampleMcpServer }> {
  const port = await freePort()
  const resource = `http://127.0.0.1:${port}/mcp`
  const shared = await shareResource(admin, resource)
  const { credential } = await makeCustomer(admin, simulator, { brokersAt: balancer.url, resource: shared })
  const server = await createExampleMcpServer({
    resource,
    port,
    issuers: [{ issuer, credential }],
    fetch: (input, init) => fetch(String(input instanceof Request ? input.url : input).replace(publicUrl, balancer.url), init),
  })
  return { server, credential }
}
