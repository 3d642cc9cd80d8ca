/**
 * A living tenant as a file would say it, and the comments that belong to it. Stable in order and whole in what people decide, so that what
 * it prints, applied to an empty installation, prints the same again.
 */
import { keyOf as exchangeKey } from '@drawbridge/core/oauth/exchange-permission'
import { keyOf as idJagKey } from '@drawbridge/core/oauth/id-jag-issuing'
import type { Comment } from '@drawbridge/core/placed-yaml'
import { writeYaml } from '@drawbridge/core/placed-yaml'
import { membersOfMetadata } from './check-tenant.js'
import type { LiveClient, LiveConnection, LiveDomain, LiveResource, LiveTenant, LiveTrust, LiveWebhook } from './live-tenant.js'
import { withConnections } from './trust-connections.js'

/** As it stands in the file: what is absent there is absent here. */
export type Declared = Readonly<Record<string, unknown>>

type Called = { readonly name: string }
export const isUnique = (all: readonly Called[], { name }: Called): boolean => all.filter((other) => other.name === name).length === 1

/** The variable that an export proposes for a secret. */
export const secretVariable = (slug: string, name: string): string =>
  `${slug}_${name}_CLIENT_SECRET`
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replace(/^(?=\d)/, '_')

export function declareTenant(live: LiveTenant): Declared {
  const nameOf = (id: string | null): string | undefined => live.connections.find((connection) => connection.id === id)?.name
  const own = live.resources.filter(({ shared }) => !shared)
  return compact({
    version: 1,
    tenant: { slug: live.slug, name: live.name },
    contacts: sortBy(live.contacts, ({ email }) => email).map(({ name, email }) => ({ name, email })),
    webhooks: sortBy(live.webhooks, ({ name }) => name).map(declareWebhook),
    provisioning: live.provisioning,
    logout: live.logout,
    tokens: live.tokens,
    clientRegistration: live.clientRegistration,
    deviceGrant: live.deviceGrant,
    softwareStatements: live.softwareStatements,
    dpop: live.dpop,
    pushedRequests: live.pushedRequests,
    userinfo: live.userinfo,
    defaultScopes: { sharedResources: sortBy(live.defaultScopes.sharedResources, ({ identifier }) => identifier) },
    subjectTypes: live.subjectTypes,
    loginTracing: live.loginTracing,
    loginRecording: live.loginRecording,
    policy: live.policy,
    policyCases: live.policyCases,
    connections: sortBy(live.connections, ({ name }) => name).map((connection) => declareConnection(live.slug, connection)),
    assertionTrusts: sortBy(live.assertionTrusts, ({ name }) => name).map((trust) => declareTrust(trust, live)),
    domains: sortBy(live.domains, ({ domain }) => domain).map((domain) => declareDomain(domain, nameOf)),
    connectionChoice: compact({
      ...choiceByName(live),
      revealsGroups: live.choice.revealsGroups ? true : undefined,
    }),
    resources: sortBy(own, ({ identifier }) => identifier).map(declareResource),
    sharedResources: live.resources
      .filter(({ shared, mintable }) => shared && mintable)
      .map(({ identifier }) => identifier)
      .toSorted(),
    clients: sortBy(registered(live.clients), ({ clientId }) => clientId).map(declareClient),
    tokenExchange: { permissions: sortBy(live.tokenExchange.permissions, exchangeKey) },
    idJagIssuing: { permissions: sortBy(live.idJagIssuing.permissions, idJagKey) },
  })
}

/** An id that no connection has any more stays as it is, so that it differs from every name. */
export function choiceByName({ choice, connections }: Pick<LiveTenant, 'choice' | 'connections'>) {
  const nameOf = (id: string): string => connections.find((connection) => connection.id === id)?.name ?? id
  const { rules, fallbackConnectionId, ...rest } = choice
  return {
    ...rest,
    rules: rules.map(({ connectionId, ...rule }) => ({ ...rule, connection: nameOf(connectionId) })),
    fallback: fallbackConnectionId === null ? undefined : nameOf(fallbackConnectionId),
  }
}

const compact = (members: Readonly<Record<string, unknown>>): Declared =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/** By code units, not by the customs of the machine's language. */
const sortBy = <T>(rows: readonly T[], keyOf: (row: T) => string): readonly T[] =>
  rows.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : keyOf(one) > keyOf(other) ? 1 : 0))

/** What the metadata says is fetched again, so it is not said twice. */
export const ownConfiguration = ({ configuration, metadata }: Pick<LiveConnection, 'configuration' | 'metadata'>): Declared =>
  Object.fromEntries(
    sortBy(Object.entries(configuration), ([member]) => member).filter(
      ([member]) => metadata === undefined || !membersOfMetadata.includes(member),
    ),
  )

function declareConnection(slug: string, connection: LiveConnection): Declared {
  const { name, kind, metadata, configuration, hasSecret, disabledAt } = connection
  const own = ownConfiguration(connection)
  return compact({
    name,
    kind,
    metadata:
      metadata &&
      compact({ url: metadata.url, entityId: configuration['idpEntityId'], pinnedCertificates: orAbsent(metadata.pinnedCertificates) }),
    configuration: Object.keys(own).length === 0 ? undefined : own,
    clientSecret: hasSecret ? { fromEnv: secretVariable(slug, name) } : undefined,
    killed: disabledAt === null ? undefined : true,
  })
}

