/** A schema: the attributes that belong to one URN. RFC 7643 §7. */
import { type Attribute, attribute, attributeDocument } from './attribute.js'
import { foldName, type JsonObject } from './json.js'

export type Schema = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly attributes: readonly Attribute[]
}

/** Every resource has them, whatever its schema: RFC 7643 §3.1. No schema lists them. */
export const commonAttributes: readonly Attribute[] = [
  attribute('schemas', 'The URNs of the schemas that the resource uses', {
    type: 'reference',
    multiValued: true,
    caseExact: true,
    returned: 'always',
    mutability: 'readOnly',
  }),
  attribute('id', 'Made by this server, never changed and never used again', {
    caseExact: true,
    returned: 'always',
    mutability: 'readOnly',
    uniqueness: 'server',
  }),
  attribute('externalId', 'The identifier that the directory gave', {
    caseExact: true,
    uniqueness: 'server',
    mostCharacters: 512,
    binding: true,
  }),
  attribute('meta', 'When the resource was made and changed, and where it is', {
    mutability: 'readOnly',
    subAttributes: [
      attribute('resourceType', 'The kind of the resource', { caseExact: true, mutability: 'readOnly' }),
      attribute('created', 'When the resource was made', { type: 'dateTime', mutability: 'readOnly' }),
      attribute('lastModified', 'When the resource was last changed', { type: 'dateTime', mutability: 'readOnly' }),
      attribute('location', 'The address of the resource', { type: 'reference', caseExact: true, mutability: 'readOnly' }),
      attribute('version', 'The entity tag of the resource', { caseExact: true, mutability: 'readOnly' }),
    ],
  }),
]

export const findAttribute = (attributes: readonly Attribute[], name: string): Attribute | undefined =>
  byName(attributes).get(foldName(name))

/** Lists of attributes never change, and a body may ask them a hundred thousand times. */
const known = new WeakMap<readonly Attribute[], ReadonlyMap<string, Attribute>>()

function byName(attributes: readonly Attribute[]): ReadonlyMap<string, Attribute> {
  const made = known.get(attributes)
  if (made !== undefined) return made
  // Of two with one name the first counts.
  const fresh = new Map(attributes.toReversed().map((one) => [foldName(one.name), one]))
  known.set(attributes, fresh)
  return fresh
}

export const schemaDocument = (schema: Schema, baseUrl: string): JsonObject & { readonly id: string } => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
  id: schema.id,
  name: schema.name,
  description: schema.description,
  attributes: schema.attributes.map(attributeDocument),
  meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${schema.id}` },
})
