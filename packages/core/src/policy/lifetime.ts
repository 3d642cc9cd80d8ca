/** How long what policy allows may live: the least of all ceilings, and which of them it was. */
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import type { CompiledPolicy } from './compile.js'
import type { CompiledClientRule } from './compile-rules.js'
import type { Ceiling, SensitivityTier } from './decision.js'
import type { PolicyInput } from './input.js'

export type Lifetimes = {
  readonly accessTokenTtl: Ceiling
  readonly refreshTokenTtl: Ceiling | undefined
  readonly sessionExpiresAt: Instant
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
          detail: `nothing lives longer than ${maxAge} s after the sign-in at the IdP`,
        },
    reconsentSeconds === undefined
      ? undefined
      : {
          at: addSeconds(session.consentedAt ?? now, reconsentSeconds),
          by: 'reconsent',
          detail: `consent lasts ${reconsentSeconds} s`,
        },
    deactivatesAt === undefined ? undefined : { at: deactivatesAt, by: 'deactivation', detail: 'the directory ends this access then' },
  ]
  return ends.filter((end) => end !== undefined)
}

const firstEnd = (ends: readonly End[]): End => ends.reduce((first, end) => (end.at < first.at ? end : first))

/** Nothing issued from this login lives longer: whichever of all ends is first. */
export const sessionEnd = (policy: CompiledPolicy, input: PolicyInput): End => firstEnd(endsOf(policy, input))

/** Of equal ceilings the first listed is named. */
const least = (ceilings: readonly Ceiling[]): Ceiling =>
  ceilings.reduce((winner, ceiling) => (ceiling.seconds < winner.seconds ? ceiling : winner))

/** Every ceiling of an access token, and of a refresh token; without the latter, none is issued. */
export type Ceilings = { readonly access: readonly Ceiling[]; readonly refresh: readonly Ceiling[] | undefined; readonly end: End }

/** Several tiers: each of them binds, so the strictest wins number by number. `clientRules`: those that apply. */
export function ceilingsOf(
  policy: CompiledPolicy,
  input: PolicyInput,
  { tiers, clientRules }: { readonly tiers: readonly SensitivityTier[]; readonly clientRules: readonly CompiledClientRule[] },
): Ceilings {
  const ends = endsOf(policy, input)
  const session = ends.map(({ at, by, detail }): Ceiling => ({ seconds: secondsBetween(input.now, at), by, detail }))
  const { resource, client } = input
  const access = [
    ...tiers.map((tier) => tierCeiling(tier, policy.tierLimits[tier].accessTokenSeconds, policy.outerTierLimits[tier].accessTokenSeconds)),
    ...fixed(resource.accessTokenTtlSeconds, 'resource', 'the limit of the resource'),
    ...fixed(client.accessTokenTtlSeconds, 'client', 'the limit of the client'),
    ...clientRules.flatMap(({ name, accessTokenSeconds }) => fixed(accessTokenSeconds, 'client_rule', `client rule ${name}`)),
    ...session,
  ]
  const { idleSeconds } = policy.session
  const isRefused =
    tiers.some((tier) => policy.tierLimits[tier].refreshTokenSeconds === undefined) ||
    clientRules.some(({ refreshTokenSeconds }) => refreshTokenSeconds === 'none')
  const refresh = [
    ...tiers.flatMap((tier) => {
      const seconds = policy.tierLimits[tier].refreshTokenSeconds
      return seconds === undefined ? [] : [tierCeiling(tier, seconds, policy.outerTierLimits[tier].refreshTokenSeconds)]
    }),
    ...clientRules.flatMap(({ name, refreshTokenSeconds: seconds }) =>
      seconds === 'none' ? [] : fixed(seconds, 'client_rule', `client rule ${name}`),
    ),
    { seconds: idleSeconds, by: 'session_idle' as const, detail: `a session idles at most ${idleSeconds} s` },
    ...session,
  ]
  return { access, refresh: isRefused ? undefined : refresh, end: firstEnd(ends) }
}

export const leastOf = ({ access, refresh, end }: Ceilings): Lifetimes => ({
  accessTokenTtl: least(access),
  refreshTokenTtl: refresh && least(refresh),
  sessionExpiresAt: end.at,
})

const tierCeiling = (tier: SensitivityTier, seconds: number, outer: number | undefined): Ceiling =>
  seconds === outer
    ? { seconds, by: 'tier', detail: `the limit of tier ${tier}` }
    : { seconds, by: 'tenant', detail: `the tenant's limit for tier ${tier}` }

const fixed = (seconds: number | undefined, by: Ceiling['by'], detail: string): readonly Ceiling[] =>
  seconds === undefined ? [] : [{ seconds, by, detail }]
