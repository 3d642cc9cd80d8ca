/** How long what policy allows may live: the least of all ceilings, and which of them it was. */
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import type { CompiledPolicy } from './compile.js'
import type { CompiledClientRule } from './compile-rules.js'
import type { Ceiling, SensitivityTier } from './decision.js'
import type { PolicyInput } from './input.js'

export type Lifetimes = {
  readonly accessTokenTtl: Ceiling
  readonly refreshTokenTtl: Ceiling | undefined
  /** Nothing of this grant lives longer, by whatever refresh. */
  readonly endsAt: Instant
}

/** An instant after which nothing lives, and why. */
type End = { readonly at: Instant; readonly by: Ceiling['by']; readonly detail: string }

/**
 * The instants that end everything issued from this login. Several may be the same; the first listed is the one that is named.
 *
 * @spec SAML Core §2.7.2 SessionNotOnOrAfter
 * @spec OIDC Core §2 auth_time; OpenID IPSIE session_expiry
 */
function endsOf({ session: limits }: CompiledPolicy, { identity, session, deactivatesAt, now }: PolicyInput): readonly End[] {
  const { absoluteSeconds, authenticationMaxAgeSeconds: maxAge, reconsentSeconds } = limits
  const { authenticatedAt } = identity.authentication
  const ends: (End | undefined)[] = [
    { at: addSeconds(session.startedAt, absoluteSeconds), by: 'session_absolute', detail: `a session lasts at most ${absoluteSeconds} s` },
    identity.sessionExpiresAt === undefined
      ? undefined
      : { at: identity.sessionExpiresAt, by: 'idp_session', detail: 'the IdP ends its session then' },
    // When she signed in is unknown: no time can be shown to be left.
    maxAge === undefined
      ? undefined
      : {
          at: authenticatedAt === undefined ? now : addSeconds(authenticatedAt, maxAge),
          by: 'authentication_age',
          detail: `nothing lives longer than ${maxAge} s after the sign-in at the IdP${authenticatedAt === undefined ? ', and the IdP does not say when that was' : ''}`,
        },
    reconsentSeconds === undefined
      ? undefined
      : {
          at: addSeconds(session.grantedAt ?? now, reconsentSeconds),
          by: 'reconsent',
          detail: `consent lasts ${reconsentSeconds} s`,
        },
    deactivatesAt === undefined ? undefined : { at: deactivatesAt, by: 'deactivation', detail: 'the directory ends this access then' },
  ]
  return ends.filter((end) => end !== undefined)
}

const firstEnd = (ends: readonly End[]): End => ends.reduce((first, end) => (end.at < first.at ? end : first))

/** Of equal ceilings the first listed is named. */
const least = (ceilings: readonly Ceiling[]): Ceiling =>
  ceilings.reduce((winner, ceiling) => (ceiling.seconds < winner.seconds ? ceiling : winner))

/**
 * Every ceiling of an access token, and of a refresh token; without the latter, none is issued. `end`: nothing that is issued, by whatever
 * refresh, lives longer.
 */
export type Ceilings = { readonly access: readonly Ceiling[]; readonly refresh: readonly Ceiling[] | undefined; readonly end: End }

/** What binds this grant: its tiers, and the rules for clients that apply. */
type Bound = { readonly tiers: readonly SensitivityTier[]; readonly clientRules: readonly CompiledClientRule[] }

/** Several tiers: each of them binds, so the strictest wins number by number. */
export function ceilingsOf(policy: CompiledPolicy, input: PolicyInput, bound: Bound): Ceilings {
  const { tiers, clientRules } = bound
  const ends = endsOf(policy, input)
  const refreshEnds = refreshEndsOf(policy, input, bound)
  const leftUntil = ({ at, by, detail }: End): Ceiling => ({ seconds: secondsBetween(input.now, at), by, detail })
  const { resource, client } = input
  const access = [
    ...tiers.map((tier) => tierCeiling(tier, policy.tierLimits[tier].accessTokenSeconds, policy.outerTierLimits[tier].accessTokenSeconds)),
    ...fixed(resource.accessTokenTtlSeconds, 'resource', 'the limit of the resource'),
    ...fixed(client.accessTokenTtlSeconds, 'client', 'the limit of the client'),
    ...clientRules.flatMap(({ name, accessTokenSeconds }) => fixed(accessTokenSeconds, 'client_rule', `client rule ${name}`)),
    ...ends.map(leftUntil),
    // An access token does not outlive its grant, and the first of these ends it.
    ...(refreshEnds?.length ? [leftUntil(firstEnd(refreshEnds))] : []),
  ]
  if (refreshEnds === undefined) return { access, refresh: undefined, end: firstEnd(ends) }
  const { idleSeconds } = policy.session
  const idle = { seconds: idleSeconds, by: 'session_idle' as const, detail: `a session idles at most ${idleSeconds} s` }
  return { access, refresh: [...refreshEnds.map(leftUntil), idle, ...ends.map(leftUntil)], end: firstEnd([...ends, ...refreshEnds]) }
}

/**
 * When all refresh tokens of the grant end by the limits of tiers and clients. They count from its opening, so that a rotation wins no
 * time: only idleness counts from the last use. `undefined`: it has no refresh token.
 */
function refreshEndsOf(policy: CompiledPolicy, { session, now }: PolicyInput, { tiers, clientRules }: Bound): readonly End[] | undefined {
  const isRefused =
    tiers.some((tier) => policy.tierLimits[tier].refreshTokenSeconds === undefined) ||
    clientRules.some(({ refreshTokenSeconds }) => refreshTokenSeconds === 'none')
  if (isRefused) return undefined
  const limits = [
    ...tiers.flatMap((tier) => {
      const seconds = policy.tierLimits[tier].refreshTokenSeconds
      return seconds === undefined ? [] : [tierCeiling(tier, seconds, policy.outerTierLimits[tier].refreshTokenSeconds)]
    }),
    ...clientRules.flatMap(({ name, refreshTokenSeconds: seconds }) =>
      seconds === 'none' ? [] : fixed(seconds, 'client_rule', `client rule ${name}`),
    ),
  ]
  return limits.map(({ seconds, by, detail }) => ({ at: addSeconds(session.grantedAt ?? now, seconds), by, detail }))
}

export const leastOf = ({ access, refresh, end }: Ceilings): Lifetimes => ({
  accessTokenTtl: least(access),
  refreshTokenTtl: refresh && least(refresh),
  endsAt: end.at,
})

const tierCeiling = (tier: SensitivityTier, seconds: number, outer: number | undefined): Ceiling =>
  seconds === outer
    ? { seconds, by: 'tier', detail: `the limit of tier ${tier}` }
    : { seconds, by: 'tenant', detail: `the tenant's limit for tier ${tier}` }

const fixed = (seconds: number | undefined, by: Ceiling['by'], detail: string): readonly Ceiling[] =>
  seconds === undefined ? [] : [{ seconds, by, detail }]
