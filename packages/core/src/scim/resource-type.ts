/** The kinds of resources: each a schema, its extensions and an endpoint. RFC 7643 §6. */
import type { Attribute } from './attribute.js'
import { group } from './group-schema.js'
import { foldName, type JsonObject } from './json.js'
import { commonAttributes, findAttribute, type Schema } from './schema.js'
import { enterpriseUser, user } from './user-schema.js'

export type ResourceType = {
  readonly name: 'User' | 'Group'
  readonly endpoint: '/Users' | '/Groups'
  readonly description: string
  readonly schema: Schema
  readonly extensions: readonly Schema[]
  /** Common ones and those of its own schema. */
  readonly attributes: readonly Attribute[]
}

const resourceType = (kind: Omit<ResourceType, 'attributes'>): ResourceType => ({
  ...kind,
  attributes: [...commonAttributes, ...kind.schema.attributes],
})

export const userType = resourceType({
  name: 'User',
  endpoint: '/Users',
  description: 'A person of the directory',
  schema: user,
  extensions: [enterpriseUser],
})
export const groupType = resourceType({
  name: 'Group',
  endpoint: '/Groups',
  description: 'A group of the directory',
  schema: group,
  extensions: [],
})

export const findExtension = (type: ResourceType, urn: string): Schema | undefined =>
  type.extensions.find((one) => foldName(one.id) === foldName(urn))

/** An attribute that stands without its URN but can only be one of an extension: Entra's `manager`. */
export function findStray(type: ResourceType, name: string): { readonly extension: Schema; readonly definition: Attribute } | undefined {
  for (const extension of type.extensions) {
    const definition = findAttribute(extension.attributes, name)
    if (definition !== undefined) return { extension, definition }
  }
  return undefined
}

export const resourceTypeDocument = (type: ResourceType, baseUrl: string): JsonObject & { readonly id: string } => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
  id: type.name,
  name: type.name,
  endpoint: type.endpoint,
  description: type.description,
  schema: type.schema.id,
  schemaExtensions: type.extensions.map((one) => ({ schema: one.id, required: false })),
  meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/${type.name}` },
})

/** The URNs that a stored resource uses: its own and each under which something is kept. */
export const schemasOf = (type: ResourceType, document: JsonObject): readonly string[] => [
  type.schema.id,
  ...Object.keys(document).filter((name) => /^urn:/i.test(name)),
]
