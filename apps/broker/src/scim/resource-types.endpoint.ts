/** The kinds of resources: users, with the enterprise extension. RFC 7643 §6. */
import { enterpriseUserSchema, userSchema } from '@drawbridge/core/scim/user'
import { discoveryEndpoints } from './discovery.js'

export const resourceTypesEndpoints = discoveryEndpoints('ResourceTypes', 'RFC 7643 §6', 'The kinds of resources', (baseUrl) => [
  {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id: 'User',
    name: 'User',
    endpoint: '/Users',
    description: 'A person of the directory',
    schema: userSchema,
    schemaExtensions: [{ schema: enterpriseUserSchema, required: false }],
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/User` },
  },
])
