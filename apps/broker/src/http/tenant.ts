/**
 * The tenant of a request, and the cache of everything that is configured for it.
 *
 * The cache saves work, it never decides: every hot statement returns the configuration version and the epochs as they are in the
 * database, and whoever sees another version asks for it with `atVersion` before signing or answering. The notification that a
 * configuration changed is only a hint; without one, an entry is compared with the database after `recheckAfterMs`.
 */

import { type SecondFactorSetting, secondFactorFromJson } from '@drawbridge/core/factor/second-factor'
import type { AuthorizationParameters } from '@drawbridge/core/oauth/authorization-parameters'
import { type ClientRegistration, clientRegistrationFromJson } from '@drawbridge/core/oauth/client-registration'
import { withDefaultScopes } from '@drawbridge/core/oauth/default-scopes'
import { bothDpopRules, type DpopRules, dpopRulesFromJson } from '@drawbridge/core/oauth/dpop-rules'
import { type TokenExchange, tokenExchangeFromJson } from '@drawbridge/core/oauth/exchange-permission'
import { type IdJagIssuing, idJagIssuingFromJson } from '@drawbridge/core/oauth/id-jag-issuing'
import { findResource } from '@drawbridge/core/oauth/resource'
import type { SubjectTypeRules } from '@drawbridge/core/oauth/subject-type'
import { type ToldOfPeople, toldOfPeopleFromJson, whateverATenantAllows } from '@drawbridge/core/oauth/userinfo'
import type { CompiledPolicy, Wall } from '@drawbridge/core/policy/compile'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { permissionsAt } from '@drawbridge/core/tenant/at-issuer'
import { type ConnectionChoice, connectionChoiceFromJson } from '@drawbridge/core/tenant/connection-choice'
import type { ConnectionId, IssuerKind, TenantId } from '@drawbridge/core/tenant/ids'
import type { SigningKey, VerificationKey } from '@drawbridge/crypto/jwt'
import type { Sealer } from '@drawbridge/crypto/seal'
import {
  isPublished,
  type JwtPurpose,
  type KeyPurpose,
  type KeyState,
  type PublicJwk,
  toSigningKey,
  toVerificationKey,
} from '@drawbridge/crypto/signing-keys'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Settings } from '@drawbridge/runtime/env'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { Database } from '@drawbridge/store/database'
import {
  findConfigurationVersionAcrossTenants,
  loadConfigurationAcrossTenants,
  type StoredConfiguration,
  type StoredResource,
  type StoredSigningKey,
} from '@drawbridge/store/tenant-configuration'
import { type ConnectionConfiguration, parseConnection } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { ServiceProvider } from '@drawbridge/upstream/saml/service-provider'
import { type SoftwareStatements, softwareStatementsFromJson } from '@drawbridge/upstream/software-statement/statement-issuers'
import { createAbsentSlugs } from './absent-slugs.js'
import { createLatestUsed } from './latest-used.js'
import { lazily, once } from './lazily.js'
import { upstreamReader } from './read-upstream.js'
import { type ResolvedAssertionTrust, type ResolvedSamlTrust, resolveTrusts } from './resolved-trusts.js'
import { createRounds } from './rounds.js'
import { samlKeysOf } from './saml-keys.js'
import { createPolicyCompiler, type PolicyCompiler } from './tenant-policy.js'

export type PublishedKey = {
  readonly kid: string
  readonly purpose: KeyPurpose
  readonly state: KeyState
  readonly algorithm: string
  readonly publicJwk: PublicJwk
}

export type ResolvedConnection = {
  readonly id: ConnectionId
  readonly kind: 'saml' | 'oidc'
  readonly name: string
  readonly epoch: number
  readonly disabled: boolean
  /** What cannot be parsed any more, or leads where nobody may be sent, refuses the login, not the tenant. */
  readonly configuration: Result<ConnectionConfiguration, UpstreamRefusal>
  readonly secret: Secret | undefined
  /** What we are to a SAML IdP. */
  readonly serviceProvider: ServiceProvider
}

