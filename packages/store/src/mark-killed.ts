/**
 * Marks what a barrier has already killed, so that lists show it dead. Nothing that decides anything reads a mark before the epochs; what has expired is over
 * without one, and there may be thirty days of it. Marked as the tenant: the role that crosses tenants may not touch grants.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { KillOfMany } from '@drawbridge/core/revocation/follow-kill'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { given, type KeptStatement, keptStatement } from './kept-statements.js'
import { type Db, toTimestamp } from './transaction.js'

type KillOfFew = 'subject' | 'grant'
export type Killed<Target> = { readonly target: Target; readonly targetId: string; readonly epoch: number }

const marked = 'UPDATE grants g SET revoked_at = $4, revoked_reason = coalesce(g.revoked_reason, $5)'
const isToMark = 'g.revoked_at IS NULL AND g.expires_at > $4'
const ofDerived = 'revoked with the grant that it was exchanged from'

const few = (id: string, isBelow: string): KeptStatement =>
  keptStatement(
    `${marked} FROM ${given('$2::uuid[]', '$3::int[]')} AS dead (id, epoch) WHERE g.tenant_id = $1 AND g.${id} = dead.id AND ${isBelow} AND ${isToMark}`,
  )
const ofSubjects = few('subject_id', 'g.subject_epoch < dead.epoch')
const ofGrants = few('id', 'dead.epoch IS NOT NULL')
/** What was opened from a grant by an exchange is of the same person and connection, but not of the same client. */
const derivedOfGrants = keptStatement(
  `${marked} WHERE g.tenant_id = $1 AND g.ancestors <> '{}' AND g.ancestors && $2::uuid[] AND $3::int[] IS NOT NULL AND ${isToMark}`,
)

/** Whatever hangs on these people and grants. Answers how many grants it marked. */
export async function markGrantsRevoked(db: Db, tenant: TenantId, killed: readonly Killed<KillOfFew>[], at: Instant): Promise<number> {
  let count = 0
  const mark = async (target: KillOfFew, statement: KeptStatement, reason: string): Promise<void> => {
    const of = killed.filter((one) => one.target === target)
    if (of.length === 0) return
    const parameters = [tenant, of.map(({ targetId }) => targetId), of.map(({ epoch }) => epoch), toTimestamp(at), reason]
    count += (await db.query(statement, parameters)).rowCount
  }
  await mark('subject', ofSubjects, 'revoked with its subject')
  await mark('grant', ofGrants, 'revoked with its grant')
  await mark('grant', derivedOfGrants, ofDerived)
  return count
}

/** Which of a tenant's grants `$2` and `$3`, the target and its epoch, have killed. */
const ofMany: Readonly<Record<KillOfMany, string>> = {
  client: 'g.client_id = $2 AND g.client_epoch < $3',
  connection: 'g.connection_id = $2::uuid AND g.connection_epoch < $3',
  tenant: 'g.tenant_id = $2::uuid AND g.tenant_epoch < $3',
}
const some = (which: string): string =>
  `${marked} WHERE g.ctid = ANY (ARRAY(SELECT g.ctid FROM grants g WHERE g.tenant_id = $1 AND ${which} AND ${isToMark} LIMIT $6 FOR UPDATE SKIP LOCKED))`
const derivedOfClient = some(`g.ancestors <> '{}' AND EXISTS (
    SELECT 1 FROM unnest(g.ancestors) AS a (id) JOIN grants p ON p.tenant_id = $1 AND p.id = a.id WHERE p.client_id = $2 AND p.client_epoch < $3)`)

/** At most `limit` of what a kill of many has killed; answers how many. Fewer than the limit: that is all that nobody holds. */
export async function markSomeRevoked(
  db: Db,
  tenant: TenantId,
  { target, targetId, epoch }: Killed<KillOfMany>,
  { at, limit }: { readonly at: Instant; readonly limit: number },
): Promise<number> {
  const mark = async (text: string, reason: string): Promise<number> =>
    (await db.query(text, [tenant, targetId, epoch, toTimestamp(at), reason, limit])).rowCount
  const own = await mark(some(ofMany[target]), `revoked with its ${target}`)
  return target === 'client' && own < limit ? own + (await mark(derivedOfClient, ofDerived)) : own
}
