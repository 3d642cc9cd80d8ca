/** How long what policy allows may live: the least of all ceilings, and which of them it was. */
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import type { CompiledPolicy } from './compile.js'
import type { Ceiling, SensitivityTier } from './decision.js'
import { defaultTierLimits } from './tier.js'

export type LifetimeInput = {
  readonly tiers: readonly SensitivityTier[]
  readonly resourceSeconds: number | undefined
  readonly clientSeconds: number | undefined
  readonly sessionStartedAt: Instant
  readonly idpSessionExpiresAt: Instant | undefined
  readonly now: Instant
}

export type Lifetimes = {
  readonly accessTokenTtl: Ceiling
  readonly refreshTokenTtl: Ceiling | undefined
  readonly sessionExpiresAt: Instant
}

/** Nothing issued from this login lives longer: our own limit from its start, or the IdP's end of its session, whichever is first. */
export function sessionEnd(policy: CompiledPolicy, startedAt: Instant, idpSessionExpiresAt: Instant | undefined): Instant {
  const absolute = addSeconds(startedAt, policy.session.absoluteSeconds)
  return idpSessionExpiresAt !== undefined && idpSessionExpiresAt < absolute ? idpSessionExpiresAt : absolute
}

/** Of equal ceilings the first listed is named. */
const least = (ceilings: readonly Ceiling[]): Ceiling =>
  ceilings.reduce((winner, ceiling) => (ceiling.seconds < winner.seconds ? ceiling : winner))

/**
 * The ceilings of access and refresh token. Several tiers: each of them binds, so the strictest wins number by number.
 *
 * @spec SAML Core §2.7.2 SessionNotOnOrAfter
 */
export function lifetimes(policy: CompiledPolicy, input: LifetimeInput): Lifetimes {
  const session = sessionCeilings(policy, input)
  const access = [
    ...input.tiers.map((tier) => tierCeiling(policy, tier, 'accessTokenSeconds')),
    ...fixedCeilings(input),
    ...session,
  ].filter((ceiling) => ceiling !== undefined)
  const refreshing = input.tiers.map((tier) => tierCeiling(policy, tier, 'refreshTokenSeconds'))
  const refreshable = refreshing.filter((ceiling) => ceiling !== undefined)
  const idle: Ceiling = {
    seconds: policy.session.idleSeconds,
    by: 'session_idle',
    detail: `a session idles at most ${policy.session.idleSeconds} s`,
  }
  return {
    accessTokenTtl: least(access),
    refreshTokenTtl: refreshable.length < refreshing.length ? undefined : least([...refreshable, idle, ...session]),
    sessionExpiresAt: sessionEnd(policy, input.sessionStartedAt, input.idpSessionExpiresAt),
  }
}

function tierCeiling(
  policy: CompiledPolicy,
  tier: SensitivityTier,
  kind: 'accessTokenSeconds' | 'refreshTokenSeconds',
): Ceiling | undefined {
  const seconds = policy.tierLimits[tier][kind]
  if (seconds === undefined) return undefined
  const tightened = seconds !== defaultTierLimits[tier][kind]
  return {
    seconds,
    by: tightened ? 'tenant' : 'tier',
    detail: tightened ? `the tenant's limit for tier ${tier}` : `the limit of tier ${tier}`,
  }
}

function fixedCeilings(input: LifetimeInput): readonly Ceiling[] {
  const ceilings: Ceiling[] = []
  if (input.resourceSeconds !== undefined)
    ceilings.push({ seconds: input.resourceSeconds, by: 'resource', detail: 'the limit of the resource' })
  if (input.clientSeconds !== undefined) ceilings.push({ seconds: input.clientSeconds, by: 'client', detail: 'the limit of the client' })
  return ceilings
}

function sessionCeilings(policy: CompiledPolicy, input: LifetimeInput): readonly Ceiling[] {
  const absolute = addSeconds(input.sessionStartedAt, policy.session.absoluteSeconds)
  const ceilings: Ceiling[] = [
    {
      seconds: secondsBetween(input.now, absolute),
      by: 'session_absolute',
      detail: `a session lasts at most ${policy.session.absoluteSeconds} s`,
    },
  ]
  if (input.idpSessionExpiresAt !== undefined)
    ceilings.push({
      seconds: secondsBetween(input.now, input.idpSessionExpiresAt),
      by: 'idp_session',
      detail: 'the IdP ends its session then',
    })
  return ceilings
}
