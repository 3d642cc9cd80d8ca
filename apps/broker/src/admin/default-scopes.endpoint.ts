/** Which scopes of the vendor's shared resources a tenant gives to whoever names none, at its own issuer and at the front. */
import { defaultScopesFromJson, defaultScopesShape } from '@drawbridge/core/oauth/default-scopes'
import { findDefaultScopes, markDefaultScopes } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'

const tag = 'Resources'
const path = '/tenants/:tenant/default-scopes'

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read which scopes of shared resources are granted to whoever names none',
  permission: 'configuration:read',
  answer: defaultScopesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = defaultScopesFromJson(await inTenant(deps.database, id, (db) => findDefaultScopes(db, id)))
    return json(chosen === 'unreadable' ? { sharedResources: [] } : chosen)
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary: 'Choose which scopes of shared resources are granted to whoever names none; what is left out is as the vendor has it',
  permission: 'configuration:write',
  body: defaultScopesShape,
  answer: defaultScopesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markDefaultScopes(db, id, chosen)
      await audit(db, id, http, deps, { kind: 'tenant.default_scopes_changed', detail: chosen })
    })
    return json(chosen)
  },
})

export const defaultScopesEndpoints = [read, choose]
