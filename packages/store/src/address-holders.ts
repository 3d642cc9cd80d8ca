/**
 * Who has an address in a tenant, for the choice of a connection by group. The one place that says where groups of an address come from:
 * today her last login; what a directory says of groups belongs here.
 */
import type { EmailAddress } from '@drawbridge/core/identity/email-address'
import type { Instant } from '@drawbridge/core/instant'
import type { AddressHolder } from '@drawbridge/core/tenant/groups-of-address'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type HotDb, hotStatement } from './transaction.js'

/** A connection that the domain is not bound to cannot speak for its addresses. Two are enough to know that it is not one. */
const findStatement = hotStatement({
  name: 'find_address_holders',
  tenantParameter: 1,
  text: `WITH proven AS (
    SELECT connection_id FROM domains WHERE tenant_id = $1 AND domain = $3 AND verified_at IS NOT NULL
  ), signed_in AS (
    SELECT s.scim_user_id, s.claims -> 'groups' AS groups, s.claims_at, s.deactivated_at IS NULL AND NOT EXISTS (
      SELECT 1 FROM scim_users mine WHERE mine.tenant_id = $1 AND mine.id = s.scim_user_id AND (NOT mine.active OR mine.deleted_at IS NOT NULL)
    ) AS is_active
    FROM subjects s JOIN proven ON proven.connection_id IS NULL OR proven.connection_id = s.connection_id
    WHERE s.tenant_id = $1 AND s.email_key = $2 LIMIT 2
  ), listed AS (
    SELECT u.id, u.active FROM scim_users u JOIN proven ON proven.connection_id IS NULL OR proven.connection_id = u.connection_id
    WHERE u.tenant_id = $1 AND u.user_name_key = $2 AND u.deleted_at IS NULL LIMIT 2
  )
  SELECT COALESCE(signed_in.is_active, true) AND COALESCE(listed.active, true) AS is_active, signed_in.groups, signed_in.claims_at
  FROM signed_in FULL JOIN listed ON listed.id = signed_in.scim_user_id LIMIT 2`,
})

type Row = { readonly is_active: boolean; readonly groups: unknown; readonly claims_at: Instant | null }

/** At most two: whoever signed in with the address or has it as userName, in a domain that this tenant has proven at this moment. */
export async function findAddressHolders(hot: HotDb, tenant: TenantId, { key, domain }: EmailAddress): Promise<readonly AddressHolder[]> {
  const { rows } = await hot.query<Row>(findStatement, [tenant, key, domain])
  return rows.map((row) => ({ isActive: row.is_active, groups: readGroups(row.groups), saidAt: row.claims_at ?? undefined }))
}

/** As `identity-json` writes them. That no groups were sent says nothing of which she is in. */
function readGroups(json: unknown): readonly string[] | undefined {
  const { state, value } = (json ?? {}) as { readonly state?: unknown; readonly value?: unknown }
  return state === 'known' && Array.isArray(value) ? value.filter((group) => typeof group === 'string') : undefined
}
