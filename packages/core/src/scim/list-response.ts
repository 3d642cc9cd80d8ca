/** A page of resources. RFC 7644 §3.4.2. */
import { scimLimits } from './error.js'
import type { JsonObject } from './user.js'

export type Page = { readonly startIndex: number; readonly count: number }

/** `startIndex` below 1 counts as 1, a negative `count` as 0; what is no number counts as absent. @spec RFC 7644 §3.4.2.4 */
export function parsePage(startIndex: string | undefined, count: string | undefined): Page {
  const number = (text: string | undefined, otherwise: number): number =>
    text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : otherwise
  return { startIndex: Math.max(1, number(startIndex, 1)), count: Math.min(scimLimits.pageSize, Math.max(0, number(count, 100))) }
}

export const listResponse = (resources: readonly JsonObject[], totalResults: number, startIndex: number): JsonObject => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
  totalResults,
  startIndex,
  itemsPerPage: resources.length,
  Resources: resources,
})