/** A tenant as configured at one version, at one issuer: its own, or the front, where it is a member. Epochs in here are hints: statements compare the real ones. */
export type ResolvedTenant = Omit<
  StoredConfiguration,
  | ('signingKeys' | 'connections' | 'resources' | 'policyDocument' | 'wall')
  | ('pairwiseByDefault' | 'sealedPairwiseKey')
  | (
      | 'connectionChoice'
      | 'secondFactor'
      | 'clientRegistration'
      | 'atFront'
      | 'toldOfPeople'
      | 'defaultScopes'
      | 'dpop'
      | 'tokenExchange'
      | 'idJagIssuing'
      | 'softwareStatements'
    )
> & {
  /** All but compromised ones, every purpose. */
  readonly keys: readonly PublishedKey[]
  /** The active key for a purpose, whatever its algorithm. Throws when there is none: an issuer is made with its keys. */
  signingKey(purpose: JwtPurpose): SigningKey
  /** For tokens that are ours: published keys of that purpose, each with its algorithm. */
  verificationKeys(purpose: JwtPurpose): readonly VerificationKey[]
  readonly connections: readonly ResolvedConnection[]
  connection(id: string): ResolvedConnection | undefined
  /** Those that hold at this issuer, are on and can be read, the oldest first. */
  readonly assertionTrusts: readonly ResolvedAssertionTrust[]
  readonly samlTrusts: readonly ResolvedSamlTrust[]
  /** What an address that somebody gives chooses. */
  readonly choice: ConnectionChoice
  readonly secondFactor: SecondFactorSetting
  /** In which ways clients may become known. */
  readonly clientRegistration: ClientRegistration
  /** What the vendor has chosen of that for whoever comes by the front issuer, where the tenant is its member. */
  readonly vendorsRegistration: ClientRegistration | undefined
  /** Whose word it takes for what a client that registers itself is. */
  readonly softwareStatements: SoftwareStatements
  /** What is demanded of tokens that are bound to a key, by the tenant and by whoever serves the issuer. */
  readonly dpop: DpopRules
  /** Which clients of this issuer may exchange whose tokens for which resource. */
  readonly tokenExchange: TokenExchange
  /** Which clients of this issuer may have ID-JAGs for which authorization servers of others. */
  readonly idJagIssuing: IdJagIssuing
  /** Whether any client may, at whichever issuer. */
  readonly issuesIdJags: boolean
  /** What clients may be told of people; of the front itself, what they may ask for: the tenant of the person says what of that they get. */
  readonly toldOfPeople: ToldOfPeople
  /** By which `sub` clients that say nothing know people. */
  readonly subjectTypes: SubjectTypeRules
  /** Behind the pairwise `sub`s, opened at first use; `undefined`: none was needed yet. */
  pairwiseKey(): Buffer | undefined
  readonly resources: readonly StoredResource[]
  /** By its identifier, or by what a client writes for it: `findResource`. */
  resource(indicator: string | undefined): StoredResource | undefined
  /** Refuses everything but sign-in when the stored document no longer compiles. */
  readonly policy: CompiledPolicy
  /** The vendor's, inside which it was compiled. */
  readonly wall: Wall
}

export type ConfigurationCache = {
  /** At its own issuer, if nothing else is said. */
  find(slug: string, at?: IssuerKind): Promise<ResolvedTenant | undefined>
  /** The tenant at the same issuer, at least as new as `version`: loads again when the cached one is older. */
  atVersion(tenant: ResolvedTenant, version: number): Promise<ResolvedTenant>
  /** A hint that something changed; without a tenant, anything. */
  invalidate(tenant?: TenantId): void
}

export const configurationLimits = {
  recheckAfterMs: 1000,
  mostTenants: 5000,
  /** Of all policies that are kept compiled: some 50 to 100 octets of memory for each. */
  policyCharacters: 8 * 1024 * 1024,
  mostAbsentSlugs: 5000,
  slugLength: 63,
} as const
const mostOfRecheck = 1000
const slugShape = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export type ConfigurationDeps = {
  readonly settings: Pick<Settings, 'publicUrl'>
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly sealer: Sealer
  readonly installationId: string
}
type Entry = { readonly tenant: ResolvedTenant; checkedAt: number }

