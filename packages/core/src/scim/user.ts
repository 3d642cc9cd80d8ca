/** A user of the directory: what a client may send, what we keep, and what goes back. RFC 7643 §4.1. */
import type { Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { ConnectionId, ScimUserId } from '../tenant/ids.js'
import { type ScimError, scimLimits } from './error.js'

export const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const enterpriseUserSchema = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

/** What the directory says of a person. `attributes` holds all the rest, in canonical spelling, without what is ours or secret. */
export type ScimUserData = {
  readonly userName: string
  readonly externalId: string | undefined
  /** Absent: the client did not say. */
  readonly active: boolean | undefined
  readonly attributes: JsonObject
}

export type ScimUser = Omit<ScimUserData, 'active'> & {
  readonly id: ScimUserId
  readonly connectionId: ConnectionId
  readonly active: boolean
  readonly version: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** Canonical spelling of attribute names, which clients may write in any case: RFC 7643 §2.1. */
const spellings = new Map(
  [
    'userName externalId active displayName nickName profileUrl title userType preferredLanguage locale timezone name emails phoneNumbers ims photos addresses entitlements roles x509Certificates groups password schemas id meta',
    'formatted familyName givenName middleName honorificPrefix honorificSuffix value display type primary $ref streetAddress locality region postalCode country',
    'employeeNumber costCenter organization division department manager',
  ]
    .join(' ')
    .split(' ')
    .map((name) => [name.toLowerCase(), name]),
)

export const canonicalName = (name: string): string => {
  const lower = name.toLowerCase()
  if (lower === userSchema.toLowerCase()) return userSchema
  if (lower === enterpriseUserSchema.toLowerCase()) return enterpriseUserSchema
  return spellings.get(lower) ?? name
}

/** Never stored: ours to say (`id`, `meta`, `schemas`, `groups`) or never to be known (`password`). Ignored on input, RFC 7644 §3.3. */
const notKept: ReadonlySet<string> = new Set(['schemas', 'id', 'meta', 'groups', 'password'])

/** "True", "False" and real booleans: Entra sends texts unless a flag is on its URL. */
export const parseActive = (value: unknown): boolean | undefined =>
  typeof value === 'boolean'
    ? value
    : typeof value === 'string'
      ? /^true$/i.test(value)
        ? true
        : /^false$/i.test(value)
          ? false
          : undefined
      : undefined

/** Of userName and externalId: as long as a stable id may be, and short enough for PostgreSQL to index in any script. */
const longestKey = 512

/** Reads the body of POST or PUT, or the outcome of a PATCH. Nulls and empty lists mean "not set": RFC 7643 §2.5. */
export function parseScimUser(body: unknown): Result<ScimUserData, ScimError> {
  const cleaned = cleanJson(body, 0)
  if (cleaned === undefined || !isObject(cleaned)) return err({ reason: 'scim_body_malformed' })
  const { userName, externalId, active, ...rest } = cleaned
  if (typeof userName !== 'string' || userName.trim() === '' || userName.length > longestKey)
    return err({ reason: 'scim_value_invalid', detail: 'userName' })
  if (externalId !== undefined && (typeof externalId !== 'string' || externalId === '' || externalId.length > longestKey))
    return err({ reason: 'scim_value_invalid', detail: 'externalId' })
  const parsedActive = active === undefined ? undefined : parseActive(active)
  if (active !== undefined && parsedActive === undefined) return err({ reason: 'scim_value_invalid', detail: 'active' })
  const attributes = Object.fromEntries(Object.entries(rest).filter(([name]) => !notKept.has(name)))
  return ok({ userName, externalId, active: parsedActive, attributes })
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A copy with canonical names and own properties only, without nulls; undefined for what is over a limit or not JSON. */
export function cleanJson(value: unknown, depth: number): Json | undefined {
  if (depth > scimLimits.depth) return undefined
  if (typeof value === 'string') return value.length > scimLimits.textCharacters * 16 ? undefined : value
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value))
    return value.length > scimLimits.arrayItems
      ? undefined
      : value.map((item) => cleanJson(item, depth + 1)).filter((item) => item !== undefined)
  if (typeof value !== 'object' || value === null) return undefined
  const entries = Object.entries(value).flatMap(([name, item]) => {
    const cleaned = cleanJson(item, depth + 1)
    return cleaned === undefined || (Array.isArray(cleaned) && cleaned.length === 0) ? [] : [[canonicalName(name), cleaned] as const]
  })
  return Object.fromEntries(entries)
}

/** The document that a PATCH works on. */
export const toDocument = (user: Pick<ScimUser, 'userName' | 'externalId' | 'active' | 'attributes'>): JsonObject => ({
  ...user.attributes,
  userName: user.userName,
  ...(user.externalId === undefined ? {} : { externalId: user.externalId }),
  active: user.active,
})

/** The resource as it goes on the wire. @spec RFC 7643 §3.1 common attributes */
export function toScimResource(user: ScimUser, usersUrl: string): JsonObject {
  return {
    schemas: [userSchema, ...(Object.hasOwn(user.attributes, enterpriseUserSchema) ? [enterpriseUserSchema] : [])],
    id: user.id,
    ...toDocument(user),
    meta: {
      resourceType: 'User',
      created: new Date(user.createdAt).toISOString(),
      lastModified: new Date(user.updatedAt).toISOString(),
      location: `${usersUrl}/${user.id}`,
      version: `W/"${user.version}"`,
    },
  }
}
