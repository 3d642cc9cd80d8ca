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

export const formatScope = (scopes: readonly Scope[]): string => scopes.join(' ')

export const isSubsetOf = (scopes: readonly Scope[], of: readonly Scope[]): boolean => scopes.every((scope) => of.includes(scope))
