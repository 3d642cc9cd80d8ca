/** Whose software statements a tenant believes. It holds for registrations from then on: clients that are registered live on; kill one to end it. */
import { findSoftwareStatements, markSoftwareStatements } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { keysOfParty } from '@drawbridge/upstream/oidc/party-signature'
import { parseSoftwareStatements, softwareStatementsShape } from '@drawbridge/upstream/software-statement/statement-issuers'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Clients'
const path = '/tenants/:tenant/software-statements'
const nobodys = { required: false, issuers: [] }

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Read whose software statements a tenant believes',
  permission: 'configuration:read',
  answer: softwareStatementsShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json((await inTenant(deps.database, id, (db) => findSoftwareStatements(db, id))) ?? nobodys)
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary:
    'Choose whose software statements are believed, and whether clients register themselves only with one; those that are registered live on',
  permission: 'configuration:write',
  body: softwareStatementsShape,
  answer: softwareStatementsShape,
  refuses: ['software_statements_invalid', 'trust_keys_unreadable'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    const parsed = parseSoftwareStatements(chosen)
    if (!parsed.ok) return refuseAdmin('software_statements_invalid', [parsed.error])
    const now = deps.clock.now()
    for (const issuer of parsed.value.issuers)
      if ((await keysOfParty(deps.fetchSafely, issuer, now)) === undefined) return refuseAdmin('trust_keys_unreadable')
    await inTenant(deps.database, id, async (db) => {
      await markSoftwareStatements(db, id, chosen)
      const issuers = parsed.value.issuers.map(({ issuer, approves, softwareIds }) => ({
        issuer,
        approves,
        softwareIds: softwareIds.length,
      }))
      await audit(db, id, http, deps, { kind: 'tenant.software_statements_changed', detail: { required: chosen.required, issuers } })
    })
    return json(chosen)
  },
})

export const softwareStatementEndpoints = [read, choose]
