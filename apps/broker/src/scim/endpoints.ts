/** Every SCIM endpoint, for the one visible list of the broker. */
import type { Endpoint } from '../http/endpoint.js'
import { bulkEndpoint } from './bulk.endpoint.js'
import { scimKinds } from './kinds.js'
import { meEndpoints } from './me.endpoint.js'
import { resourceEndpoints } from './resource-endpoints.js'
import { resourceTypesEndpoints } from './resource-types.endpoint.js'
import { schemasEndpoints } from './schemas.endpoint.js'
import { searchEndpoint } from './search.endpoint.js'
import { serviceProviderConfigEndpoint } from './service-provider-config.endpoint.js'

export const scimEndpoints: readonly Endpoint[] = [
  ...scimKinds.flatMap(resourceEndpoints),
  searchEndpoint,
  bulkEndpoint,
  ...meEndpoints,
  serviceProviderConfigEndpoint,
  ...resourceTypesEndpoints,
  ...schemasEndpoints,
]
