/** Reads a tenant through the admin API. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AdminClient, Refused } from '../admin/admin-client.js'
import type {
  LiveClient,
  LiveConnection,
  LiveContact,
  LiveDomain,
  LiveResource,
  LiveTenant,
  LiveTrust,
  LiveWebhook,
} from './live-tenant.js'

/** At most this many questions at once: a tenant with a hundred connections is not to look like an attack. */
const atOnce = 4

/** `undefined`: there is no such tenant, or none that this key may see. */
export async function fetchTenant(client: AdminClient, slug: string): Promise<Result<LiveTenant | undefined, Refused>> {
  const at = `/tenants/${encodeURIComponent(slug)}`
  const tenant = await client.call('GET', at)
  if (!tenant.ok) return tenant.error.status === 404 ? ok(undefined) : tenant
  const { name, suspendedAt } = tenant.value as Pick<LiveTenant, 'name' | 'suspendedAt'>
  const [
    contacts,
    webhooks,
    provisioning,
    logout,
    tokens,
    clientRegistration,
    deviceGrant,
    softwareStatements,
    dpop,
    pushedRequests,
    userinfo,
    defaultScopes,
    subjectTypes,
    loginTracing,
    loginRecording,
    policy,
    choice,
    connections,
    assertionTrusts,
    domains,
    resources,
    clients,
    tokenExchange,
    idJagIssuing,
  ] = await Promise.all([
    client.list(`${at}/contacts`, { member: 'contacts' }),
    client.list(`${at}/webhooks`, { member: 'webhooks' }),
    client.call('GET', `${at}/provisioning`),
    client.call('GET', `${at}/logout`),
    client.call('GET', `${at}/token-algorithm`),
    client.call('GET', `${at}/client-registration`),
    client.call('GET', `${at}/device-grant`),
    client.call('GET', `${at}/software-statements`),
    client.call('GET', `${at}/dpop`),
    client.call('GET', `${at}/pushed-requests`),
    client.call('GET', `${at}/userinfo`),
    client.call('GET', `${at}/default-scopes`),
    client.call('GET', `${at}/subject-types`),
    client.call('GET', `${at}/login-tracing`),
    client.call('GET', `${at}/login-recording`),
    client.call('GET', `${at}/policy`),
    client.call('GET', `${at}/connection-choice`),
    fetchConnections(client, at),
    client.list(`${at}/assertion-trusts`, { member: 'assertionTrusts' }),
    client.list(`${at}/domains`, { member: 'domains' }),
    client.list(`${at}/resources`, { member: 'resources' }),
    client.list(`${at}/clients`, { member: 'clients' }),
    client.call('GET', `${at}/token-exchange`),
    client.call('GET', `${at}/id-jag-issuing`),
  ])
  for (const each of [
    contacts,
    webhooks,
    provisioning,
    logout,
    tokens,
    clientRegistration,
    deviceGrant,
    softwareStatements,
    dpop,
    pushedRequests,
    userinfo,
    defaultScopes,
    subjectTypes,
    loginTracing,
    loginRecording,
    policy,
    choice,
    connections,
    assertionTrusts,
    domains,
    resources,
    clients,
    tokenExchange,
    idJagIssuing,
  ])
    if (!each.ok) return each
  const { mode, chosen } = valueOf(provisioning) as { mode: LiveTenant['provisioning']; chosen: boolean }
  const held = valueOf(policy) as { document: string | null; cases: string }
  return ok({
    slug,
    name,
    suspendedAt,
    contacts: valueOf(contacts) as readonly LiveContact[],
    webhooks: valueOf(webhooks) as readonly LiveWebhook[],
    provisioning: chosen ? mode : undefined,
    logout: valueOf(logout) as LiveTenant['logout'],
    tokens: valueOf(tokens) as LiveTenant['tokens'],
    clientRegistration: valueOf(clientRegistration) as LiveTenant['clientRegistration'],
    deviceGrant: valueOf(deviceGrant) as LiveTenant['deviceGrant'],
    softwareStatements: valueOf(softwareStatements) as LiveTenant['softwareStatements'],
    dpop: valueOf(dpop) as LiveTenant['dpop'],
    subjectTypes: valueOf(subjectTypes) as LiveTenant['subjectTypes'],
    pushedRequests: valueOf(pushedRequests) as LiveTenant['pushedRequests'],
    userinfo: valueOf(userinfo) as LiveTenant['userinfo'],
    defaultScopes: valueOf(defaultScopes) as LiveTenant['defaultScopes'],
    loginTracing: valueOf(loginTracing) as LiveTenant['loginTracing'],
    loginRecording: valueOf(loginRecording) as LiveTenant['loginRecording'],
    policy: held.document ?? undefined,
    policyCases: held.cases === '' ? undefined : held.cases,
    connections: valueOf(connections),
    assertionTrusts: valueOf(assertionTrusts) as readonly LiveTrust[],
    domains: valueOf(domains) as readonly LiveDomain[],
    choice: valueOf(choice) as LiveTenant['choice'],
    resources: valueOf(resources) as readonly LiveResource[],
    clients: valueOf(clients) as readonly LiveClient[],
    tokenExchange: permissionsOf(tokenExchange) as LiveTenant['tokenExchange'],
    idJagIssuing: permissionsOf(idJagIssuing) as LiveTenant['idJagIssuing'],
  })
}

function valueOf<T>(result: Result<T, Refused>): T {
  if (!result.ok) throw new Error('a refusal was overlooked')
  return result.value
}

/** What the broker says beside them is no part of a file. */
const permissionsOf = (result: Result<unknown, Refused>) => {
  const { permissions, revision } = valueOf(result) as { readonly permissions: unknown; readonly revision: unknown }
  return { permissions, revision }
}

async function fetchConnections(client: AdminClient, at: string): Promise<Result<readonly LiveConnection[], Refused>> {
  const listed = await client.list(`${at}/connections`, { member: 'connections' })
  if (!listed.ok) return listed
  const found: LiveConnection[] = []
  const waiting = [...(listed.value as readonly LiveConnection[])]
  while (waiting.length > 0) {
    const read = await Promise.all(waiting.splice(0, atOnce).map((each) => withMetadata(client, at, each)))
    for (const each of read) {
      if (!each.ok) return each
      found.push(each.value)
    }
  }
  return ok(found)
}

async function withMetadata(client: AdminClient, at: string, connection: LiveConnection): Promise<Result<LiveConnection, Refused>> {
  if (connection.kind !== 'saml') return ok({ ...connection, metadata: undefined })
  const source = await client.call('GET', `${at}/connections/${connection.id}/metadata`)
  if (!source.ok && source.error.status !== 404) return err(source.error)
  const { url, pinnedCertificates } = (source.ok ? source.value : { url: null, pinnedCertificates: [] }) as {
    url: string | null
    pinnedCertificates: readonly string[]
  }
  return ok({ ...connection, metadata: url === null ? undefined : { url, pinnedCertificates } })
}
