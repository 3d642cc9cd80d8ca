/**
 * Groups as the directory sees them. A change of members touches the rows of those members and no others, whatever the size of the group.
 *
 * Every change runs in the caller's transaction: the rows, the versions of those whom it touches, the barrier and the audit event commit together
 * or not at all. Nobody's change waits for the rows that a large group leaves behind: it gets a higher generation, and the sweep removes them.
 */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ScimGroup, ScimGroupData, ScimMember } from '@drawbridge/core/scim/group'
import { type JsonObject, sameJson } from '@drawbridge/core/scim/json'
import { type MemberChange, onlyAdds, onlyMembers } from '@drawbridge/core/scim/member-change'
import type { ConnectionId, ScimGroupId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { noteFirstGroup, raiseClaims } from './directory.js'
import { holdDirectory, type ScimCaller } from './scim-caller.js'
import {
  both,
  changeMembers,
  type Directory,
  findMembers,
  insertMembers,
  listMembers,
  mostMembers,
  overfills,
  removeFromGroups,
  touchedByGroup,
  touchedOf,
  withholdMembers,
} from './scim-group-members.js'
import { findFullNesting } from './scim-nested-groups.js'
import { type Db, isUuid, toTimestamp } from './transaction.js'

export type ScimGroupRow = {
  id: ScimGroupId
  connection_id: ConnectionId
  display_name: string
  external_id: string | null
  resource: JsonObject
  version: number
  generation: number
  member_count: number
  created_at: Instant
  updated_at: Instant
}

export const scimGroupColumns =
  'id, connection_id, display_name, external_id, resource, version, generation, member_count, created_at, updated_at'
export const toScimGroup = (row: ScimGroupRow): ScimGroup => ({
  id: row.id,
  connectionId: row.connection_id,
  displayName: row.display_name,
  externalId: row.external_id ?? undefined,
  attributes: row.resource,
  memberCount: row.member_count,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

/**
 * `groups_too_many`: the connection has as many as it may have. `members`: more than the limit, or, in a request that takes nobody away, somebody whom this directory does not have. `nested`: more groups in a
 * group, or in all groups of the connection, than the limit.
 */
export type GroupRefusal<E> =
  | {
      readonly kind:
        | 'not_found'
        | 'taken'
        | 'groups_too_many'
        | 'members_unknown'
        | 'members_too_many'
        | 'nested_in_group'
        | 'nested_in_connection'
    }
  | { readonly kind: 'refused'; readonly error: E }

/** Living groups of one connection, where nobody says otherwise. Policy, and whoever lists them, meets them all; a directory that sends every group of a company sends more than rules name. */
export const mostGroups = 50_000

/** Names are compared without case, as SCIM compares them; two groups that policy could not tell apart are refused. */
const keyOf = (displayName: string): string => displayName.toLowerCase()

/**
 * True when another living group of this connection has this name or this externalId, or where one of them is new, the other's in place of its own: policy
 * knows a group by either, and whoever may name a group would else be in any whose id she knows.
 */
async function isTaken(db: Db, { tenant, connectionId }: Directory, data: ScimGroupData, before?: ScimGroup): Promise<boolean> {
  const { displayName, externalId } = data
  const newName = displayName === before?.displayName ? undefined : displayName
  const newId = externalId === before?.externalId ? undefined : externalId
  const { rowCount } = await db.query(
    `SELECT 1 FROM scim_groups WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL AND ($5::uuid IS NULL OR id <> $5)
     AND (display_name_key = ANY ($3::text[]) OR external_id = ANY ($4::text[])) LIMIT 1`,
    [
      ...[tenant, connectionId],
      [keyOf(displayName), ...(newId === undefined ? [] : [keyOf(newId)])],
      // Ids are compared as they are written; those that anybody writes otherwise are in one case.
      [
        ...(externalId === undefined ? [] : [externalId]),
        ...(newName === undefined ? [] : [newName, newName.toLowerCase(), newName.toUpperCase()]),
      ],
      before?.id ?? null,
    ],
  )
  return rowCount > 0
}

async function findRow(db: Db, { tenant, connectionId }: Directory, id: string, lock = ''): Promise<ScimGroupRow | undefined> {
  if (!isUuid(id)) return undefined
  const { rows } = await db.query<ScimGroupRow>(
    `SELECT ${scimGroupColumns} FROM scim_groups WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND deleted_at IS NULL ${lock}`,
    [tenant, connectionId, id],
  )
  return rows[0]
}

export async function findScimGroup(db: Db, directory: Directory, id: string): Promise<ScimGroup | undefined> {
  const row = await findRow(db, directory, id)
  return row && toScimGroup(row)
}

export async function insertScimGroup(
  db: Db,
  caller: ScimCaller,
  data: ScimGroupData,
  members: ReadonlySet<string>,
  most: number = mostGroups,
): Promise<Result<ScimGroup, GroupRefusal<never>>> {
  await holdDirectory(db, caller)
  if (await isTaken(db, caller, data)) return err({ kind: 'taken' })
  if (members.size > mostMembers) return err({ kind: 'members_too_many' })
  const known = await findMembers(db, caller, members)
  if (known.length < members.size) return err({ kind: 'members_unknown' })
  const full = await findFullNesting(db, caller, undefined, onlyMembers(members), known)
  if (full) return err({ kind: `nested_in_${full}` })
  await noteFirstGroup(db, caller)
  const { rows } = await db.query<ScimGroupRow>(
    `INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, external_id, resource, member_count, created_at, updated_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9 FROM connections WHERE tenant_id = $1 AND id = $3 AND scim_groups < $10 RETURNING ${scimGroupColumns}`,
    [
      ...[caller.tenant, caller.newId(), caller.connectionId, data.displayName, keyOf(data.displayName), data.externalId ?? null],
      ...[JSON.stringify(data.attributes), known.length, toTimestamp(caller.now), most],
    ],
  )
  // Whoever holds the directory is the only one who makes groups of it.
  const [group] = rows
  if (group === undefined) return err({ kind: 'groups_too_many' })
  await insertMembers(db, caller, group, known)
  await raiseClaims(db, caller, touchedOf(known))
  await audit(db, caller, group.id, 'scim_group.created', { added: known.length })
  return ok(toScimGroup(group))
}

export type GroupChange = { readonly data: ScimGroupData; readonly members: MemberChange }

/** Applies a change to the locked row. Saying what is known already makes no new version and raises nothing. */
export async function updateScimGroup<E>(
  db: Db,
  caller: ScimCaller,
  id: string,
  change: (group: ScimGroup, readMembers: () => Promise<readonly ScimMember[]>) => Promise<Result<GroupChange, E>>,
): Promise<Result<ScimGroup, GroupRefusal<E>>> {
  await holdDirectory(db, caller)
  const before = await findRow(db, caller, id, 'FOR UPDATE')
  if (before === undefined) return err({ kind: 'not_found' })
  const changed = await change(toScimGroup(before), async () => (await listMembers(db, caller, [before.id])).get(before.id) ?? [])
  if (!changed.ok) return err({ kind: 'refused', error: changed.error })
  const { data, members } = changed.value
  if (await isTaken(db, caller, data, toScimGroup(before))) return err({ kind: 'taken' })
  const known = await findMembers(db, caller, members.add)
  // Nobody is let stay because somebody else, who is to be added, is not there: only a request that takes nobody away is refused.
  if (known.length < members.add.size && onlyAdds(members)) return err({ kind: 'members_unknown' })
  if (await overfills(db, caller, before, members, known)) return err({ kind: 'members_too_many' })
  const full = await findFullNesting(db, caller, before, members, known)
  if (full) return err({ kind: `nested_in_${full}` })
  const isRenamed = data.displayName !== before.display_name || data.externalId !== (before.external_id ?? undefined)
  const whole = isRenamed ? await touchedByGroup(db, caller, before) : []
  const done = await changeMembers(db, caller, before, members, known)
  const isSame = !isRenamed && done.added + done.removed + done.restored === 0 && sameJson(before.resource, data.attributes)
  if (isSame) return ok(toScimGroup(before))
  const { rows } = await db.query<ScimGroupRow>(
    `UPDATE scim_groups SET display_name = $3, display_name_key = $4, external_id = $5, resource = $6, generation = $7, member_count = $8,
       version = version + 1, updated_at = $9 WHERE tenant_id = $1 AND id = $2 RETURNING ${scimGroupColumns}`,
    [
      ...[caller.tenant, before.id, data.displayName, keyOf(data.displayName), data.externalId ?? null, JSON.stringify(data.attributes)],
      ...[done.generation, done.count, toTimestamp(caller.now)],
    ],
  )
  await raiseClaims(db, caller, both(whole, done.touched))
  const unknown = members.add.size - known.length
  await audit(db, caller, before.id, 'scim_group.updated', {
    ...{ added: done.added, removed: done.removed, unknown, renamed: isRenamed },
    ...(done.restored > 0 ? { restored: done.restored } : {}),
  })
  return ok(toScimGroup(rows[0] as ScimGroupRow))
}

/**
 * Of a request that takes members out and is refused for what else it says. The group stays what it is, as RFC 7644 §3.5.2 has it, and shows them; but they
 * have nothing by it any more, until a request that is accepted adds them anew. The directory believes them out, or repeats the request.
 */
export async function withholdFromRefused(
  db: Db,
  caller: ScimCaller,
  id: string,
  leaving: (group: ScimGroup, readMembers: () => Promise<readonly ScimMember[]>) => Promise<MemberChange | undefined>,
): Promise<void> {
  await holdDirectory(db, caller)
  const group = await findRow(db, caller, id, 'FOR UPDATE')
  if (group === undefined) return
  const change = await leaving(toScimGroup(group), async () => (await listMembers(db, caller, [group.id])).get(group.id) ?? [])
  if (change === undefined || onlyAdds(change)) return
  const withheld = await withholdMembers(db, caller, group, change)
  if (withheld.length === 0) return
  await raiseClaims(db, caller, touchedOf(withheld))
  await audit(db, caller, group.id, 'scim_group.members_withheld', { withheld: withheld.length })
}

/** Its members lose it in this transaction; their rows go later. */
export async function deleteScimGroup<E>(
  db: Db,
  caller: ScimCaller,
  id: string,
  check: (group: ScimGroup) => Result<void, E> = () => ok(undefined),
): Promise<Result<void, GroupRefusal<E>>> {
  await holdDirectory(db, caller)
  const before = await findRow(db, caller, id, 'FOR UPDATE')
  if (before === undefined) return err({ kind: 'not_found' })
  const checked = check(toScimGroup(before))
  if (!checked.ok) return err({ kind: 'refused', error: checked.error })
  await raiseClaims(db, caller, await touchedByGroup(db, caller, before))
  await db.query(
    `UPDATE scim_groups SET deleted_at = $3, updated_at = $3, version = version + 1, generation = generation + 1, member_count = 0
     WHERE tenant_id = $1 AND id = $2`,
    [caller.tenant, before.id, toTimestamp(caller.now)],
  )
  await removeFromGroups(db, caller, before.id)
  await audit(db, caller, before.id, 'scim_group.deleted', { removed: before.member_count })
  return ok(undefined)
}

const audit = (
  db: Db,
  caller: ScimCaller,
  id: ScimGroupId,
  kind: `scim_group.${'created' | 'updated' | 'deleted' | 'members_withheld'}`,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> =>
  insertAuditEvent(db, caller.tenant, {
    at: caller.now,
    kind,
    connectionId: caller.connectionId,
    detail: { scimGroupId: id, ...detail },
    requestId: caller.requestId,
  })
