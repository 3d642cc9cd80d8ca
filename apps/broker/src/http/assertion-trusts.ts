/** Whose assertions a tenant accepts at the token endpoint of one of its issuers, as configured at one version. */
import type { Result } from '@drawbridge/core/result'
import { holdsAt } from '@drawbridge/core/tenant/at-issuer'
import type { ConnectionId, IssuerKind } from '@drawbridge/core/tenant/ids'
import type { StoredConfiguration, StoredConnection } from '@drawbridge/store/tenant-configuration'
import { isOfSamlTrust, parseSamlTrust, type SamlTrust } from '@drawbridge/upstream/assertion/saml-trust'
import { type AssertionTrust, parseAssertionTrust } from '@drawbridge/upstream/assertion/trust'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { ResolvedIssuer } from '@drawbridge/upstream/saml/brought-assertion'
import type { ServiceProvider } from '@drawbridge/upstream/saml/service-provider'

/** Whose assertions are accepted. No browser ever comes to one: it is not among the connections. */
export type ResolvedAssertionTrust = {
  readonly id: ConnectionId
  readonly name: string
  readonly trust: AssertionTrust
}

/** Whose SAML assertions are. */
export type ResolvedSamlTrust = {
  readonly id: ConnectionId
  readonly name: string
  readonly trust: SamlTrust & ResolvedIssuer
  /** What assertions are encrypted to. */
  readonly serviceProvider: ServiceProvider
}

/** A login connection, as far as a trust may believe its keys. */
type Believable = {
  readonly id: ConnectionId
  readonly disabled: boolean
  readonly configuration: Result<ConnectionConfiguration, UpstreamRefusal>
}

type Known = { readonly connections: readonly Believable[]; readonly serviceProvider: ServiceProvider }

export const isOfLogins = ({ kind }: StoredConnection): boolean => kind !== 'assertion'

/** Those that are on, can be read, and hold at an issuer of this kind. */
export function assertionTrustsOf(
  kind: IssuerKind,
  stored: readonly StoredConnection[],
  known: Known,
): { readonly assertionTrusts: readonly ResolvedAssertionTrust[]; readonly samlTrusts: readonly ResolvedSamlTrust[] } {
  const held = <T extends { readonly trust: { readonly at: SamlTrust['at'] } }>({ trust }: T): boolean => holdsAt(kind, trust.at)
  return {
    assertionTrusts: stored.flatMap(toAssertionTrust).filter(held),
    samlTrusts: stored.flatMap((each) => toSamlTrust(each, known)).filter(held),
  }
}

/** What cannot be parsed any more accepts nothing. */
function toAssertionTrust({ id, kind, name, disabled, configuration }: StoredConnection): readonly ResolvedAssertionTrust[] {
  if (kind !== 'assertion' || disabled || isOfSamlTrust(configuration)) return []
  const parsed = parseAssertionTrust(configuration)
  return parsed.ok ? [{ id, name, trust: parsed.value }] : []
}

/** The same of SAML. One that believes the keys of a connection accepts nothing while that is off, cannot be read or speaks another protocol. */
function toSamlTrust(
  { id, kind, name, disabled, configuration }: StoredConnection,
  { connections, serviceProvider }: Known,
): readonly ResolvedSamlTrust[] {
  if (kind !== 'assertion' || disabled || !isOfSamlTrust(configuration)) return []
  const parsed = parseSamlTrust(configuration)
  const issuer = parsed.ok ? issuerOf(parsed.value, connections) : undefined
  return parsed.ok && issuer !== undefined ? [{ id, name, trust: { ...parsed.value, ...issuer }, serviceProvider }] : []
}

/** Who the issuer of a trust is; `undefined`: it believes the keys of a connection that cannot be used. */
export function issuerOf(
  { from }: Pick<SamlTrust, 'from'>,
  connections: readonly Believable[],
): Pick<ResolvedIssuer, 'issuer' | 'certificates'> | undefined {
  if (from.keysOf === undefined) return from
  const connection = connections.find(({ id, disabled }) => id === from.keysOf && !disabled)?.configuration
  if (!connection?.ok || connection.value.kind !== 'saml') return undefined
  return { issuer: connection.value.idpEntityId, certificates: connection.value.certificates }
}

/** What an assertion must say that it is for, at one of a tenant's issuers. */
export type AssertionAddresses = {
  /** Claim `aud` of a JWT: the issuer. */
  readonly audience: string
  /** Where clients bring them; the Recipient of SAML. */
  readonly tokenEndpoint: string
  /** The Audience of SAML, which has no claim that could name the tenant beside the issuer: at the front it is the tenant's own issuer. */
  readonly samlAudience: string
  /** Claim `aud_tenant`; at the front it is demanded, because its audience is that of every tenant. */
  readonly audTenant: { readonly is: string; readonly demanded: boolean }
}

type Place = Pick<StoredConfiguration, 'home' | 'slug'> & { readonly issuer: Pick<StoredConfiguration['issuer'], 'url' | 'kind'> }

/** docs/adr/0090 */
export const assertionAddressesOf = ({ issuer, home, slug }: Place): AssertionAddresses => ({
  audience: issuer.url,
  tokenEndpoint: `${issuer.url}/token`,
  samlAudience: home,
  audTenant: { is: slug, demanded: issuer.kind !== 'tenant' },
})
