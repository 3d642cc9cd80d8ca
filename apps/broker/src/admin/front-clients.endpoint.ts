/** What a tenant says of a client of the front issuer before anybody has used it there: that it knows it, and what it may have in its own name. */

import type { Client } from '@drawbridge/core/oauth/client'
import { lostAccess, type MachineAccess, machineAccessShape } from '@drawbridge/core/oauth/machine-access'
import type { ClientId, TenantId } from '@drawbridge/core/tenant/ids'
import { holdClient, type WhichClient } from '@drawbridge/store/admin-clients'
import { findClient } from '@drawbridge/store/clients'
import { adoptFrontClient } from '@drawbridge/store/front-clients'
import { endMachineGrants, holdMachineAccess, markMachineAccess } from '@drawbridge/store/machine-access'
import { type Db, inTenant, onHotPath } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit } from './admin-endpoint.js'
import { ofMember } from './at-front.js'
import { isSeen, noteTag } from './client-precondition.js'
import { clientShape, showClient } from './client-shapes.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Clients'
const path = '/tenants/:tenant/clients/:client'
const whichOf = (http: HttpRequest<unknown, unknown>): WhichClient => ({
  issuerId: tenantOf(http).issuer.id,
  id: (http.params['client'] ?? '') as ClientId,
})

const adopt = adminEndpoint({
  method: 'POST',
  path,
  tag,
  summary: 'Know a client that is registered there, before anybody has used it; nothing is granted by that',
  permission: 'configuration:write',
  answer: clientShape,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const which = whichOf(http)
    const before = await findClient(onHotPath(deps.database), tenant, which.issuerId, which.id)
    if (before) return json(showClient(before), noteTag(before))
    await inTenant(deps.database, tenant, async (db) => {
      if (await adoptFrontClient(db, tenant, which.id, deps.clock.now()))
        await audit(db, tenant, http, deps, { kind: 'client.adopted', clientId: which.id })
    })
    const client = await findClient(onHotPath(deps.database), tenant, which.issuerId, which.id)
    return client ? json(showClient(client), noteTag(client)) : refuseAdmin('not_found')
  },
})

const chooseAccess = adminEndpoint({
  method: 'PUT',
  path: `${path}/machine-access`,
  tag,
  summary: 'Choose what a client may have in its own name, by client_credentials; what it holds by what is gone or less ends',
  permission: 'configuration:write',
  body: z.strictObject({ access: machineAccessShape }),
  answer: z.strictObject({ access: machineAccessShape, grantsEnded: z.int().describe('Of access that is gone, or less than it was') }),
  refuses: ['not_found', 'client_changed', 'reference_unknown', 'client_cannot_act_alone'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const access = http.parsed.access as unknown as MachineAccess
    if (!access.every(({ resource }) => tenant.resources.some(({ identifier }) => identifier === resource)))
      return refuseAdmin('reference_unknown')
    const grantsEnded = await inTenant(deps.database, tenant.id, (db) => choose(db, tenant.id, { http, deps, access }))
    return typeof grantsEnded === 'number' ? json({ access: http.parsed.access, grantsEnded }) : refuseAdmin(grantsEnded)
  },
})

type Chosen = { readonly http: AdminRequest<unknown>; readonly deps: BrokerDeps; readonly access: MachineAccess }

async function choose(
  db: Db,
  tenant: TenantId,
  { http, deps, access }: Chosen,
): Promise<number | 'not_found' | 'client_changed' | 'client_cannot_act_alone'> {
  await holdMachineAccess(db, tenant)
  const of = whichOf(http)
  const client = await holdClient(db, tenant, of)
  if (!client) return 'not_found'
  if (!(await isSeen(db, http))) return 'client_changed'
  if (access.length > 0 && !mayActAlone(client)) return 'client_cannot_act_alone'
  await markMachineAccess(db, tenant, of, access)
  const resources = lostAccess(client.machineAccess ?? [], access)
  const grantsEnded = await endMachineGrants(db, tenant, { of, resources, now: deps.clock.now(), requestId: http.requestId })
  await audit(db, tenant, http, deps, { kind: 'client.machine_access_changed', clientId: of.id, detail: { access, grantsEnded } })
  return grantsEnded
}

/** Whoever registered itself, or proves nothing, is served by no token endpoint in its own name: to give it anything would only look as if it had it. */
const mayActAlone = ({ kind, authMethod, grantTypes }: Client): boolean =>
  kind === 'preregistered' && authMethod !== 'none' && grantTypes.includes('client_credentials')

export const memberClientAccessEndpoints = [adopt, chooseAccess].map((endpoint) => ofMember(endpoint, 'clients'))
