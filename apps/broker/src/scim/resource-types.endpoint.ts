/** The kinds of resources. RFC 7643 §6. */
import { resourceTypeDocument } from '@drawbridge/core/scim/resource-type'
import { discoveryEndpoints } from './discovery.js'
import { scimKinds } from './kinds.js'

export const resourceTypesEndpoints = discoveryEndpoints('ResourceTypes', 'RFC 7643 §6', 'The kinds of resources', (baseUrl) =>
  scimKinds.map(({ type }) => resourceTypeDocument(type, baseUrl)),
)
