/**
 * Admission: the one place where a verified login meets the tenant's mapping and policy. Every way in passes here.
 *
 * `identify` turns the evidence into a `NormalizedIdentity`; `admit` lets policy decide on it. Neither writes anything.
 */
import { claimedAddresses, parseEmailAddress, withVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { addressesInIds } from '@drawbridge/core/identity/id-address'
import type { IdentityAssertion } from '@drawbridge/core/identity/identity-assertion'
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { type IdentityRefusal, normalize } from '@drawbridge/core/identity/normalize'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import { isKeepable } from '@drawbridge/core/keepable-text'
import { type Client, policyHostOf } from '@drawbridge/core/oauth/client'
import type { ResourceServer } from '@drawbridge/core/oauth/resource'
import { decide, type PolicyInput } from '@drawbridge/core/policy/decide'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Scope } from '@drawbridge/core/tenant/ids'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { ResolvedTenant } from '../http/tenant.js'

/** Who signed in, by which value her SCIM user may be linked (`undefined`: nothing links), and which of her ids are addresses. security.md §3 */
export type Identified = {
  readonly identity: NormalizedIdentity
  readonly scimLink: ScimLink | undefined
  readonly idAddresses: readonly string[]
}
type ScimLink = { readonly by: 'userName' | 'externalId'; readonly value: string }

/** As of a stable id. Not passed over: whoever has no link key is asked for by no directory. */
const scimLinkCharacters = 512

/** Which e-mail addresses she claims, and which of them is hers. */
export function addressesOf({ identity, scimLink, idAddresses }: Identified) {
  const email = identity.claims.get('email')
  return {
    claimed: claimedAddresses(identity.claims, scimLink?.value, ...idAddresses),
    own: typeof email === 'string' ? parseEmailAddress(email) : undefined,
  }
}

type IdentifiedBy = Pick<ConnectionConfiguration, 'mapping' | 'scimLinkKey'>

export function identify(configuration: IdentifiedBy, assertion: IdentityAssertion): Result<Identified, IdentityRefusal> {
  const identity = normalize(assertion, configuration.mapping)
  if (!identity.ok) return identity
  const idAddresses = addressesInIds(assertion, configuration.mapping)
  const identified = { identity: identity.value, scimLink: scimLinkOf(configuration, assertion), idAddresses }
  if (identified.scimLink !== undefined && identified.scimLink.value.length > scimLinkCharacters)
    return err({ reason: 'identity_text_malformed', say: `the value of the link key is longer than ${scimLinkCharacters} characters` })
  return isKeepable(identityToJson(identified.identity)) && isKeepable(identified.scimLink)
    ? ok(identified)
    : err({ reason: 'identity_text_malformed', say: 'the login carries text that is none: NUL, or half a character' })
}

function scimLinkOf(configuration: IdentifiedBy, assertion: IdentityAssertion): ScimLink | undefined {
  const key = configuration.scimLinkKey
  if (!key) return undefined
  const value = readAttribute(assertion, key.attribute)
  return value === undefined ? undefined : { by: key.scim, value }
}

/** SAML's NameID has no attribute name; `NameID` stands for it. */
function readAttribute(assertion: IdentityAssertion, name: string): string | undefined {
  if (assertion.kind === 'saml') return name === 'NameID' ? assertion.nameId?.value : single(assertion.attributes.get(name))
  const claim = name === 'sub' ? assertion.sub : assertion.claims.get(name)
  return typeof claim === 'string' && claim !== '' ? claim : undefined
}
const single = (values: readonly string[] | undefined): string | undefined =>
  values?.length === 1 && values[0] !== '' ? values[0] : undefined

export type Admission = {
  readonly tenant: ResolvedTenant
  readonly client: Client
  readonly resource: ResourceServer
  readonly identity: NormalizedIdentity
  readonly scopes: readonly Scope[]
  readonly stepUpsDone: number
  readonly session: PolicyInput['session']
  /** Who asks, as far as our own proxies say. */
  readonly from: Pick<PolicyInput['request'], 'address' | 'country'>
  /** Absent: nothing is delayed. */
  readonly privilegedFrom?: Instant | undefined
  /** Absent: the directory names no end. */
  readonly deactivatesAt?: Instant | undefined
  readonly now: Instant
}

/** What was decided, and on what. */
export type Admitted = { readonly decision: PolicyDecision; readonly input: PolicyInput }

export function admit(admission: Admission): Admitted {
  const input = policyInputOf(admission)
  return { decision: decide(admission.tenant.policy, input), input }
}

/** What policy is told of a login. */
export function policyInputOf(admission: Admission): PolicyInput {
  const { tenant, client, resource, from } = admission
  return {
    identity: withVerifiedAddress(admission.identity, tenant.domains),
    client: {
      id: client.id,
      host: policyHostOf(client),
      kind: client.kind,
      scopeCeiling: client.scopeCeiling,
      accessTokenTtlSeconds: client.accessTokenTtlSeconds,
    },
    resource,
    request: { scopes: admission.scopes, stepUpsDone: admission.stepUpsDone, address: from.address, country: from.country },
    session: admission.session,
    privilegedFrom: admission.privilegedFrom,
    deactivatesAt: admission.deactivatesAt,
    now: admission.now,
  }
}
