/** What a client may have in its own name, without any person. */
import type { Instant } from '../instant.js'
import { lifetimeAlone, scopesLeftAlone } from '../policy/alone.js'
import type { CompiledPolicy } from '../policy/compile.js'
import type { Ceiling } from '../policy/decision.js'
import type { PolicyInput } from '../policy/input.js'
import { err, ok, type Result } from '../result.js'
import type { Scope } from '../tenant/ids.js'
import { type Client, policyHostOf } from './client.js'
import { scopesGiven } from './machine-access.js'
import type { TokenErrorReason } from './token-error.js'

/** Hears of rules that could not be evaluated and counted strictly: whoever decides counts them. */
export type OnUnclear = (rules: number) => void

export type OwnAccess = { readonly scopes: readonly Scope[]; readonly accessTokenTtl: Ceiling }
export type OwnAccessRefusal = Extract<TokenErrorReason, 'grant_type_not_for_client' | 'scope_widened' | 'machine_access_missing'>

/**
 * Decides the scopes of a client that acts for itself: what an admin wrote into its ceiling, of what the resource declares, less what
 * policy takes from it. Of a client of the front issuer the ceiling only takes away: what is given it, the tenant's admin says for itself.
 *
 * What is asked for beyond that is left out, as at the authorization endpoint. Scope rules grant nothing here; an empty ceiling, which elsewhere means "all that policy allows", therefore means nothing. Only a client
 * that an admin registered and that proves itself is served. Lifetimes are those of the tiers.
 *
 * @spec RFC 6749 §4.4 confidential clients only, §4.4.3 no refresh token, §3.3 less than was asked for
 */
export function decideOwnAccess(
  client: Pick<Client, 'id' | 'kind' | 'redirectUris' | 'authMethod' | 'scopeCeiling' | 'accessTokenTtlSeconds' | 'machineAccess'>,
  asked: {
    readonly scopes: readonly Scope[] | undefined
    readonly resource: PolicyInput['resource']
    readonly policy: CompiledPolicy
    readonly address?: string | undefined
    readonly country?: string | undefined
    /** Told how many rules took from it because nobody could judge them, whatever is decided. */
    readonly onUnclear?: OnUnclear | undefined
  },
  now: Instant,
): Result<OwnAccess, OwnAccessRefusal> {
  if (client.kind !== 'preregistered' || client.authMethod === 'none') return err('grant_type_not_for_client')
  const { resource, policy, address, country } = asked
  const alone = { client: { ...client, host: policyHostOf(client) }, resource, address, country, now }
  const given = resource.scopes.filter(({ name }) => isGiven(client, resource, name))
  if (given.length === 0 && client.machineAccess !== undefined) return err('machine_access_missing')
  const { scopes: allowed, unclear } = scopesLeftAlone(policy, { ...alone, scopes: given })
  if (unclear > 0) asked.onUnclear?.(unclear)
  const granted = asked.scopes === undefined ? allowed : allowed.filter((scope) => asked.scopes?.includes(scope.name))
  if (granted.length === 0) return err('scope_widened')
  return ok({ scopes: granted.map((scope) => scope.name), accessTokenTtl: lifetimeAlone(policy, { ...alone, scopes: granted }) })
}

function isGiven(
  { scopeCeiling, machineAccess }: Pick<Client, 'scopeCeiling' | 'machineAccess'>,
  { identifier }: PolicyInput['resource'],
  name: Scope,
): boolean {
  if (machineAccess === undefined) return scopeCeiling.includes(name)
  return scopesGiven(machineAccess, identifier).includes(name) && (scopeCeiling.length === 0 || scopeCeiling.includes(name))
}
