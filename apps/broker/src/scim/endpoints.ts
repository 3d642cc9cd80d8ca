/** Every SCIM endpoint, for the one visible list of the broker. */
import type { Endpoint } from '../http/endpoint.js'
import { resourceTypesEndpoints } from './resource-types.endpoint.js'
import { schemasEndpoints } from './schemas.endpoint.js'
import { serviceProviderConfigEndpoint } from './service-provider-config.endpoint.js'
import {
  createUserEndpoint,
  deleteUserEndpoint,
  listUsersEndpoint,
  patchUserEndpoint,
  readUserEndpoint,
  replaceUserEndpoint,
} from './users.endpoint.js'

export const scimEndpoints: readonly Endpoint[] = [
  createUserEndpoint,
  listUsersEndpoint,
  readUserEndpoint,
  replaceUserEndpoint,
  patchUserEndpoint,
  deleteUserEndpoint,
  serviceProviderConfigEndpoint,
  ...resourceTypesEndpoints,
  ...schemasEndpoints,
]
