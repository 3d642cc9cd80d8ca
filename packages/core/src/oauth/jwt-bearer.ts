/**
 * The JWT bearer grant: what a client may have by an assertion that an issuer whom the tenant trusts made about a person. RFC 7523 §2.1, and its
 * profile ID-JAG (MCP Enterprise-Managed Authorization).
 *
 * The issuer has asked nobody here, and the client nobody at all: so of what both name, what both name is granted at most, and policy decides on
 * that as on any login.
 */
import { err, ok, type Result } from '../result.js'
import type { Scope } from '../tenant/ids.js'
import { findAskedResource, findResource } from './resource.js'
import type { TokenErrorReason } from './token-error.js'

/** @spec RFC 7523 §2.1 */
export const jwtBearerGrantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** @spec draft-ietf-oauth-identity-assertion-authz-grant: authorization_grant_profiles_supported */
export const idJagProfile = 'urn:ietf:params:oauth:grant-profile:id-jag'

/** Characters. An assertion with the groups of a large company fits; RFC 7523 names no limit. */
export const longestAssertionGrant = 32_768

/** What the client asks for, and what the assertion names. `undefined`: nothing was said. */
export type AssertedAccess = { readonly scopes: readonly Scope[] | undefined; readonly resource: string | undefined }

export type NarrowedAccess<R> = {
  readonly resource: R
  /** Empty: neither named any, so the resource's defaults apply. */
  readonly scopes: readonly Scope[]
}

/**
 * What both allow: the one resource, which must be known here, or the only one of the issuer where neither names any; and of the scopes those that are in both.
 *
 * The MCP SDK names neither in its request; then the assertion alone says. An assertion that names scopes of which none is left grants nothing,
 * and never the defaults, which somebody might take for less.
 *
 * @spec RFC 8707 §2 one resource; draft-ietf-oauth-identity-assertion-authz-grant: scope and resource of the assertion bind
 */
export function narrowToAsserted<R extends { readonly identifier: string }>(
  asked: AssertedAccess,
  asserted: AssertedAccess,
  resources: readonly R[],
): Result<NarrowedAccess<R>, Extract<TokenErrorReason, 'resource_unnamed' | 'resource_not_of_grant' | 'scope_widened'>> {
  const [named, ...others] = [asserted.resource, asked.resource].filter((indicator) => indicator !== undefined)
  const found = findAskedResource(named, resources)
  if (!found.ok) return err(found.error === 'missing' ? 'resource_unnamed' : 'resource_not_of_grant')
  const resource = found.value
  if (others.some((other) => findResource(other, resources) !== resource)) return err('resource_not_of_grant')
  const scopes = intersectionOf(asked.scopes, asserted.scopes)
  return scopes?.length === 0 ? err('scope_widened') : ok({ resource, scopes: scopes ?? [] })
}

function intersectionOf(asked: readonly Scope[] | undefined, asserted: readonly Scope[] | undefined): readonly Scope[] | undefined {
  if (asserted === undefined) return asked
  return asked === undefined ? asserted : asserted.filter((scope) => asked.includes(scope))
}
