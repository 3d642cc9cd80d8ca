/**
 * A grant decided again, because policy or claims have changed since: the same question as when it was new, on the evidence that it keeps.
 *
 * The answer may allow more than the grant holds. Whoever writes it takes the lesser of both, so that a grant never widens.
 */
import { privilegedFrom } from '../factor/second-factor.js'
import { type ClaimSources, withDirectory } from '../identity/directory-claims.js'
import { type TenantDomain, withVerifiedAddress } from '../identity/email-address.js'
import { identityFromJson } from '../identity/identity-json.js'
import type { AuthenticationContext, NormalizedIdentity } from '../identity/normalized-identity.js'
import { addSeconds, type Instant } from '../instant.js'
import type { CompiledPolicy } from '../policy/compile.js'
import { decide } from '../policy/decide.js'
import type { WonCeilings } from '../policy/decision.js'
import type { PolicyInput } from '../policy/input.js'
import { readsOfRequest } from '../policy/reads-of-request.js'
import type { ConnectionId, Scope } from '../tenant/ids.js'
import { type Client, policyHostOf } from './client.js'
import { decideOwnAccess, type OnUnclear } from './client-credentials.js'
import type { ResourceServer } from './resource.js'

/** What a grant keeps of what it was decided on. */
export type GrantEvidence = {
  readonly scopes: readonly string[]
  /** The claims of its person as they are now, as JSON. `undefined`: a client holds it in its own name. */
  readonly subjectClaims: unknown
  /** By which she proved who she is: where an assertion named her, the trust, and else her own. `undefined`: nobody did. */
  readonly connectionId: ConnectionId | undefined
  /** What her directory says beside them, as `withDirectory` reads it. */
  readonly directorySays: unknown
  /** Of the login behind this grant, not of a later one elsewhere. */
  readonly authentication: AuthenticationContext
  /** Of the session that it was opened from. `undefined`: it is no longer known. */
  readonly sessionStartedAt: Instant | undefined
  /** When the directory ends the access of its person. `undefined`: it names no end. */
  readonly deactivatesAt: Instant | undefined
  /** When an admin last took the factors of its person away. */
  readonly factorsResetAt: Instant | undefined
  readonly createdAt: Instant
}

/** What it is decided under. */
export type RedecisionGround = {
  readonly policy: CompiledPolicy
  readonly domains: readonly TenantDomain[]
  /** `undefined`: this issuer may mint for it no longer. */
  readonly resource: ResourceServer | undefined
  readonly client: Pick<Client, 'id' | 'kind' | 'redirectUris' | 'authMethod' | 'scopeCeiling' | 'accessTokenTtlSeconds' | 'machineAccess'>
  /** How the claims of a connection are made. `undefined`: it can no longer be read. */
  readonly mappingOf: (connection: ConnectionId) => ClaimSources | undefined
  /** Whatever is decided, also that nothing is left. */
  readonly onUnclear: OnUnclear
}

/** Who asks, from where, and when. */
export type RedecisionMoment = { readonly address: string | undefined; readonly country?: string | undefined; readonly now: Instant }

export type Redecided = {
  readonly scopes: readonly string[]
  readonly accessTokenTtlSeconds: number
  readonly refreshTtlSeconds: number | undefined
  readonly refreshEndsAt: Instant | undefined
  readonly expiresAt: Instant
  /** Which limits won. Of two decisions on one grant, the one with the lesser seconds is named. */
  readonly ceilings: WonCeilings
}

/** `undefined`: nothing is allowed any more; what cannot be read counts as that. */
export function redecideGrant(
  ground: RedecisionGround,
  grant: GrantEvidence,
  { address, country, now }: RedecisionMoment,
): Redecided | undefined {
  const input = inputAbout(ground, grant, { kind: 'refresh', address, country, now })
  if (input === undefined) return undefined
  const decision = decide(ground.policy, input)
  if (decision.explanation.unclear > 0) ground.onUnclear(decision.explanation.unclear)
  if (decision.kind !== 'allow') return undefined
  return {
    scopes: decision.scopes,
    accessTokenTtlSeconds: decision.accessTokenTtl.seconds,
    refreshTtlSeconds: decision.refreshTokenTtl?.seconds,
    refreshEndsAt: decision.refreshEndsAt,
    expiresAt: decision.endsAt,
    ceilings: { accessToken: decision.accessTokenTtl, refreshToken: decision.refreshTokenTtl ?? null },
  }
}

