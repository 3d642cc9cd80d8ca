/**
 * Which limit a request of a directory counts under. What takes access away has limits of its own, also of its address: no flood of anything else
 * leaves it without room. Nor do those leave it without room whom a directory creates as gone, very many when it begins: they, too, may take away, and have
 * limits of their own. A directory that is told to wait sends again, so that none is lost; it is told when.
 */
import { coversScope, type ScimScope } from '@drawbridge/core/scim/scope'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { RateLimitName } from '../http/rate-limit.js'

/** Of one token. */
export type ScimLimit = Exclude<Extract<RateLimitName, `scim_${string}`>, `${string}_tenant`>

/** Of what has to do with people and groups all tokens of a company spend together, too. */
type ScimLimitOfAll = Extract<ScimLimit, 'scim_read' | `scim_create${'' | '_gone'}` | 'scim_change' | 'scim_removal'>

export function scimLimitOf({ method, path, json }: Pick<HttpRequest, 'method' | 'path' | 'json'>): ScimLimitOfAll {
  if (method === 'DELETE') return 'scim_removal'
  if (method === 'GET' || path.endsWith('/.search')) return 'scim_read'
  const isGone = json.ok && saysGone(json.value)
  if (method === 'POST' && !path.endsWith('/Bulk')) return isGone ? 'scim_create_gone' : 'scim_create'
  return isGone ? 'scim_removal' : 'scim_change'
}

const together = {
  scim_read: 'scim_read_tenant',
  scim_create: 'scim_create_tenant',
  scim_create_gone: 'scim_create_gone_tenant',
  scim_change: 'scim_change_tenant',
  scim_removal: 'scim_removal_tenant',
} as const satisfies Record<ScimLimitOfAll, RateLimitName>
const isOfAll = (limit: ScimLimit): limit is ScimLimitOfAll => Object.hasOwn(together, limit)

/** What is refused for its scope, whatever it says. */
const isBeyond = (scope: ScimScope, limit: ScimLimitOfAll): boolean => limit !== 'scim_read' && !coversScope(scope, 'scim:users')

type Spending = { readonly tokenId: string; readonly tenant: TenantId; readonly scope: ScimScope }

/** Of the token first: what it is refused by itself, or for what it may not do, takes nothing from the others of its company. */
export const spendScim = (
  { spend }: Pick<HttpRequest, 'spend'>,
  limit: ScimLimit,
  { tokenId, tenant, scope }: Spending,
): Answer | undefined => spend(limit, tokenId) ?? (isOfAll(limit) && !isBeyond(scope, limit) ? spend(together[limit], tenant) : undefined)

/** Deeper than any body of SCIM nests what matters here: Bulk, its data, a PATCH in it, the value of an operation. */
const deepest = 8

/** For a limit or a line of the trail: what looks like a goodbye and is none costs nothing. */
export function saysGone(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null || depth > deepest) return false
  if (Array.isArray(value)) return value.some((one) => saysGone(one, depth + 1))
  let [isOfActive, hasFalse] = [false, false]
  // By its names: entries of a large object take four times as long.
  for (const name of Object.keys(value)) {
    const one: unknown = (value as Readonly<Record<string, unknown>>)[name]
    switch (name.toLowerCase()) {
      case 'active':
        if (isFalse(one)) return true
        break
      case 'method':
        if (isNamed(one, /^delete$/i)) return true
        break
      case 'path':
        isOfActive = isNamed(one, /(^|:)active$/i)
        break
      case 'value':
        hasFalse = isFalse(one)
    }
    if (saysGone(one, depth + 1)) return true
  }
  return isOfActive && hasFalse
}
const isFalse = (value: unknown): boolean => value === false || (typeof value === 'string' && value.toLowerCase() === 'false')
const isNamed = (value: unknown, pattern: RegExp): boolean => typeof value === 'string' && pattern.test(value)
