/** Scope strings: RFC 6749 §3.3. */
import { err, ok, type Result } from '../result.js'
import type { Scope } from '../tenant/ids.js'
import type { OAuthError } from './error.js'

export const scopeParameterMaxLength = 4096
export const scopesMaxCount = 100
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/

export const isScope = (text: string): text is Scope => scopeToken.test(text)

/** Splits a scope parameter; repeated tokens count once, order is kept. Absent or blank is `undefined`: the resource's defaults apply. */
export function parseScope(parameter: string | undefined): Result<readonly Scope[] | undefined, OAuthError<'scope_malformed'>> {
  if (parameter === undefined) return ok(undefined)
  if (parameter.length > scopeParameterMaxLength) return err({ reason: 'scope_malformed' })
  const tokens = [...new Set(parameter.split(' ').filter((token) => token !== ''))]
  if (tokens.length === 0) return ok(undefined)
  if (tokens.length > scopesMaxCount || !tokens.every(isScope)) return err({ reason: 'scope_malformed' })
  return ok(tokens as readonly Scope[])
}

/** Scopes of OpenID Connect that we grant. They belong to the issuer, not to a resource. OIDC Core §3.1.2.1, §5.4. */
export const identityScopes = ['openid', 'profile', 'email'] as const
export type IdentityScope = (typeof identityScopes)[number]

/** Of no resource. Asked for out of habit: where they are not granted they refuse nothing. OIDC Core §5.4, §11. */
const ofNoResource: readonly string[] = [...identityScopes, 'offline_access']

export type AskedScopes = {
  readonly identity: readonly IdentityScope[]
  /** `undefined`: nothing was said of the resource, so what it gives without being asked. */
  readonly ofResource: readonly Scope[] | undefined
}

/**
 * Divides what was asked for between the issuer and the resource. `told`: what a client may be told of a person beside that she is the same; nothing is
 * without `openid`, which makes it a question to the issuer.
 */
export function divideScopes(asked: readonly Scope[] | undefined, told: readonly IdentityScope[] = []): AskedScopes {
  const names: readonly string[] = asked ?? []
  const granted = names.includes('openid') ? (['openid', ...told] as readonly IdentityScope[]) : []
  const identity = identityScopes.filter((name) => names.includes(name) && granted.includes(name))
  const ofResource = asked?.filter((name) => !ofNoResource.includes(name)) ?? []
  return { identity, ofResource: ofResource.length === 0 ? undefined : ofResource }
}

export const formatScope = (scopes: readonly Scope[]): string => scopes.join(' ')

export const isSubsetOf = (scopes: readonly Scope[], of: readonly Scope[]): boolean => scopes.every((scope) => of.includes(scope))
