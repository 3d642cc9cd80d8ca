/** In which ways clients may become known to a tenant, and whether an admin has to approve them first. What was granted before a way was closed lives on; kill a client to end that. */
import { clientRegistrationFromJson, clientRegistrationShape } from '@drawbridge/core/oauth/client-registration'
import { findClientRegistration, markClientRegistration } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront, tellMembers } from './at-front.js'

const tag = 'Clients'

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/client-registration',
  tag,
  summary: 'Read in which ways clients may become known to a tenant',
  permission: 'configuration:read',
  answer: clientRegistrationShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json(clientRegistrationFromJson(await inTenant(deps.database, id, (db) => findClientRegistration(db, id))))
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/client-registration',
  tag,
  summary:
    'Choose in which ways clients may become known; a closed way grants nothing new, nor does a want of approval, and what was granted lives on',
  permission: 'configuration:write',
  body: clientRegistrationShape,
  answer: clientRegistrationShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markClientRegistration(db, id, chosen)
      await audit(db, id, http, deps, { kind: 'tenant.client_registration_changed', detail: chosen })
    })
    tellMembers(deps, id)
    return json(chosen)
  },
})

export const clientRegistrationEndpoints = [read, choose]
export const frontClientRegistrationEndpoints = clientRegistrationEndpoints.map(ofFront)
