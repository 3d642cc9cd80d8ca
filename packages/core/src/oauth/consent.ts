/**
 * Consent that is remembered: what a person has said yes to, for which client, resource and redirect URI. It spares her the same question, and gives
 * nothing that policy does not give at that moment.
 *
 * @spec OAuth 2.1 §7.3.1, RFC 8252 §8.6
 */
import { addSeconds, type Instant } from '../instant.js'
import type { SensitivityTier } from '../policy/decision.js'
import type { ConsentId, Scope } from '../tenant/ids.js'
import type { AuthorizationRequest } from './authorization-request.js'
import { isOnOwnMachine } from './redirect-uri.js'
import type { IdentityScope } from './scope.js'

export type Consent = {
  readonly id: ConsentId
  readonly scopes: readonly Scope[]
  readonly identityScopes: readonly IdentityScope[]
  readonly agreedAt: Instant
}

const day = 86_400

/** How long a yes to the strictest tier of what was granted is remembered, in seconds; a policy's `reconsentSeconds` may end it earlier. 0: not at all. */
export const consentKeptSeconds: Readonly<Record<SensitivityTier, number>> = { read: 90 * day, write: 30 * day, sensitive: 0, admin: 0 }

/** `undefined`: it is not to be remembered. */
export const consentEndOf = (tier: SensitivityTier, agreedAt: Instant): Instant | undefined =>
  consentKeptSeconds[tier] === 0 ? undefined : addSeconds(agreedAt, consentKeptSeconds[tier])

/**
 * Whether a yes to such a request may be remembered and may answer the next one: only where the code can reach nobody but the client, which is an
 * https address that it alone has. Any program can listen on a loopback port, and claim a private scheme. security.md §7
 */
export const mayBeRemembered = ({ redirectUri }: Pick<AuthorizationRequest, 'redirectUri'>): boolean => !isOnOwnMachine(redirectUri)

type Granted = { readonly scopes: readonly Scope[]; readonly identityScopes: readonly IdentityScope[] }

/** Whether she has said yes to all of it. */
export const covers = (consent: Consent, granted: Granted): boolean =>
  granted.scopes.every((scope) => consent.scopes.includes(scope)) &&
  granted.identityScopes.every((scope) => consent.identityScopes.includes(scope))
