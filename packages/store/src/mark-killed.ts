/**
 * Marks what a barrier has already killed, so that lists show it dead. Nothing that decides anything reads a mark before the epochs; what has expired is over
 * without one, and there may be thirty days of it. Marked as the tenant: the role that crosses tenants may not touch grants.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { KillOfMany } from '@drawbridge/core/revocation/follow-kill'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { given, type KeptStatement, keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

type KillOfFew = 'subject' | 'grant'
export type Killed<Target> = { readonly target: Target; readonly targetId: string; readonly epoch: number }

const marked = 'UPDATE grants g SET revoked_at = $4, revoked_reason = coalesce(g.revoked_reason, $5)'
const isToMark = 'g.revoked_at IS NULL AND g.expires_at > $4'
const ofDerived = 'revoked with the grant that it was exchanged from'

/**
 * What somebody holds at that moment is left out: nobody is told before these are marked, and whoever ends very many grants holds them for long. Locked in one order.
 */
const marking = (of: string): KeptStatement =>
  keptStatement(`WITH free AS MATERIALIZED (SELECT g.id FROM grants g ${of} AND ${isToMark} ORDER BY g.id FOR UPDATE OF g SKIP LOCKED)
   ${marked} FROM free WHERE g.tenant_id = $1 AND g.id = free.id`)
const few = (id: string, isBelow: string): KeptStatement =>
  marking(`JOIN ${given('$2::uuid[]', '$3::int[]')} AS dead (id, epoch) ON g.${id} = dead.id WHERE g.tenant_id = $1 AND ${isBelow}`)
const ofSubjects = few('subject_id', 'g.subject_epoch < dead.epoch')
const ofGrants = few('id', 'dead.epoch IS NOT NULL')
/** What was opened from a grant by an exchange is of the same person and connection, but not of the same client. */
const derivedOfGrants = marking(`WHERE g.tenant_id = $1 AND g.ancestors <> '{}' AND g.ancestors && $2::uuid[] AND $3::int[] IS NOT NULL`)

/** Whatever hangs on these people and grants, and nobody holds. Answers how many grants it marked. */
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

/** Which of the grants `g` of a page `$2` and `$3`, the target and its epoch, have killed. */
const ofMany: Readonly<Record<KillOfMany, string>> = {
  client: 'g.client_id = $2 AND g.client_epoch < $3',
  connection: 'g.connection_id = $2::uuid AND g.connection_epoch < $3',
  tenant: 'g.tenant_id = $2::uuid AND g.tenant_epoch < $3',
}

/** A client of whom there are no more grants at the tenant is gone through by its own index, again for each page; any other by walking through all of the tenant's once. */
export const mostByIndex = 10_000
const oneOfClient = `SELECT 1 FROM clients c JOIN grants g ON g.tenant_id = c.tenant_id AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id
   WHERE c.tenant_id = $1 AND c.client_id = $2 LIMIT $3`

/** Whether it is quicker to walk through everything of the tenant than to look for what is the client's. */
export async function holdsVeryMuch(db: Db | AcrossDb, tenant: TenantId, client: string, most: number = mostByIndex): Promise<boolean> {
  const { rows } = await db.query<{ count: number }>(`SELECT count(*)::int AS count FROM (${oneOfClient}) AS one`, [
    tenant,
    client,
    most + 1,
  ])
  return (rows[0]?.count ?? 0) > most
}

/** The next `$7` grants by id behind `$6`: whether each is killed, and whether it is to be marked. By the key of the table. */
const pageOfTenant = (target: KillOfMany): string => `page AS MATERIALIZED (
    SELECT g.id, ${ofMany[target]} AS is_killed, ${isToMark} AS is_to_mark FROM grants g WHERE g.tenant_id = $1 AND g.id > $6::uuid ORDER BY g.tenant_id, g.id LIMIT $7)`
