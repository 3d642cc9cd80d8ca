/**
 * What a directory changes beside somebody's being there at all: her groups and claims, and from when on that counts.
 *
 * A change raises a version in the transaction that accepts it, of each person whom it touches, or of the whole connection where it touches too many
 * to be named: then one row is written, whatever the size of a group. Grants remember both versions, so the statements that issue notice. Where the
 * tenant wants changes to count at once, the barrier rises too: from this commit on whoever meets a grant decides it first, and the worker comes to
 * the rest. A rise is harmless for whoever loses nothing: her grants are decided once more and keep what they have. The time of the barrier never goes back, as
 * that of none does (`deprovisioning`): what is told says it, and tokens are dated after it.
 */
import { nestedGroupDepth } from '@drawbridge/core/identity/directory-claims'
import type { Instant } from '@drawbridge/core/instant'
import { policyLimits } from '@drawbridge/core/policy/error'
import { settleDirectoryEntry } from '@drawbridge/core/revocation/settled-grants'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import { type Db, toTimestamp } from './transaction.js'

/** An SQL expression: what the directory of a connection says of one of its users, as `withDirectory` reads it. The tenant is `$1`. */
export const directorySays = ({ connection, user }: { readonly connection: string; readonly user: string }): string =>
  `directory_says($1, ${connection}, ${user}, ${nestedGroupDepth}, ${policyLimits.groups})`

/** People whom one change may name. Beyond it the connection as a whole is raised. */
export const mostNamedPeople = 500

export type DirectoryChange = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly now: Instant
}

/** `everybody`: more than may be named, or nobody knows whom. */
export type Touched = readonly string[] | 'everybody'

/** Belongs into the transaction that changes what the directory says of these users, under `holdDirectory`. */
export async function raiseClaims(db: Db, change: DirectoryChange, touched: Touched): Promise<void> {
  if (touched === 'everybody' || touched.length > mostNamedPeople) return raiseConnection(db, change)
  if (touched.length > 0) await raisePeople(db, change, touched)
}

/** The tenant's choice as it stands; a publish that is under way comes before or after. */
const choice = `choice AS (SELECT COALESCE(claim_changes, 'now') = 'now' AS is_now FROM tenants WHERE id = $1)`

const raisedPeople = keptStatement(`WITH ${choice},
   raised AS (
     UPDATE subjects s SET claims_version = s.claims_version + 1,
       claims_barrier = CASE WHEN choice.is_now THEN s.claims_version + 1 ELSE s.claims_barrier END,
       claims_barrier_at = CASE WHEN choice.is_now THEN GREATEST(s.claims_barrier_at, $3) ELSE s.claims_barrier_at END
     FROM choice WHERE s.tenant_id = $1 AND s.connection_id = $2 AND s.scim_user_id = ANY ($4::uuid[]) RETURNING s.id),
   queued AS (
     INSERT INTO outbox (tenant_id, kind, payload, created_at)
     SELECT $1, '${settleDirectoryEntry}', jsonb_build_object('connection', $2::uuid, 'subjects', jsonb_agg(raised.id)), $3
     FROM raised, choice WHERE choice.is_now HAVING count(*) > 0 RETURNING id)
   SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued`)

async function raisePeople(db: Db, { tenant, connectionId, now }: DirectoryChange, scimUsers: readonly string[]): Promise<void> {
  await db.query(raisedPeople, [tenant, connectionId, toTimestamp(now), scimUsers])
}

const raisedConnection = keptStatement(`WITH ${choice},
   raised AS (
     UPDATE connections c SET directory_version = c.directory_version + 1,
       directory_barrier = CASE WHEN choice.is_now THEN c.directory_version + 1 ELSE c.directory_barrier END,
       directory_barrier_at = CASE WHEN choice.is_now THEN GREATEST(c.directory_barrier_at, $3) ELSE c.directory_barrier_at END
     FROM choice WHERE c.tenant_id = $1
       AND (c.id = $2 OR c.kind = 'assertion' AND c.configuration -> 'peopleOf' ->> 'connection' = $2::uuid::text) RETURNING c.id),
   queued AS (
     INSERT INTO outbox (tenant_id, kind, payload, created_at)
     SELECT $1, '${settleDirectoryEntry}', jsonb_build_object('connection', raised.id), $3 FROM raised, choice WHERE choice.is_now RETURNING id)
   SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued`)

/** With every trust that speaks of its people: a grant of one remembers the version of its own row. */
async function raiseConnection(db: Db, { tenant, connectionId, now }: DirectoryChange): Promise<void> {
  await db.query(raisedConnection, [tenant, connectionId, toTimestamp(now)])
}

const decidedClaims = keptStatement(
  'SELECT directory_decides_claims(configuration) AS decides FROM connections WHERE tenant_id = $1 AND id = $2',
)

/** The same where her user as such is another one: it matters where a claim is mapped from it. */
export async function raiseClaimsOfUser(db: Db, change: DirectoryChange, user: string): Promise<void> {
  const { rows } = await db.query<{ decides: boolean }>(decidedClaims, [change.tenant, change.connectionId])
  if (rows[0]?.decides) await raiseClaims(db, change, [user])
}

/** From its first group on the directory alone decides groups at this connection, unless its configuration says otherwise. */
export async function noteFirstGroup(db: Db, change: DirectoryChange): Promise<void> {
  const { rowCount } = await db.query(
    'UPDATE connections SET groups_since = $3 WHERE tenant_id = $1 AND id = $2 AND groups_since IS NULL',
    [change.tenant, change.connectionId, toTimestamp(change.now)],
  )
  if (rowCount > 0) await raiseConnection(db, change)
}

/** Another configuration may have the directory decide what the login decided, or the other way about. */
export async function raiseIfSourcesChanged(db: Db, change: DirectoryChange, before: unknown, after: unknown): Promise<void> {
  if (JSON.stringify(sourcesOf(before)) !== JSON.stringify(sourcesOf(after))) await raiseConnection(db, change)
}

function sourcesOf(configuration: unknown): unknown {
  const { directory, mapping } = (configuration ?? {}) as {
    readonly directory?: { readonly groups?: unknown }
    readonly mapping?: { readonly claims?: Readonly<Record<string, unknown>> }
  }
  const claims = Object.entries(mapping?.claims ?? {}).filter(([, rule]) => Object.hasOwn(rule as object, 'directory'))
  return [directory?.groups ?? null, claims.sort(([one], [other]) => (one < other ? -1 : 1))]
}
