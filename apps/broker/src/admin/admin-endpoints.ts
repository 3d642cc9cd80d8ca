/** Every endpoint of the admin API. */
import type { Endpoint } from '../http/endpoint.js'
import { clientEndpoints } from './clients.endpoint.js'
import { connectionEndpoints } from './connections.endpoint.js'
import { labEndpoints } from './lab.endpoint.js'
import { operationEndpoints } from './operations.endpoint.js'
import { policyEndpoints } from './policies.endpoint.js'
import { resourceEndpoints } from './resources.endpoint.js'
import { revocationEndpoints } from './revocations.endpoint.js'
import { signingKeyEndpoints } from './signing-keys.endpoint.js'
import { tenantEndpoints } from './tenants.endpoint.js'

export const adminEndpoints: readonly Endpoint[] = [
  ...tenantEndpoints,
  ...connectionEndpoints,
  ...resourceEndpoints,
  ...clientEndpoints,
  ...policyEndpoints,
  ...revocationEndpoints,
  ...signingKeyEndpoints,
  ...operationEndpoints,
  ...labEndpoints,
]
