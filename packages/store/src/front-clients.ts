/** Clients that registered at the front issuer, as tenants have them: copies, which the database keeps like the registration (migration 0095). */
import type { Instant } from '@drawbridge/core/instant'
import type { ClientId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

/** Gives the tenant its copy, once. Answers whether it has one: not of a client that the front does not know, or that is blocked or over there. */
export async function adoptFrontClient(db: Db, tenant: TenantId, id: ClientId, now: Instant): Promise<boolean> {
  const { rows } = await db.query<{ adopted: boolean }>('SELECT adopt_front_client($1, $2, $3) AS adopted', [tenant, id, toTimestamp(now)])
  return rows[0]?.adopted ?? false
}
