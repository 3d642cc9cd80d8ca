/** What a client may have in its own name, without any person. */
import type { Instant } from '../instant.js'
import type { CompiledPolicy } from '../policy/compile.js'
import type { Ceiling, SensitivityTier } from '../policy/decision.js'
import { lifetimes } from '../policy/lifetime.js'
import { err, ok, type Result } from '../result.js'
import type { Scope } from '../tenant/ids.js'
import type { Client } from './client.js'
import type { TokenErrorReason } from './token-error.js'

export type OwnAccess = { readonly scopes: readonly Scope[]; readonly accessTokenTtl: Ceiling }
export type OwnAccessRefusal = Extract<TokenErrorReason, 'grant_type_not_for_client' | 'scope_widened'>

/**
 * Decides the scopes of a client that acts for itself: what an admin wrote into its ceiling, of what the resource declares.
 *
 * Scope rules speak about people and grant nothing here; an empty ceiling, which elsewhere means "all that policy allows", therefore
 * means nothing. Only a client that an admin registered and that proves itself is served. Lifetimes are those of the tiers.
 *
 * @spec RFC 6749 §4.4 confidential clients only, §4.4.3 no refresh token
 */
export function decideOwnAccess(
  client: Pick<Client, 'kind' | 'authMethod' | 'scopeCeiling' | 'accessTokenTtlSeconds'>,
  asked: {
    readonly scopes: readonly Scope[] | undefined
    readonly resource: {
      readonly scopes: readonly { readonly name: string; readonly tier: string }[]
      readonly accessTokenTtlSeconds: number | undefined
    }
    readonly policy: CompiledPolicy
  },
  now: Instant,
): Result<OwnAccess, OwnAccessRefusal> {
  if (client.kind !== 'preregistered' || client.authMethod === 'none') return err('grant_type_not_for_client')
  const allowed = asked.resource.scopes.filter((scope) => client.scopeCeiling.includes(scope.name as Scope))
  const granted = asked.scopes === undefined ? allowed : allowed.filter((scope) => asked.scopes?.includes(scope.name as Scope))
  if (granted.length === 0 || granted.length < (asked.scopes?.length ?? 0)) return err('scope_widened')
  const { accessTokenTtl } = lifetimes(asked.policy, {
    tiers: granted.map((scope) => scope.tier as SensitivityTier),
    resourceSeconds: asked.resource.accessTokenTtlSeconds,
    clientSeconds: client.accessTokenTtlSeconds,
    sessionStartedAt: now,
    idpSessionExpiresAt: undefined,
    now,
  })
  return ok({ scopes: granted.map((scope) => scope.name as Scope), accessTokenTtl })
}
