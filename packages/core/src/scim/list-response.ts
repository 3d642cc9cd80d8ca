/** Pages of resources as they are answered. RFC 7644 §3.4.2, RFC 9865 §2. */
import type { JsonObject } from './json.js'

const schemas = ['urn:ietf:params:scim:api:messages:2.0:ListResponse']

export const listResponse = (resources: readonly JsonObject[], totalResults: number, startIndex: number): JsonObject => ({
  schemas,
  totalResults,
  startIndex,
  itemsPerPage: resources.length,
  Resources: resources,
})

/** Without `nextCursor` it is the last page. How many there are in all is not counted again for each page. */
export const cursorResponse = (resources: readonly JsonObject[], nextCursor: string | undefined): JsonObject => ({
  schemas,
  itemsPerPage: resources.length,
  ...(nextCursor === undefined ? {} : { nextCursor }),
  Resources: resources,
})
