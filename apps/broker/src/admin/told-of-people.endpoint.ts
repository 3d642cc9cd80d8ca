/** What clients of a tenant may be told of people. Userinfo looks at it each time, so what is taken back is told no more from then on. */
import { toldOfPeopleFromJson, toldOfPeopleShape } from '@drawbridge/core/oauth/userinfo'
import { findToldOfPeople, markToldOfPeople } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'

const tag = 'Clients'

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/userinfo',
  tag,
  summary: 'Read what clients may be told of people',
  permission: 'configuration:read',
  answer: toldOfPeopleShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json(toldOfPeopleFromJson(await inTenant(deps.database, id, (db) => findToldOfPeople(db, id))))
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/userinfo',
  tag,
  summary: 'Choose what clients may be told of people: the scopes profile and email, which are granted from then on to who asks for them',
  permission: 'configuration:write',
  body: toldOfPeopleShape,
  answer: toldOfPeopleShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markToldOfPeople(db, id, chosen)
      await audit(db, id, http, deps, { kind: 'tenant.userinfo_changed', detail: chosen })
    })
    return json(chosen)
  },
})

export const toldOfPeopleEndpoints = [read, choose]