const pageOfClient = `own AS MATERIALIZED (
    SELECT g.id, ${isToMark} AS is_to_mark FROM clients c JOIN grants g ON g.tenant_id = c.tenant_id AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id
     WHERE c.tenant_id = $1 AND c.client_id = $2 AND g.client_epoch < $3),
  page AS MATERIALIZED (SELECT id, true AS is_killed, is_to_mark FROM own WHERE id > $6::uuid ORDER BY id LIMIT $7)`

/**
 * What was opened by an exchange from what is on the page, dead by now or not. Of any other target it carries the epoch itself. Looked up in the page, hashed once:
 * as arrays each that lives would be compared with each of the page, and as a join so would it be, before anything is known of the tables.
 */
const derivedOfPage = `SELECT g.id, '${ofDerived}' FROM grants g WHERE g.tenant_id = $1 AND g.ancestors <> '{}'
      AND (SELECT bool_or(a.id IN (SELECT id FROM page WHERE is_killed)) FROM unnest(g.ancestors) AS a (id)) AND ${isToMark} AND g.id NOT IN (SELECT id FROM page WHERE is_killed AND is_to_mark)`

const pageStatement = (page: string, { target, waits }: { readonly target: KillOfMany; readonly waits: boolean }): string => `WITH ${page},
  dead (id, reason) AS MATERIALIZED (
    SELECT id, $5 FROM page WHERE is_killed AND is_to_mark${target === 'client' ? ` UNION ALL ${derivedOfPage}` : ''}),
  held AS MATERIALIZED (
    SELECT g.id FROM grants g WHERE g.tenant_id = $1 AND g.id = ANY (ARRAY(SELECT id FROM dead)) AND ${isToMark} ORDER BY g.id FOR UPDATE ${waits ? '' : 'SKIP LOCKED'}),
  marked AS (
    UPDATE grants g SET revoked_at = $4, revoked_reason = coalesce(g.revoked_reason, dead.reason) FROM held JOIN dead USING (id)
     WHERE g.tenant_id = $1 AND g.id = held.id RETURNING 1)
  SELECT (SELECT id FROM page ORDER BY id OFFSET $7 - 1) AS last, (SELECT count(*)::int FROM marked) AS marked, (SELECT count(*)::int FROM dead) AS dead`

const beforeAll = '00000000-0000-0000-0000-000000000000'

export type PageOfMarks = {
  readonly at: Instant
  /** The last grant, by id, of the page before; absent: begin with the first. */
  readonly after: string | undefined
  readonly limit: number
  /** Also for what somebody holds. Without it that is left out, and said. */
  readonly waits: boolean
  /** Only for tests: see `mostByIndex`. */
  readonly mostByIndex?: number
}

/** `last`: of the page, behind which there may be more. `leftOut`: how many of it somebody held, or changed meanwhile. */
export type MarkedPage = { readonly last: string | undefined; readonly marked: number; readonly leftOut: number }

/**
 * Of the next grants by id, at most `limit`, marks those that a kill of many has killed. However many there are, each is looked at once by whoever goes on
 * behind `last`.
 */
export async function markPage(
  db: Db,
  tenant: TenantId,
  { target, targetId, epoch }: Killed<KillOfMany>,
  { at, after, limit, waits, mostByIndex: most }: PageOfMarks,
): Promise<MarkedPage> {
  const isByIndex = target === 'client' && !(await holdsVeryMuch(db, tenant, targetId, most))
  const text = pageStatement(isByIndex ? pageOfClient : pageOfTenant(target), { target, waits })
  const { rows } = await db.query<{ last: string | null; marked: number; dead: number }>(text, [
    ...[tenant, targetId, epoch, toTimestamp(at), `revoked with its ${target}`, after ?? beforeAll, limit],
  ])
  const { last = null, marked = 0, dead = 0 } = rows[0] ?? {}
  return { last: last ?? undefined, marked, leftOut: dead - marked }
}