const declareTrust = (trust: LiveTrust, live: LiveTenant): Declared =>
  compact({ name: trust.name, configuration: trustByName(trust, live), killed: trust.disabledAt === null ? undefined : true })

/** With the names of the connections that it speaks of. An id that no connection has any more stays as it is, so that it differs from every name. */
export const trustByName = ({ configuration }: Pick<LiveTrust, 'configuration'>, { connections }: Pick<LiveTenant, 'connections'>) =>
  withConnections(configuration, (id) => connections.find((connection) => connection.id === id)?.name ?? id)

const declareWebhook = ({ name, url, events }: LiveWebhook): Declared => ({ name, url, events: events.toSorted() })

const orAbsent = <T>(rows: readonly T[]): readonly T[] | undefined => (rows.length === 0 ? undefined : rows)

const declareDomain = ({ domain, connectionId, proof }: LiveDomain, nameOf: (id: string | null) => string | undefined): Declared =>
  compact({ domain, connection: nameOf(connectionId), vouched: proof === 'vouched' ? true : undefined })

const declareResource = ({ identifier, name, accessTokenTtlSeconds, toldOfPeople, scopes, mintable }: LiveResource): Declared =>
  compact({
    identifier,
    name,
    accessTokenTtlSeconds: accessTokenTtlSeconds ?? undefined,
    toldOfPeople: toldOfPeople?.profile || toldOfPeople?.email ? toldOfPeople : undefined,
    scopes: sortBy(scopes, (scope) => scope.name).map(({ isDefault, ...scope }) => ({ ...scope, ...(isDefault ? { isDefault } : {}) })),
    withdrawn: mintable ? undefined : true,
  })

/** Those that an admin registered; others speak for themselves. */
const registered = (clients: readonly LiveClient[]) => clients.filter(({ kind }) => kind === 'preregistered')

const declareClient = (client: LiveClient): Declared =>
  compact({
    clientId: client.clientId,
    name: client.name,
    redirectUris: client.redirectUris,
    grantTypes: client.grantTypes,
    tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
    jwks: client.jwks ?? undefined,
    jwksUri: client.jwksUri ?? undefined,
    certificateName: client.certificateName ?? undefined,
    subjectType: client.subjectType,
    sectorIdentifierUri: client.sectorIdentifierUri ?? undefined,
    applicationType: client.applicationType,
    preApproved: client.preApproved ? true : undefined,
    scopeCeiling: orAbsent(client.scopeCeiling),
    accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? undefined,
    blocked: client.blockedAt === null ? undefined : true,
    postLogoutRedirectUris: orAbsent(client.postLogoutRedirectUris ?? []),
    requirePushedAuthorizationRequests: client.requirePushedAuthorizationRequests ? true : undefined,
    backchannelLogoutUri: client.backchannelLogoutUri ?? undefined,
    backchannelLogoutSessionRequired: client.backchannelLogoutSessionRequired ? true : undefined,
    dpopBoundAccessTokens: client.dpopBoundAccessTokens ? true : undefined,
  })

const head = [
  'A tenant of Drawbridge, as `drawbridge export` printed it; `drawbridge apply -f` brings a broker to it.',
  'A section that is left out is not managed. Secrets are named, never written: {fromEnv: NAME} or {fromFile: path}.',
  'Not in here, because the broker makes them: ids, keys, SCIM tokens, credentials of resources, invitations, client secrets, secrets of webhooks.',
]

/** What a reader of the file would otherwise have to look up. */
function commentsOn(live: LiveTenant, declared: Declared): readonly Comment[] {
  const names = (declared['connections'] as readonly { readonly name: string }[]).map(({ name }) => name)
  const connections = live.connections.flatMap(({ name, sha1Until, configuration }) => [
    ...(sha1Until === null
      ? []
      : [{ at: ['connections', names.indexOf(name)], say: `SHA-1 is believed until ${sha1Until}; an exception is no part of a file` }]),
    ...(configuration['clientAuthentication'] === 'private_key_jwt'
      ? [
          {
            at: ['connections', names.indexOf(name)],
            say: 'It proves itself by keys that the broker made: drawbridge connection keys create',
          },
        ]
      : []),
  ])
  const domains = (declared['domains'] as readonly { readonly domain: string }[]).flatMap(({ domain }, index) => {
    const found = live.domains.find((each) => each.domain === domain)
    if (found?.lapsedAt) return [{ at: ['domains', index], say: `its proof lapsed at ${found.lapsedAt}` }]
    return found?.verifiedAt ? [] : [{ at: ['domains', index], say: 'not proven yet: drawbridge domain verify' }]
  })
  const suspended =
    live.suspendedAt === null ? [] : [{ at: ['tenant'], say: `suspended since ${live.suspendedAt}; a file neither suspends nor resumes` }]
  const policy = live.policy === undefined ? [{ at: ['connections'], say: 'No policy is published: the safe default holds' }] : []
  return [...head.map((say) => ({ at: [], say })), ...suspended, ...policy, ...connections, ...domains]
}

export function writeTenantFile(live: LiveTenant): string {
  const declared = declareTenant(live)
  return writeYaml(declared, commentsOn(live, declared))
}
