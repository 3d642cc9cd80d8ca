/** The end of somebody's access that her directory names in advance. */
import type { Instant } from '@drawbridge/core/instant'
import type { SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

/**
 * Names the end, or with `undefined` takes it back; true if it is another than before. From that moment on she is treated as deactivated: no
 * login, no grant, nothing of her grants is issued or believed at introspection. What is open is decided again at its next refresh and ends
 * then; an end that is taken back gives nothing back to it.
 *
 * It is no barrier: nobody is told when the moment comes, and an access token that was issued before the end was named may say a later one.
 * Whoever writes the end calls `deprovision` when it comes, and at once for an end that has passed.
 */
export async function nameEndOfSubject(
  db: Db,
  tenant: TenantId,
  subjectId: SubjectId,
  deactivatesAt: Instant | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE subjects SET deactivates_at = $3, claims_version = claims_version + 1
     WHERE tenant_id = $1 AND id = $2 AND deactivates_at IS DISTINCT FROM $3::timestamptz`,
    [tenant, subjectId, deactivatesAt === undefined ? null : toTimestamp(deactivatesAt)],
  )
  return rowCount > 0
}
