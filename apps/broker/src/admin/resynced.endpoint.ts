/** An admin says that a directory has been synchronised anew after a restore: whom it has named comes in again, and of the others he hears who they are. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { tellBackOnceNamed } from '@drawbridge/store/deprovisioning'
import { markDirectoryResynced } from '@drawbridge/store/recovery'
import { inTenant } from '@drawbridge/store/transaction'
import { findUnnamed, letInUnnamed, mostUnnamedShown } from '@drawbridge/store/unnamed-people'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape } from './shapes.js'

const answer = z.strictObject({
  keptOut: z
    .int()
    .describe(
      'Active users whom the directory has not named since the restore: each stays out until it names her, or this is said for them',
    ),
  letIn: z.int().describe('How many of them came in by this call'),
  unnamed: z
    .array(z.strictObject({ id: idShape, userName: z.string(), externalId: z.string().nullable() }))
    .max(mostUnnamedShown)
    .describe('Who they are, in the order in which they were created; beyond these the list of SCIM users has them (unnamed=true)'),
})

/** May be said again, for whoever is left. Whether the directory has told of everybody only its admin can see. */
const resynced = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/resynced',
  tag: 'Connections',
  summary: 'Say that the directory has been synchronised anew after a restore: the people whom it has named come in again',
  permission: 'impersonate',
  body: z.strictObject({
    letInUnnamed: z
      .boolean()
      .default(false)
      .describe('true: those, too, whom it has not named. Somebody has compared them with the directory'),
  }),
  answer,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const { letInUnnamed: isLetIn } = http.parsed
    if (id === undefined) return refuseAdmin('not_found')
    return inTenant(deps.database, tenant, async (db) => {
      await tellBackOnceNamed(db, { tenant, connectionId: id, now: deps.clock.now() })
      if (!(await markDirectoryResynced(db, tenant, id))) return refuseAdmin('not_found')
      const { count, first } = await findUnnamed(db, tenant, id)
      if (isLetIn) await letInUnnamed(db, tenant, id)
      const told = { keptOut: isLetIn ? 0 : count, letIn: isLetIn ? count : 0 }
      await audit(db, tenant, http, deps, { kind: 'connection.resynced', connectionId: id, detail: told })
      return json({ ...told, unnamed: [...first] })
    })
  },
})

export const resyncedEndpoints = [resynced]