/**
 * The question to policy about the person behind a grant, on the evidence that it keeps: whether she keeps it (`refresh`), or may have another by it
 * (`new_grant`), to which she agreed, and for which she signed in, when she agreed to it. `undefined`: what she is, or what it is for, cannot be read.
 */
export function inputAbout(
  { domains, resource, client, mappingOf }: RedecisionGround,
  grant: GrantEvidence,
  { kind: asked, address, country, now }: RedecisionMoment & { readonly kind: 'refresh' | 'new_grant' },
): PolicyInput | undefined {
  const identity = identityFromJson(grant.subjectClaims)
  if (!identity.ok || resource === undefined) return undefined
  const { id, kind, scopeCeiling, accessTokenTtlSeconds } = client
  const known = withDirectory(identity.value, grant.directorySays, mappingOf(identity.value.connectionId))
  const { createdAt } = grant
  return {
    identity: identityBehind(known, grant, domains),
    client: { id, host: policyHostOf(client), kind, scopeCeiling, accessTokenTtlSeconds },
    resource,
    request: { scopes: grant.scopes as readonly Scope[], stepUpsDone: 0, kind: asked, address, country },
    session: {
      startedAt: startOf(grant),
      ...(asked === 'refresh' ? { grantedAt: createdAt } : { consentedAt: createdAt, freshAt: createdAt }),
    },
    deactivatesAt: grant.deactivatesAt,
    privilegedFrom: privilegedFrom(grant.factorsResetAt),
    now,
  }
}

/** Where nobody knows it any more, the earliest that it can have been. */
const startOf = ({ sessionStartedAt, authentication, createdAt }: GrantEvidence): Instant =>
  sessionStartedAt ?? authentication.authenticatedAt ?? createdAt

/**
 * What she proved, and by whom; what she is, her own connection says. When the IdP ends its session, the claims tell of her latest login; the end of
 * this grant holds what was told at its own.
 */
const identityBehind = (
  identity: NormalizedIdentity,
  { authentication, connectionId = identity.connectionId }: GrantEvidence,
  domains: RedecisionGround['domains'],
): NormalizedIdentity => ({
  ...withVerifiedAddress(identity, domains),
  ...{ authentication, connectionId, personConnectionId: identity.connectionId, sessionExpiresAt: undefined },
})

/** The same of a grant that a client holds in its own name: it is asked for anew with every token, so it has no refresh to wait for. */
function redecideOwnGrant(
  { policy, resource, client, onUnclear }: RedecisionGround,
  grant: GrantEvidence,
  now: Instant,
): Redecided | undefined {
  if (resource === undefined) return undefined
  const access = decideOwnAccess(client, { scopes: undefined, resource, policy, address: undefined, onUnclear }, now)
  if (!access.ok) return undefined
  const { scopes, accessTokenTtl } = access.value
  const expiresAt = addSeconds(grant.createdAt, accessTokenTtl.seconds)
  const ceilings = { accessToken: accessTokenTtl, refreshToken: null }
  return {
    scopes,
    accessTokenTtlSeconds: accessTokenTtl.seconds,
    refreshTtlSeconds: undefined,
    refreshEndsAt: undefined,
    expiresAt,
    ceilings,
  }
}

/** `deferred`: what is left hangs on the request that will ask for it. Until then nothing that was issued may be believed. */
export type Settlement = { readonly kind: 'decided'; readonly left: Redecided } | { readonly kind: 'deferred' } | { readonly kind: 'ended' }

/**
 * Decides a grant of which nobody is asking for anything: because a policy was published with effect at once.
 *
 * There is no request then, and so no address. A policy that reads it may say more to whoever asks than to nobody. Such a grant is not cut for
 * ever by what nobody knows: it is deferred to its next refresh, unless it keeps everything whatever the request.
 */
export function settleGrant(ground: RedecisionGround, grant: GrantEvidence, now: Instant): Settlement {
  const isOwn = grant.subjectClaims === undefined
  const left = isOwn ? redecideOwnGrant(ground, grant, now) : redecideGrant(ground, grant, { address: undefined, now })
  const keepsAll = left !== undefined && grant.scopes.every((scope) => left.scopes.includes(scope))
  if (!isOwn && !keepsAll && ground.resource !== undefined && readsOfRequest(ground.policy)) return { kind: 'deferred' }
  return left === undefined ? { kind: 'ended' } : { kind: 'decided', left }
}
