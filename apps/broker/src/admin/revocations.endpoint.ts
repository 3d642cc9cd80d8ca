/** Taking away: grants by id; subjects, clients, connections and the whole tenant by barrier. */
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import type { DeprovisioningEventId, SubjectId } from '@drawbridge/core/tenant/ids'
import { deprovision, reinstate } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { type Endpoint, tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { ofFront } from './at-front.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const tag = 'Revocation'
const reason = z.strictObject({ reason: z.string().trim().min(1).max(300).describe('For the audit trail and the receipt') })
type Reason = z.output<typeof reason>
const killed = z.strictObject({
  eventId: idShape.describe('Of the receipt'),
  target: z.string(),
  targetId: z.string(),
  epoch: z.int(),
  barrierAt: time,
})

/** Nothing of the target made until now is accepted after the answer; notices follow in the background. */
async function kill(
  http: AdminRequest<Reason>,
  deps: BrokerDeps,
  target: DeprovisioningTarget,
  targetId: string | undefined,
): Promise<Answer> {
  const tenant = tenantOf(http)
  if (targetId === undefined) return refuseAdmin('not_found')
  const eventId = deps.random.uuid() as DeprovisioningEventId
  const now = deps.clock.now()
  const done = await inTenant(deps.database, tenant.id, async (db) => {
    const event = {
      tenant: tenant.id,
      eventId,
      source: 'admin',
      target,
      targetId,
      reason: http.parsed.reason,
      toldAt: undefined,
      now,
      requestId: http.requestId,
      deactivate: target !== 'grant',
    } as const
    const outcome = await deprovision(db, event)
    await audit(db, tenant.id, http, deps, {
      kind: 'admin.killed',
      reason: http.parsed.reason,
      detail: { target, targetId, eventId, matched: outcome.matched },
    })
    return outcome
  })
  return done.matched ? json({ eventId, target, targetId, epoch: done.epoch, barrierAt: toIso(done.barrierAt) }) : refuseAdmin('not_found')
}

type Killing = {
  readonly target: DeprovisioningTarget
  readonly path: string
  readonly summary: string
  readonly idOf: (http: AdminRequest<Reason>) => string | undefined
}
const killing = ({ target, path, summary, idOf }: Killing): Endpoint =>
  adminEndpoint({
    method: 'POST',
    path: `/tenants/:tenant${path}`,
    tag,
    summary,
    permission: 'revoke',
    body: reason,
    answer: killed,
    refuses: ['not_found'],
    run: (http, deps) => kill(http, deps, target, idOf(http)),
  })

const killClient = killing({
  target: 'client',
  path: '/clients/:client/kill',
  summary: 'Block a client and end everything it holds',
  idOf: (http) => http.params['client'],
})
/** With it every tenant's copy of the client ends, in the same commit. */
export const frontClientKillEndpoint = ofFront(killClient)

const kills = [
  killing({ target: 'grant', path: '/grants/:id/revoke', summary: 'Revoke one grant and all its tokens', idOf: idParam }),
  killing({
    target: 'subject',
    path: '/subjects/:id/kill',
    summary: 'Deactivate a person: everything ends, nothing new begins',
    idOf: idParam,
  }),
  killClient,
  killing({
    target: 'connection',
    path: '/connections/:id/kill',
    summary: 'Disable a connection and end everything opened through it',
    idOf: idParam,
  }),
  killing({
    target: 'connection',
    path: '/assertion-trusts/:id/kill',
    summary: 'Accept no more assertions of an issuer and end everything opened by them',
    idOf: idParam,
  }),
  killing({ target: 'tenant', path: '/kill', summary: 'Suspend a tenant and end everything of it', idOf: (http) => tenantOf(http).id }),
]

const reinstateSubject = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/subjects/:id/reinstate',
  tag,
  summary: 'Let a deactivated person sign in again, whoever deactivated her; nothing that died comes back',
  permission: 'impersonate',
  body: reason,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const subjectId = idParam<SubjectId>(http)
    if (subjectId === undefined) return refuseAdmin('not_found')
    const said = { by: 'admin', reason: http.parsed.reason, now: deps.clock.now(), requestId: http.requestId } as const
    const event = { tenant: tenant.id, subjectId, ...said }
    const found = await inTenant(deps.database, tenant.id, async (db) => {
      const changed = await reinstate(db, event)
      if (changed) await audit(db, tenant.id, http, deps, { kind: 'admin.reinstated', subjectId, reason: http.parsed.reason })
      return changed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

export const revocationEndpoints = [...kills, reinstateSubject]
