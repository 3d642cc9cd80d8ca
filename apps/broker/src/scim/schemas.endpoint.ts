/** The attributes that a directory may send, from the definitions by which they are read. What is not listed is kept and given back all the same. RFC 7643 §7. */
import { schemaDocument } from '@drawbridge/core/scim/schema'
import { discoveryEndpoints } from './discovery.js'
import { scimKinds } from './kinds.js'

export const schemasEndpoints = discoveryEndpoints('Schemas', 'RFC 7643 §7', 'The attributes of people and groups', (baseUrl) =>
  scimKinds.flatMap(({ type }) => [type.schema, ...type.extensions]).map((schema) => schemaDocument(schema, baseUrl)),
)
