/** Whose assertions a tenant accepts at the token endpoint of one of its issuers, of what it has stored: those that hold there, are on and can be used, the oldest first. */
import type { Result } from '@drawbridge/core/result'
import { holdsAt } from '@drawbridge/core/tenant/at-issuer'
import type { ConnectionId, IssuerKind } from '@drawbridge/core/tenant/ids'
import type { StoredConfiguration } from '@drawbridge/store/tenant-configuration'
import { isOfSamlTrust, parseSamlTrust, type SamlTrust } from '@drawbridge/upstream/assertion/saml-trust'
import { type AssertionTrust, parseAssertionTrust } from '@drawbridge/upstream/assertion/trust'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { ResolvedIssuer } from '@drawbridge/upstream/saml/brought-assertion'
import type { ServiceProvider } from '@drawbridge/upstream/saml/service-provider'
import type { ReadUpstream } from './read-upstream.js'

/** Whose assertions are accepted at the token endpoint. No browser ever comes to one: it is not among the connections. */
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

type Stored = StoredConfiguration['connections'][number]
/** What is asked of a connection whose keys a trust believes. */
type Believed = {
  readonly id: ConnectionId
  readonly disabled: boolean
  readonly configuration: Result<ConnectionConfiguration, UpstreamRefusal>
}
type Around = {
  readonly at: IssuerKind
  readonly read: ReadUpstream
  readonly connections: readonly Believed[]
  readonly serviceProvider: ServiceProvider
}

/** What is off, cannot be used, or does not hold at this issuer, accepts nothing. */
export function resolveTrusts(stored: readonly Stored[], around: Around) {
  const live = stored.filter(({ disabled }) => !disabled)
  const ofSaml = live.filter(({ configuration }) => isOfSamlTrust(configuration))
  const ofJwt = live.filter(({ configuration }) => !isOfSamlTrust(configuration))
  return {
    assertionTrusts: ofJwt.flatMap((each) => toAssertionTrust(each, around)).filter(({ trust }) => holdsAt(around.at, trust.at)),
    samlTrusts: ofSaml.flatMap((each) => toSamlTrust(each, around)).filter(({ trust }) => holdsAt(around.at, trust.at)),
  }
}

function toAssertionTrust(stored: Stored, { read }: Around): readonly ResolvedAssertionTrust[] {
  const { id, name, configuration } = stored
  const parsed = read(stored, parseAssertionTrust(configuration))
  return parsed.ok ? [{ id, name, trust: parsed.value }] : []
}

/** One that believes the keys of a connection accepts nothing while that is off, cannot be read or speaks another protocol. */
function toSamlTrust(stored: Stored, { read, connections, serviceProvider }: Around): readonly ResolvedSamlTrust[] {
  const { id, name, configuration } = stored
  const parsed = read(stored, parseSamlTrust(configuration))
  const issuer = parsed.ok ? issuerOf(parsed.value, connections) : undefined
  return parsed.ok && issuer !== undefined ? [{ id, name, trust: { ...parsed.value, ...issuer }, serviceProvider }] : []
}

/** Who the issuer of a trust is; `undefined`: it believes the keys of a connection that cannot be used. */
export function issuerOf(
  { from }: SamlTrust,
  connections: readonly Believed[],
): Pick<ResolvedIssuer, 'issuer' | 'certificates'> | undefined {
  if (from.keysOf === undefined) return from
  const connection = connections.find(({ id, disabled }) => id === from.keysOf && !disabled)?.configuration
  if (!connection?.ok || connection.value.kind !== 'saml') return undefined
  return { issuer: connection.value.idpEntityId, certificates: connection.value.certificates }
}
