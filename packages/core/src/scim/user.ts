/** A user of the directory: what a client may send, what we keep, and what goes back. RFC 7643 §4.1. */
import type { Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { ConnectionId, ScimUserId } from '../tenant/ids.js'
import type { ScimError } from './error.js'
import type { JsonObject } from './json.js'
import { checkLength, readResource } from './resource.js'
import { schemasOf, userType } from './resource-type.js'
import { versionTag } from './version.js'

/** What the directory says of a person. `attributes` holds all the rest, in canonical spelling, without what is ours or secret. */
export type ScimUserData = {
  readonly userName: string
  readonly externalId: string | undefined
  /** Absent: the client did not say. */
  readonly active: boolean | undefined
  readonly attributes: JsonObject
}

/** A group that holds a person herself, not through another group. */
export type ScimUserGroup = { readonly id: string; readonly display: string }

export type ScimUser = Omit<ScimUserData, 'active'> & {
  readonly id: ScimUserId
  readonly connectionId: ConnectionId
  readonly active: boolean
  readonly version: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
  /** Since when, after a restore, her directory has not named her: she stays out until then. No attribute of hers. */
  readonly unnamedSince?: Instant | undefined
}

/** Reads the body of POST or PUT. Nulls and empty lists mean "not set": RFC 7643 §2.5. */
export function parseScimUser(body: unknown): Result<ScimUserData, ScimError> {
  const document = readResource(userType, body)
  const checked = document.ok ? checkLength(document.value) : document
  return checked.ok ? fromDocument(checked.value) : checked
}

/** From a document that was read, or the outcome of a PATCH. What was stored before stands in nobody's way: only the keys are looked at. */
export function fromDocument(document: JsonObject): Result<ScimUserData, ScimError> {
  const { userName, externalId, active, ...attributes } = document
  if (typeof userName !== 'string' || userName.trim() === '') return err({ reason: 'scim_value_invalid', detail: 'userName' })
  if (externalId !== undefined && (typeof externalId !== 'string' || externalId === ''))
    return err({ reason: 'scim_value_invalid', detail: 'externalId' })
  if (active !== undefined && typeof active !== 'boolean') return err({ reason: 'scim_value_invalid', detail: 'active' })
  return ok({ userName, externalId, active, attributes })
}

/** The document that a PATCH works on. */
export const toDocument = (user: Pick<ScimUser, 'userName' | 'externalId' | 'active' | 'attributes'>): JsonObject => ({
  ...user.attributes,
  userName: user.userName,
  ...(user.externalId === undefined ? {} : { externalId: user.externalId }),
  active: user.active,
})

/** @spec RFC 7643 §4.1.2 groups: read-only, and changed at the groups */
const groupToJson = ({ id, display }: ScimUserGroup, baseUrl: string): JsonObject => ({
  value: id,
  $ref: `${baseUrl}/Groups/${id}`,
  display,
  type: 'direct',
})

/** The resource as it goes on the wire; `groups` absent: nobody asked for them. @spec RFC 7643 §3.1 common attributes */
export function toScimResource(user: ScimUser, groups: readonly ScimUserGroup[] | undefined, baseUrl: string): JsonObject {
  const document = toDocument(user)
  return {
    schemas: schemasOf(userType, document),
    id: user.id,
    ...document,
    // What is in none has no such attribute: an empty list is not set. RFC 7643 §2.5.
    ...(groups === undefined || groups.length === 0 ? {} : { groups: groups.map((group) => groupToJson(group, baseUrl)) }),
    meta: {
      resourceType: 'User',
      created: new Date(user.createdAt).toISOString(),
      lastModified: new Date(user.updatedAt).toISOString(),
      location: `${baseUrl}/Users/${user.id}`,
      version: versionTag(user.version),
    },
  }
}