export function createConfigurationCache(
  deps: ConfigurationDeps,
  mostTenants: number = configurationLimits.mostTenants,
): ConfigurationCache {
  const limits = { most: mostTenants, weight: configurationLimits.policyCharacters }
  const entries = createLatestUsed<string, Entry>(limits)
  const loading = new Map<string, Promise<ResolvedTenant | undefined>>()
  const compile = createPolicyCompiler(deps.log, limits)
  let hints = 0
  const absent = createAbsentSlugs(deps.clock, { forMs: configurationLimits.recheckAfterMs, most: configurationLimits.mostAbsentSlugs })

  const load = async (slug: string, at: IssuerKind): Promise<ResolvedTenant | undefined> => {
    const key = keyOf(slug, at)
    // Taken before the read: a change during it makes the entry old, never fresh.
    const checkedAt = deps.clock.now()
    const hintsBefore = hints
    const noteAbsent = absent.begin()
    const stored = await loadConfigurationAcrossTenants(deps.database, slug, at)
    deps.metrics.count('drawbridge_configuration_loads_total')
    if (!stored) {
      entries.delete(key)
      noteAbsent(key)
      return undefined
    }
    const tenant = resolve(deps, stored, compile)
    // What a change overtook on its way is good for whoever asked before it, and for nobody after.
    if (hints !== hintsBefore) return tenant
    entries.set(key, { tenant, checkedAt }, stored.policyDocument?.length ?? 0)
    return tenant
  }
  const rechecks = createRounds<undefined, number | undefined>({ mostOfRound: mostOfRecheck, isAskedAlike: true })
  /** A hundred long-polls that end together ask once. */
  const versionNow = (slug: string): Promise<number | undefined> =>
    rechecks.ask(slug, undefined, async (askers) => {
      const version = await findConfigurationVersionAcrossTenants(deps.database, slug)
      return askers.map(() => version)
    })
  const loadOnce = (slug: string, at: IssuerKind): Promise<ResolvedTenant | undefined> => {
    const key = keyOf(slug, at)
    const running = loading.get(key)
    if (running) return running
    const started = load(slug, at).finally(() => loading.get(key) === started && loading.delete(key))
    loading.set(key, started)
    return started
  }
  return {
    find: async (slug, at = 'tenant') => {
      if (!slugShape.test(slug)) return undefined
      const key = keyOf(slug, at)
      const entry = entries.get(key)
      if (!entry) return absent.has(key) ? undefined : loadOnce(slug, at)
      const now = deps.clock.now()
      if (Math.abs(now - entry.checkedAt) < configurationLimits.recheckAfterMs) return entry.tenant
      const version = await versionNow(slug)
      if (version !== entry.tenant.configurationVersion) return loadOnce(slug, at)
      entry.checkedAt = now
      return entry.tenant
    },
    atVersion: async (tenant, version) => {
      if (tenant.configurationVersion === version) return tenant
      const at = tenant.issuer.kind
      const cached = entries.get(keyOf(tenant.slug, at))?.tenant
      if (cached && cached.configurationVersion >= version) return cached
      const loaded = await load(tenant.slug, at)
      if (!loaded) throw new Error('invariant broken: tenants are never deleted')
      return loaded
    },
    invalidate: (tenant) => {
      hints += 1
      for (const { tenant: each } of entries.values())
        if (tenant === undefined || each.id === tenant) entries.delete(keyOf(each.slug, each.issuer.kind))
      // What is being read was asked for before the change.
      loading.clear()
      absent.forget()
    },
  }
}

/** A slug has no space. */
const keyOf = (slug: string, at: IssuerKind): string => `${at} ${slug}`

