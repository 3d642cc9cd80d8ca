/**
 * Token exchange: a resource server that was sent a person's access token gets one for another resource, to go on working for her.
 *
 * It gets never more than it was sent: no scope that the token has not, no time beyond the token's, nothing that policy would not give this person
 * through this client now. Who acts is written into the token (`act`), one inside the other, and the new grant ends with every grant that it comes from.
 *
 * @spec RFC 8693
 */

import { addSeconds, fromSeconds, type Instant, secondsBetween } from '../instant.js'
import { decide } from '../policy/decide.js'
import type { Ceiling, Explanation } from '../policy/decision.js'
import { err, ok, type Result } from '../result.js'
import type { Scope } from '../tenant/ids.js'
import { whyDeniedInAbsence } from './denied-in-absence.js'
import type { IntrospectedToken } from './introspection.js'
import { type GrantEvidence, inputAbout, type RedecisionGround, type RedecisionMoment } from './redecide-grant.js'
import type { TokenErrorReason } from './token-error.js'

/** An access token of this issuer that is brought to be exchanged; its signature has held. */
export type SubjectToken = Pick<IntrospectedToken, 'grantId' | 'audience' | 'epochs' | 'scopes'> & {
  readonly sub: string
  /** To whom it was issued. */
  readonly clientId: string
  readonly endsAt: Instant
  /** To a key; it need not be one that we can read. */
  readonly isBound: boolean
}

/** `undefined`: it lacks what each of ours has, or nothing is left of its time. */
export function readSubjectToken({ claims, ...token }: IntrospectedToken, now: Instant): SubjectToken | undefined {
  const { sub, client_id: clientId, exp, cnf } = claims
  if (typeof sub !== 'string' || typeof clientId !== 'string' || typeof exp !== 'number') return undefined
  const endsAt = fromSeconds(exp)
  if (secondsBetween(now, endsAt) < 1) return undefined
  return { ...token, sub, clientId, endsAt, isBound: cnf !== undefined }
}

/**
 * The most that may be asked of policy: what is in every one of `limits`. Whoever asks for more is refused, and not given less without a word.
 *
 * @spec RFC 8693 §2.1 scope
 */
export function narrowToExchanged(
  asked: readonly Scope[] | undefined,
  [first, ...others]: readonly [readonly Scope[], ...(readonly (readonly string[])[])],
): Result<readonly Scope[], Extract<TokenErrorReason, 'scope_widened'>> {
  const left = first.filter((scope) => others.every((limit) => limit.includes(scope)))
  if (left.length === 0 || asked?.some((scope) => !left.includes(scope))) return err('scope_widened')
  return ok(asked ?? left)
}

export type ExchangeDenial = Extract<
  TokenErrorReason,
  'exchange_policy_denies' | 'exchange_consent_needed' | 'exchange_authentication_insufficient'
>
export type ExchangeDecision =
  | {
      readonly kind: 'allow'
      readonly scopes: readonly Scope[]
      readonly accessTokenTtl: Ceiling
      readonly endsAt: Instant
      readonly explanation: Explanation
    }
  | { readonly kind: 'refuse'; readonly reason: ExchangeDenial; readonly explanation: Explanation | undefined }

/**
 * Decides what a person behind a grant may have through another client at another resource: as if she asked for it there now, on the evidence that
 * her grant keeps. She is not here: what wants her to sign in for this very request, or to agree to it, is refused; a sign-in that has to be recent had
 * to be so when she gave access to her client. `grant`: with `createdAt` of the grant that she herself gave, however often it was exchanged since.
 *
 * `tokenEndsAt`: of the token that is exchanged; nothing of it lives longer.
 */
export function decideExchange(
  ground: RedecisionGround,
  grant: GrantEvidence,
  moment: RedecisionMoment & { readonly tokenEndsAt: Instant },
): ExchangeDecision {
  const input = inputAbout(ground, grant, { kind: 'new_grant', ...moment })
  if (input === undefined) return { kind: 'refuse', reason: 'exchange_policy_denies', explanation: undefined }
  const decision = decide(ground.policy, input)
  const { explanation } = decision
  if (explanation.unclear > 0) ground.onUnclear(explanation.unclear)
  if (decision.kind !== 'allow') return { kind: 'refuse', reason: `exchange_${whyDeniedInAbsence(decision)}`, explanation }
  if (decision.asksConsentAnew) return { kind: 'refuse', reason: 'exchange_consent_needed', explanation }
  const accessTokenTtl = lesserOf(decision.accessTokenTtl, moment)
  return { kind: 'allow', scopes: decision.scopes, accessTokenTtl, endsAt: endOf(decision.endsAt, accessTokenTtl, moment), explanation }
}

function lesserOf(ttl: Ceiling, { now, tokenEndsAt }: { readonly now: Instant; readonly tokenEndsAt: Instant }): Ceiling {
  const seconds = secondsBetween(now, tokenEndsAt)
  return seconds < ttl.seconds ? { seconds, by: 'subject_token', detail: 'the token that was exchanged ends then' } : ttl
}

const endOf = (
  endsAt: Instant,
  { seconds }: Ceiling,
  { now, tokenEndsAt }: { readonly now: Instant; readonly tokenEndsAt: Instant },
): Instant => [endsAt, tokenEndsAt].reduce((least, each) => (each < least ? each : least), addSeconds(now, seconds))
