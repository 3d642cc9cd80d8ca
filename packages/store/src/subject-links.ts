/**
 * An admin's word on which directory user a subject is: where the link key made no link, or a wrong one. security: who a person is
 *
 * A link decides whom a deactivation hits, so a changed one is a barrier: whatever was issued under the old one is dead. Only a living user of
 * the subject's own connection can be linked, and only one whom no other subject has. Nothing here lets anybody back in: a subject who is
 * deactivated stays so, and one who is linked to an inactive user is deactivated by it, as if the directory had said so now. Whom only the user of her old
 * link kept out is told to be back.
 */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId, DeprovisioningEventId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { deprovision, isLetIn, tellBack } from './deprovisioning.js'
import { holdDirectory } from './scim-caller.js'
import { type Db, toTimestamp } from './transaction.js'
import { isUnnamed } from './unnamed-people.js'

export type LinkChange = {
  readonly tenant: TenantId
  readonly subjectId: SubjectId
  /** Undefined: the link is taken away. */
  readonly scimUserId: ScimUserId | undefined
  readonly eventId: DeprovisioningEventId
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}
export type LinkChanged = {
  readonly from: ScimUserId | undefined
  /** False: it was so already, and nothing happened. */
  readonly changed: boolean
  readonly epoch: number
  readonly deactivated: boolean
}
export type LinkRefusal = 'subject_unknown' | 'scim_user_unknown' | 'scim_user_taken'

type SubjectRow = { connection_id: ConnectionId; scim_user_id: ScimUserId | null; epoch: number; deactivated: boolean; letIn: boolean }

/** Link, barrier and audit of the barrier in the caller's transaction. SCIM changes and logins of the connection come before or after, never between. */
export async function changeSubjectLink(db: Db, change: LinkChange): Promise<Result<LinkChanged, LinkRefusal>> {
  const { tenant, subjectId, scimUserId } = change
  const found = await findSubject(db, change)
  if (!found) return err('subject_unknown')
  await holdDirectory(db, { tenant, connectionId: found.connection_id })
  const subject = (await findSubject(db, change, 'FOR UPDATE')) ?? found
  const from = subject.scim_user_id ?? undefined
  if (from === scimUserId) return ok({ from, changed: false, epoch: subject.epoch, deactivated: subject.deactivated })
  const user = scimUserId === undefined ? undefined : await findLinkable(db, tenant, subject.connection_id, scimUserId)
  if (scimUserId !== undefined && user === undefined) return err('scim_user_unknown')
  if (user?.taken) return err('scim_user_taken')
  // An end that has come by then has its barrier here, and is told as what shuts her out.
  const { rows } = await db.query<{ isShut: boolean }>(
    `UPDATE subjects SET scim_user_id = $3, (deactivates_at, ended_for) =
       (SELECT ends_at, CASE WHEN ends_at <= $4 THEN ends_at END FROM scim_users u WHERE u.tenant_id = $1 AND u.id = $3)
     WHERE tenant_id = $1 AND id = $2 RETURNING (deactivates_at <= $4) IS TRUE AS "isShut"`,
    [tenant, subjectId, scimUserId ?? null, toTimestamp(change.now)],
  )
  const { epoch } = await raiseBarrier(db, change, { deactivate: user?.active === false, isShut: rows[0]?.isShut === true })
  // Whom only the user of the old link kept out, or an end of hers.
  if (!subject.letIn && (await findSubject(db, change))?.letIn) await tellBack(db, { tenant, id: subjectId, now: change.now })
  return ok({ from, changed: true, epoch, deactivated: subject.deactivated || user?.active === false })
}

const raiseBarrier = (
  db: Db,
  { tenant, subjectId, eventId, reason, now, requestId }: LinkChange,
  { deactivate, isShut }: { readonly deactivate: boolean; readonly isShut: boolean },
) =>
  deprovision(db, {
    tenant,
    eventId,
    // Whom an inactive user keeps out, her directory lets in again.
    source: deactivate ? 'scim' : 'admin',
    target: 'subject',
    targetId: subjectId,
    reason,
    toldAt: undefined,
    now,
    requestId,
    deactivate,
    isShut,
  })

async function findSubject(db: Db, { tenant, subjectId, now }: LinkChange, lock = ''): Promise<SubjectRow | undefined> {
  const { rows } = await db.query<SubjectRow>(
    `SELECT connection_id, scim_user_id, epoch, deactivated_at IS NOT NULL AS deactivated, ${isLetIn('s', '$3')} AS "letIn"
     FROM subjects s WHERE tenant_id = $1 AND id = $2 ${lock}`,
    [tenant, subjectId, toTimestamp(now)],
  )
  return rows[0]
}

async function findLinkable(db: Db, tenant: TenantId, connectionId: ConnectionId, id: ScimUserId) {
  const { rows } = await db.query<{ active: boolean; taken: boolean }>(
    `SELECT active, EXISTS (SELECT 1 FROM subjects s WHERE s.tenant_id = $1 AND s.scim_user_id = u.id) AS taken FROM scim_users u
     WHERE u.tenant_id = $1 AND u.connection_id = $2 AND u.id = $3 AND u.deleted_at IS NULL`,
    [tenant, connectionId, id],
  )
  return rows[0]
}

export type ListedScimUser = {
  readonly id: string
  readonly connectionId: string
  readonly userName: string
  readonly externalId: string | null
  readonly active: boolean
  readonly createdAt: Instant
  readonly unnamedSince: Instant | null
  readonly deletedAt: Instant | null
  readonly subjectId: string | null
}

/** `onlyUnnamed`: those who stay out since a restore. */
export type ScimUserFilter = {
  readonly userName?: string | undefined
  readonly externalId?: string | undefined
  readonly onlyUnnamed?: boolean
}

/** Newest first, tombstones too: each with the subject who is linked to it. Name or externalId find exactly, names without case. */
export async function listScimUsersWithSubjects(
  db: Db,
  tenant: TenantId,
  { userName, externalId, onlyUnnamed = false }: ScimUserFilter,
  page: Page<MomentPosition>,
): Promise<readonly ListedScimUser[]> {
  const { rows } = await db.query<ListedScimUser>(
    `SELECT u.id, u.connection_id AS "connectionId", u.user_name AS "userName", u.external_id AS "externalId", u.active,
       u.created_at AS "createdAt", CASE WHEN ${isUnnamed} THEN c.unnamed_since END AS "unnamedSince", u.deleted_at AS "deletedAt", s.id AS "subjectId"
     FROM scim_users u JOIN connections c ON c.tenant_id = u.tenant_id AND c.id = u.connection_id
       LEFT JOIN subjects s ON s.tenant_id = u.tenant_id AND s.scim_user_id = u.id
     WHERE u.tenant_id = $1 AND ($2::text IS NULL OR u.user_name_key = $2) AND ($3::text IS NULL OR u.external_id = $3)
       ${onlyUnnamed ? `AND ${isUnnamed}` : ''}
       AND ($4::timestamptz IS NULL OR (u.created_at, u.id) < ($4, $5::uuid))
     ORDER BY u.created_at DESC, u.id DESC LIMIT $6`,
    [tenant, userName?.toLowerCase() ?? null, externalId ?? null, ...momentParameters(page)],
  )
  return rows
}
