/** Which clients may have ID-JAGs for which authorization servers of others. The first makes the keys that sign them. */
import { idJagIssuerOf, idJagIssuingFromJson, idJagIssuingShape } from '@drawbridge/core/oauth/id-jag-issuing'
import { ensureSigningKeys } from '@drawbridge/store/signing-keys'
import { findIdJagIssuing, markIdJagIssuing } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { isOwnAddress } from '../http/own-address.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { keyChangeOf } from './key-change.js'
import { ifRevision, revision, revisionOf } from './permissions-revision.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Assertion trusts'
const path = '/tenants/:tenant/id-jag-issuing'
const answer = idJagIssuingShape.extend({
  revision,
  issuer: z.url().describe('Who issues them: what those servers have to trust; its metadata names its keys'),
})

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read which clients may have ID-JAGs for which authorization servers',
  permission: 'configuration:read',
  answer,
  run: async (http, deps) => {
    const { id, issuer } = tenantOf(http)
    const { permissions } = idJagIssuingFromJson(await inTenant(deps.database, id, (db) => findIdJagIssuing(db, id)))
    return json({ permissions, revision: revisionOf(permissions), issuer: idJagIssuerOf(issuer.url) })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary: 'Choose which clients may have ID-JAGs for which authorization servers of others; none of this installation',
  permission: 'impersonate',
  body: idJagIssuingShape.extend({ ifRevision }),
  answer,
  refuses: ['trust_loops', 'permissions_moved'],
  run: async (http, deps) => {
    const { id, issuer, ...tenant } = tenantOf(http)
    const { ifRevision: read, ...chosen } = http.parsed
    const { permissions } = idJagIssuingFromJson(chosen)
    if (permissions.some(({ audience }) => isOwnAddress(deps, audience))) return refuseAdmin('trust_loops')
    const { tenant: owner, ...change } = keyChangeOf(deps, { id, issuer, ...tenant })
    const isChosen = await inTenant(deps.database, owner, async (db) => {
      const before = idJagIssuingFromJson(await findIdJagIssuing(db, owner, 'held'))
      if (read !== undefined && read !== revisionOf(before.permissions)) return false
      if (permissions.length > 0) await ensureSigningKeys(db, owner, { ...change, purpose: 'id_jag' })
      await markIdJagIssuing(db, owner, chosen)
      await audit(db, owner, http, deps, { kind: 'tenant.id_jag_issuing_changed', detail: { permissions } })
      return true
    })
    if (!isChosen) return refuseAdmin('permissions_moved')
    return json({ permissions, revision: revisionOf(permissions), issuer: idJagIssuerOf(issuer.url) })
  },
})

export const idJagIssuingEndpoints = [read, choose]
