/** A group of the directory: what a client may send, what we keep, and what goes back. Its members are kept apart. RFC 7643 §4.2. */
import type { Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { ConnectionId, ScimGroupId } from '../tenant/ids.js'
import type { ScimError } from './error.js'
import type { JsonObject } from './json.js'
import { membersIn } from './member-change.js'
import { checkLength, readResource } from './resource.js'
import { groupType, schemasOf } from './resource-type.js'
import { versionTag } from './version.js'

export type ScimGroupData = {
  readonly displayName: string
  readonly externalId: string | undefined
  /** All the rest but the members. */
  readonly attributes: JsonObject
}

export type ScimGroup = ScimGroupData & {
  readonly id: ScimGroupId
  readonly connectionId: ConnectionId
  readonly memberCount: number
  readonly version: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** `display`: how she is called, cut where that is long; undefined: she is one of too many for their names to be read. */
export type ScimMember = { readonly id: string; readonly isGroup: boolean; readonly display: string | undefined }

/** Reads the body of POST or PUT. Without `members` it has none: a PUT says all that there is. */
export function parseScimGroup(body: unknown): Result<{ readonly data: ScimGroupData; readonly members: ReadonlySet<string> }, ScimError> {
  const document = readResource(groupType, body)
  if (!document.ok) return document
  const members = membersIn(document.value['members'])
  if (!members.ok) return members
  const data = fromGroupDocument(document.value)
  if (!data.ok) return data
  const checked = checkLength(data.value.attributes)
  return checked.ok ? ok({ data: data.value, members: members.value }) : checked
}

/** From a document that was read, or the outcome of a PATCH. */
export function fromGroupDocument(document: JsonObject): Result<ScimGroupData, ScimError> {
  const { displayName, externalId, members: _apart, ...attributes } = document
  if (typeof displayName !== 'string' || displayName.trim() === '') return err({ reason: 'scim_value_invalid', detail: 'displayName' })
  if (externalId !== undefined && (typeof externalId !== 'string' || externalId === ''))
    return err({ reason: 'scim_value_invalid', detail: 'externalId' })
  return ok({ displayName, externalId, attributes })
}

/** The document that a PATCH works on. */
export const toGroupDocument = ({ displayName, externalId, attributes }: ScimGroupData): JsonObject => ({
  ...attributes,
  displayName,
  ...(externalId === undefined ? {} : { externalId }),
})

export const memberToJson = ({ id, isGroup, display }: ScimMember, baseUrl: string): JsonObject => ({
  value: id,
  $ref: `${baseUrl}/${isGroup ? 'Groups' : 'Users'}/${id}`,
  type: isGroup ? 'Group' : 'User',
  ...(display === undefined ? {} : { display }),
})

/** The resource as it goes on the wire; `members` absent: nobody asked for them. */
export function toScimGroupResource(group: ScimGroup, members: readonly ScimMember[] | undefined, baseUrl: string): JsonObject {
  const document = toGroupDocument(group)
  return {
    schemas: schemasOf(groupType, document),
    id: group.id,
    ...document,
    ...(members === undefined ? {} : { members: members.map((member) => memberToJson(member, baseUrl)) }),
    meta: {
      resourceType: 'Group',
      created: new Date(group.createdAt).toISOString(),
      lastModified: new Date(group.updatedAt).toISOString(),
      location: `${baseUrl}/Groups/${group.id}`,
      version: versionTag(group.version),
    },
  }
}