function resolve(deps: ConfigurationDeps, stored: StoredConfiguration, compile: PolicyCompiler): ResolvedTenant {
  const {
    signingKeys,
    connections: storedConnections,
    policyDocument: _document,
    wall: _wall,
    connectionChoice,
    secondFactor,
    clientRegistration,
    atFront,
    dpop,
    tokenExchange,
    idJagIssuing,
    toldOfPeople,
    pairwiseByDefault,
    sealedPairwiseKey: pairwise,
    softwareStatements,
    defaultScopes,
    ...rest
  } = stored
  const resources = withDefaultScopes(rest.resources, rest.id, defaultScopes)
  const published = signingKeys.filter((key) => isPublished(key.state as KeyState))
  const samlKeys = samlKeysOf(signingKeys, (key) =>
    unseal(deps, key.tenantId, 'signing_keys', 'sealed_private_key', key.id, key.sealedPrivateKey),
  )
  const read = upstreamReader(deps, rest.slug)
  const isOfLogins = ({ kind }: { readonly kind: string }): boolean => kind !== 'assertion'
  const connections = storedConnections.filter(isOfLogins).map((connection): ResolvedConnection => {
    const sealed = connection.sealedSecret
    const secret =
      sealed === undefined
        ? undefined
        : new Secret(unseal(deps, rest.id, 'connections', 'sealed_secret', connection.id, sealed).toString('utf8'))
    const { id, name, epoch, disabled, sha1Until } = connection
    return {
      id,
      name,
      epoch,
      disabled,
      serviceProvider: { ...samlKeys, sha1Until },
      kind: connection.kind as 'saml' | 'oidc',
      configuration: read(connection, parseConnection(connection.kind, connection.configuration)),
      secret,
    }
  })
  const { kind: at } = rest.issuer
  const storedTrusts = storedConnections.filter((each) => !isOfLogins(each))
  const issuing = idJagIssuingFromJson(idJagIssuing)
  return {
    ...rest,
    resources,
    keys: published.map(({ id, purpose, state, algorithm, publicJwk }) => ({
      kid: id,
      purpose: purpose as KeyPurpose,
      state: state as KeyState,
      algorithm,
      publicJwk: publicJwk as PublicJwk,
    })),
    signingKey: lazily((purpose: string) => activeKey(deps, signingKeys, purpose)),
    verificationKeys: lazily((purpose: string) =>
      published.filter((key) => key.purpose === purpose).map((key) => toVerificationKey(key.publicJwk as PublicJwk)),
    ),
    connections,
    ...resolveTrusts(storedTrusts, { at, read, connections, serviceProvider: { ...samlKeys, sha1Until: undefined } }),
    choice: connectionChoiceFromJson(connectionChoice),
    secondFactor: secondFactorFromJson(secondFactor),
    clientRegistration: clientRegistrationFromJson(clientRegistration),
    vendorsRegistration: atFront && clientRegistrationFromJson(atFront.clientRegistration),
    softwareStatements: softwareStatementsFromJson(softwareStatements),
    dpop: bothDpopRules(dpopRulesFromJson(dpop), dpopRulesFromJson(atFront?.dpop)),
    requirePushedRequests: rest.requirePushedRequests || atFront?.requirePushedRequests === true,
    tokenExchange: permissionsAt(at, tokenExchangeFromJson(tokenExchange)),
    idJagIssuing: permissionsAt(at, issuing),
    issuesIdJags: issuing.permissions.length > 0,
    toldOfPeople: at === 'front' ? whateverATenantAllows : toldOfPeopleFromJson(toldOfPeople),
    subjectTypes: { pairwiseByDefault },
    pairwiseKey: once(() => pairwise && unseal(deps, rest.id, 'pairwise_keys', 'sealed_key', pairwise.id, pairwise.sealed)),
    connection: (id) => connections.find((connection) => connection.id === id),
    resource: (indicator) => (indicator === undefined ? undefined : findResource(indicator, resources)),
    ...compile(stored),
  }
}

function activeKey(deps: ConfigurationDeps, keys: readonly StoredSigningKey[], purpose: string): SigningKey {
  const key = keys.find((candidate) => candidate.purpose === purpose && candidate.state === 'active')
  if (!key) throw new Error(`invariant broken: no active key for ${purpose}`)
  return toSigningKey(key, unseal(deps, key.tenantId, 'signing_keys', 'sealed_private_key', key.id, key.sealedPrivateKey))
}

function unseal(deps: ConfigurationDeps, tenant: TenantId, table: string, column: string, row: string, sealed: Buffer): Buffer {
  const opened = deps.sealer.open(sealed, { installation: deps.installationId, tenant, table, column, row })
  if (!opened.ok) throw new Error(`invariant broken: ${table}.${column} does not open; is this the master key of this database?`)
  return opened.value
}

/** The connection that a request names; to name none is no fault. */
export function namedConnection(
  tenant: Pick<ResolvedTenant, 'connections'>,
  { connection: named }: AuthorizationParameters,
): Result<ResolvedConnection | undefined, { readonly reason: 'connection_unknown' }> {
  const connection = usableConnections(tenant).find(({ id }) => id === named)
  return named !== undefined && !connection ? err({ reason: 'connection_unknown' }) : ok(connection)
}

/** Those that a person can be sent to, the oldest first. */
export const usableConnections = (tenant: Pick<ResolvedTenant, 'connections'>): readonly ResolvedConnection[] =>
  tenant.connections.filter((connection) => !connection.disabled && connection.configuration.ok)
