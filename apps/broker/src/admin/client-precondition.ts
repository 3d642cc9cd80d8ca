/** What an admin changes is the client that she saw: entity tags of clients, and the condition that a request puts on them. RFC 9110 §13.1.1 */
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { holdClient } from '@drawbridge/store/admin-clients'
import type { Db } from '@drawbridge/store/transaction'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { showClient } from './client-shapes.js'

const tagOf = (client: Client): string => `"${showClient(client).etag}"`

/** For an answer that shows one client. */
export const noteTag = (client: Client): { readonly headers: { readonly etag: string } } => ({ headers: { etag: tagOf(client) } })

/** Strong comparison, as the specification wants it of If-Match: a weak tag is none of ours. */
const lists = (header: string, tag: string): boolean => header.trim() === '*' || header.split(',').some((one) => one.trim() === tag)

/**
 * Whether the client of the path is what the caller saw, if the caller says what that was. From then on nobody else changes it before the transaction ends:
 * neither another admin nor its own document. One that is not there is left to whoever looks for it next.
 */
export async function isSeen(db: Db, http: HttpRequest<unknown, unknown>): Promise<boolean> {
  const ifMatch = http.headers['if-match']
  if (ifMatch === undefined) return true
  const { id: tenant, issuer } = tenantOf(http)
  const client = await holdClient(db, tenant, { issuerId: issuer.id, id: (http.params['client'] ?? '') as ClientId })
  return client === undefined || lists(ifMatch, tagOf(client))
}
