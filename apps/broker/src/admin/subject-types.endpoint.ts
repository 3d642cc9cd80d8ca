/** By which `sub` clients that say nothing know people. It holds for those that become known from then on. */
import { subjectTypeRulesShape } from '@drawbridge/core/oauth/subject-type'
import { isPairwiseByDefault, markPairwiseByDefault } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'

const tag = 'Clients'

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/subject-types',
  tag,
  summary: 'Read whether clients know people by a sub of their own unless they say otherwise',
  permission: 'configuration:read',
  answer: subjectTypeRulesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ pairwiseByDefault: await inTenant(deps.database, id, (db) => isPairwiseByDefault(db, id)) })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/subject-types',
  tag,
  summary: 'Choose whether clients that become known from then on know people by a sub of their own; those that are known keep theirs',
  permission: 'configuration:write',
  body: subjectTypeRulesShape,
  answer: subjectTypeRulesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markPairwiseByDefault(db, id, chosen.pairwiseByDefault)
      await audit(db, id, http, deps, { kind: 'tenant.subject_types_changed', detail: chosen })
    })
    return json(chosen)
  },
})

export const subjectTypesEndpoints = [read, choose]
