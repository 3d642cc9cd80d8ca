/** Who signed in before her directory told of her: known by the declared key, in what she recorded at her last login. */
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { ConnectionId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { namesakeLimits } from './namesakes.js'
import type { Db } from './transaction.js'

export type KeyedUser = { readonly userName: string; readonly externalId: string | undefined }
type At = { readonly tenant: TenantId; readonly connectionId: ConnectionId; readonly link?: SubjectLink | undefined }

/** Whoever of the connection has this user's key, and is linked to nobody yet; one more than are ended singly says that there are too many. */
export async function findByRecordedKey(db: Db, { tenant, connectionId, link }: At, user: KeyedUser): Promise<readonly SubjectId[]> {
  const value = link?.scim === 'userName' ? user.userName.toLowerCase() : user.externalId
  if (link === undefined || value === undefined || value === '') return []
  // The plain lower() knows only the letters of the cluster's locale, ASCII in the embedded one; ICU's root collation knows all.
  const same = (text: string) => (link.scim === 'userName' ? `lower((${text}) COLLATE "und-x-icu") = $4` : `${text} = $4`)
  const { rows } = await db.query<{ id: SubjectId }>(
    `SELECT id FROM subjects WHERE tenant_id = $1 AND connection_id = $2 AND scim_user_id IS NULL AND ($5 AND ${same('stable_id')}
       OR EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(claims -> 'claims') = 'array' THEN claims -> 'claims' ELSE '[]' END) AS claim
         WHERE claim ->> 0 = ANY ($3::text[]) AND jsonb_typeof(claim -> 1) = 'string' AND ${same('claim ->> 1')}))
     ORDER BY id LIMIT $6 FOR UPDATE`,
    [tenant, connectionId, link.claims, value, link.isStableId, namesakeLimits.endedSingly + 1],
  )
  return rows.map(({ id }) => id)
}
