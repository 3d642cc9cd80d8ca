/** Resource indicators: which MCP server or API a token is for. RFC 8707. */
import type { SensitivityTier } from '../policy/decision.js'
import { err, ok, type Result } from '../result.js'
import type { ResourceId, ResourceIdentifier, Scope, TenantId } from '../tenant/ids.js'

export type ResourceScope = {
  readonly name: Scope
  readonly tier: SensitivityTier
  readonly description: string
  readonly isDefault: boolean
}

export type ResourceServer = {
  readonly tenantId: TenantId
  readonly id: ResourceId
  readonly identifier: ResourceIdentifier
  readonly name: string
  readonly scopes: readonly ResourceScope[]
  readonly accessTokenTtlSeconds: number | undefined
}

export const resourceMaxLength = 2048

/** Granted when nothing of it was asked for. */
export const defaultScopesOf = <S extends Scope>({
  scopes,
}: {
  readonly scopes: readonly { readonly name: S; readonly isDefault: boolean }[]
}): readonly S[] => scopes.filter(({ isDefault }) => isDefault).map(({ name }) => name)

/**
 * Finds the resource that an indicator names.
 *
 * SDKs append or drop the slash of an empty path and write scheme and host in any case (RFC 3986 §6.2.2.1, §6.2.3), so one slash at
 * the end makes no difference and neither does the case before the path. Everything else is compared byte for byte; the token's `aud`
 * is always the identifier as registered.
 *
 * @spec RFC 8707 §2 absolute URI without fragment
 */
export function findResource<R extends { readonly identifier: string }>(indicator: string, resources: readonly R[]): R | undefined {
  if (indicator.length > resourceMaxLength || indicator.includes('#')) return undefined
  const exact = resources.find((resource) => resource.identifier === indicator)
  if (exact) return exact
  const wanted = comparable(indicator)
  const matching = wanted === undefined ? [] : resources.filter((resource) => comparable(resource.identifier) === wanted)
  return matching.length === 1 ? matching[0] : undefined
}

/** The resource that is named; where none is, the only one of the issuer. Where there are several, somebody has to say which. */
export function findAskedResource<R extends { readonly identifier: string }>(
  indicator: string | undefined,
  resources: readonly R[],
): Result<R, 'missing' | 'unknown'> {
  if (indicator === undefined) return resources.length === 1 && resources[0] ? ok(resources[0]) : err('missing')
  const found = findResource(indicator, resources)
  return found ? ok(found) : err('unknown')
}

function comparable(identifier: string): string | undefined {
  const match = /^([a-z][a-z0-9+.-]*:\/\/[^/?]+)([^?]*)(\?.*)?$/i.exec(identifier)
  if (!match) return undefined
  const [, origin = '', path = '', query = ''] = match
  return `${origin.toLowerCase()}${path.endsWith('/') ? path.slice(0, -1) : path}${query}`
}
