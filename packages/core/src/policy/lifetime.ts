/** How long what policy allows may live: the least of all ceilings, and which of them it was. */
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import { codeTtlSeconds } from '../oauth/grant.js'
import type { CompiledPolicy } from './compile.js'
import type { CompiledClientRule } from './compile-rules.js'
import type { Ceiling, SensitivityTier } from './decision.js'
import type { PolicyInput } from './input.js'

export type Lifetimes = {
  readonly accessTokenTtl: Ceiling
  readonly refreshTokenTtl: Ceiling | undefined
  /** No refresh token of this grant lives longer, by whatever rotation. `undefined`: it has none. */
  readonly refreshEndsAt: Instant | undefined
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
          at: addSeconds(session.consentedAt ?? session.grantedAt ?? now, reconsentSeconds),
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
 * Every ceiling of an access token, and of a refresh token; without the latter, none is issued, and `withoutRefresh` says why. `end`: nothing
 * that is issued, by whatever refresh, lives longer.
 */
export type Ceilings = {
  readonly access: readonly Ceiling[]
  readonly refresh: { readonly ceilings: readonly Ceiling[]; readonly endsAt: Instant } | undefined
  readonly withoutRefresh: string | undefined
  readonly end: End
}

/** What binds this grant: its tiers, and the rules for clients that apply. */
type Bound = { readonly tiers: readonly SensitivityTier[]; readonly clientRules: readonly CompiledClientRule[] }

/**
 * Several tiers: each of them binds, so the strictest wins number by number.
 *
 * A grant lives as long as its refresh tokens may, and at least until its first access token is surely over: a limit on refresh tokens never
 * takes anything from that one, so that the shorter it is, the less it gives, and `none` is the shortest of all. docs/adr/0038
 */
export function ceilingsOf(policy: CompiledPolicy, input: PolicyInput, bound: Bound): Ceilings {
  const { now } = input
  const ends = endsOf(policy, input)
  const leftUntil = ({ at, by, detail }: End): Ceiling => ({ seconds: secondsBetween(now, at), by, detail })
  if (bound.tiers.length === 0) return withoutRefreshTokens('nothing is granted', { access: ends.map(leftUntil), end: firstEnd(ends) })
  const own = accessLimits(policy, input, bound)
  const firstToken = endOfFirstToken(own, input)
  const limit = refreshLimit(policy, input, bound)
  const last = limit.kind === 'until' && limit.first.at > firstToken.at ? limit.first : firstToken
  // An access token does not outlive its grant.
  const access = [...own, ...ends.map(leftUntil), leftUntil(last)]
  const end = firstEnd([...ends, last])
  if (limit.kind === 'none') return withoutRefreshTokens(limit.detail, { access, end })
  if (secondsBetween(now, limit.first.at) < 1) return withoutRefreshTokens(`${limit.first.detail} has ended it`, { access, end })
  const { idleSeconds } = policy.session
  const idle = { seconds: idleSeconds, by: 'session_idle' as const, detail: `a session idles at most ${idleSeconds} s` }
  return {
    access,
    refresh: { ceilings: [...limit.all.map(leftUntil), idle, ...ends.map(leftUntil)], endsAt: firstEnd([...ends, limit.first]).at },
    withoutRefresh: undefined,
    end,
  }
}

const withoutRefreshTokens = (because: string, rest: Pick<Ceilings, 'access' | 'end'>): Ceilings => ({
  ...rest,
  refresh: undefined,
  withoutRefresh: because,
})

/** What limits each access token, whenever it is issued: at least its tiers. */
function accessLimits(policy: CompiledPolicy, { resource, client }: PolicyInput, { tiers, clientRules }: Bound): readonly Ceiling[] {
  return [
    ...tiers.map((tier) => tierCeiling(tier, policy.tierLimits[tier].accessTokenSeconds, policy.outerTierLimits[tier].accessTokenSeconds)),
    ...fixed(resource.accessTokenTtlSeconds, 'resource', 'the limit of the resource'),
    ...fixed(client.accessTokenTtlSeconds, 'client', 'the limit of the client'),
    ...clientRules.flatMap(({ name, accessTokenSeconds }) => fixed(accessTokenSeconds, 'client_rule', `client rule ${name}`)),
  ]
}

/** When the access token is over that is issued for the grant's code, at the latest. */
function endOfFirstToken(limits: readonly Ceiling[], { session, now }: PolicyInput): End {
  const { seconds, by, detail } = least(limits)
  return {
    at: addSeconds(session.grantedAt ?? now, codeTtlSeconds + seconds),
    by,
    detail: `where refresh tokens end before, all ends with the first access token: ${detail}`,
  }
}

type RefreshLimit =
  | { readonly kind: 'none'; readonly detail: string }
  /** `first`: when the shortest of them ends all refresh tokens of the grant. */
  | { readonly kind: 'until'; readonly all: readonly End[]; readonly first: End }

/**
 * When all refresh tokens of the grant end by the limits of tiers and clients. They count from its opening, so that a rotation wins no
 * time: only idleness counts from the last use.
 */
function refreshLimit(policy: CompiledPolicy, { session, now }: PolicyInput, { tiers, clientRules }: Bound): RefreshLimit {
  const refusingTier = tiers.find((tier) => policy.tierLimits[tier].refreshTokenSeconds === undefined)
  if (refusingTier !== undefined) return { kind: 'none', detail: `tier ${refusingTier} has none` }
  const refusingRule = clientRules.find(({ refreshTokenSeconds }) => refreshTokenSeconds === 'none')
  if (refusingRule !== undefined) return { kind: 'none', detail: `client rule ${refusingRule.name} allows none` }
  const limits = [
    ...tiers.flatMap((tier) => {
      const seconds = policy.tierLimits[tier].refreshTokenSeconds
      return seconds === undefined ? [] : [tierCeiling(tier, seconds, policy.outerTierLimits[tier].refreshTokenSeconds)]
    }),
    ...clientRules.flatMap(({ name, refreshTokenSeconds: seconds }) =>
      seconds === 'none' ? [] : fixed(seconds, 'client_rule', `client rule ${name}`),
    ),
  ]
  const all = limits.map(({ seconds, by, detail }) => ({ at: addSeconds(session.grantedAt ?? now, seconds), by, detail }))
  return { kind: 'until', all, first: firstEnd(all) }
}

export const leastOf = ({ access, refresh, end }: Ceilings): Lifetimes => ({
  accessTokenTtl: least(access),
  refreshTokenTtl: refresh && least(refresh.ceilings),
  refreshEndsAt: refresh?.endsAt,
  endsAt: end.at,
})

const tierCeiling = (tier: SensitivityTier, seconds: number, outer: number | undefined): Ceiling =>
  seconds === outer
    ? { seconds, by: 'tier', detail: `the limit of tier ${tier}` }
    : { seconds, by: 'tenant', detail: `the tenant's limit for tier ${tier}` }

const fixed = (seconds: number | undefined, by: Ceiling['by'], detail: string): readonly Ceiling[] =>
  seconds === undefined ? [] : [{ seconds, by, detail }]
