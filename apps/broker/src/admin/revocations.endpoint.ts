/** Taking away: grants by id; subjects, clients, connections and the whole tenant by barrier. And the receipts of it. */
import { instant } from '@drawbridge/core/instant'
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import type { DeprovisioningEventId, SubjectId } from '@drawbridge/core/tenant/ids'
import { listGrants, listRevocationReceipts, listSubjects } from '@drawbridge/store/admin-reads'
import { deprovision, reinstate } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam, refuseAdmin, toIso } from './admin-endpoint.js'

const tag = 'Revocation'
const reason = z.strictObject({ reason: z.string().trim().min(1).max(300).describe('For the audit trail and the receipt') })
type Reason = z.output<typeof reason>

const queryOf = (http: AdminRequest<unknown>, name: string): string | undefined => (http.query.ok ? http.query.value[name] : undefined)
const beforeOf = (http: AdminRequest<unknown>) => {
  const milliseconds = Date.parse(queryOf(http, 'before') ?? '')
  return Number.isNaN(milliseconds) ? undefined : instant(milliseconds)
}

const grants = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/grants',
  tag,
  summary: 'List grants, newest first; ?subject=, ?client=, ?before=<time>',
  permission: 'audit:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const filter = { subjectId: queryOf(http, 'subject'), clientId: queryOf(http, 'client'), before: beforeOf(http), now: deps.clock.now() }
    const found = await inTenant(deps.database, id, (db) => listGrants(db, id, filter))
    return json({
      grants: found.map((grant) => ({
        ...grant,
        createdAt: toIso(grant.createdAt),
        expiresAt: toIso(grant.expiresAt),
        revokedAt: toIso(grant.revokedAt ?? undefined),
      })),
    })
  },
})

const subjects = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/subjects',
  tag,
  summary: 'List subjects by last login; ?stableId= finds one',
  permission: 'audit:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const found = await inTenant(deps.database, id, (db) => listSubjects(db, id, queryOf(http, 'stableId')))
    return json({
      subjects: found.map((subject) => ({
        ...subject,
        deactivatedAt: toIso(subject.deactivatedAt ?? undefined),
        lastLoginAt: toIso(subject.lastLoginAt),
      })),
    })
  },
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
  return done.matched ? json({ eventId, target, targetId, epoch: done.epoch, barrierAt: toIso(now) }) : refuseAdmin('not_found')
}

const revokeGrant = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/grants/:id/revoke',
  tag,
  summary: 'Revoke one grant and all its tokens',
  permission: 'revoke',
  body: reason,
  run: (http, deps) => kill(http, deps, 'grant', idParam(http)),
})
const killSubject = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/subjects/:id/kill',
  tag,
  summary: 'Deactivate a person: everything ends, nothing new begins',
  permission: 'revoke',
  body: reason,
  run: (http, deps) => kill(http, deps, 'subject', idParam(http)),
})
const killClient = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/clients/:client/kill',
  tag,
  summary: 'Block a client and end everything it holds',
  permission: 'revoke',
  body: reason,
  run: (http, deps) => kill(http, deps, 'client', http.params['client']),
})
const killConnection = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/kill',
  tag,
  summary: 'Disable a connection and end everything opened through it',
  permission: 'revoke',
  body: reason,
  run: (http, deps) => kill(http, deps, 'connection', idParam(http)),
})
const killTenant = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/kill',
  tag,
  summary: 'Suspend a tenant and end everything of it',
  permission: 'revoke',
  body: reason,
  run: (http, deps) => kill(http, deps, 'tenant', tenantOf(http).id),
})

const reinstateSubject = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/subjects/:id/reinstate',
  tag,
  summary: 'Let a deactivated person sign in again; nothing that died comes back',
  permission: 'impersonate',
  body: reason,
  status: 204,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const subjectId = idParam(http) as SubjectId | undefined
    if (subjectId === undefined) return refuseAdmin('not_found')
    const found = await inTenant(deps.database, tenant.id, async (db) => {
      const changed = await reinstate(db, {
        tenant: tenant.id,
        subjectId,
        reason: http.parsed.reason,
        now: deps.clock.now(),
        requestId: http.requestId,
      })
      if (changed) await audit(db, tenant.id, http, deps, { kind: 'admin.reinstated', subjectId, reason: http.parsed.reason })
      return changed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

const receipts = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/revocations',
  tag,
  summary: 'Receipts: what was taken away, when, and which guards have acknowledged it; ?before=<time>',
  permission: 'audit:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const found = await inTenant(deps.database, id, (db) => listRevocationReceipts(db, id, beforeOf(http)))
    return json({
      revocations: found.map((receipt) => ({
        ...receipt,
        receivedAt: toIso(receipt.receivedAt),
        barrierAt: toIso(receipt.barrierAt),
        sweptAt: toIso(receipt.sweptAt ?? undefined),
        lastAcknowledgedAt: toIso(receipt.lastAcknowledgedAt ?? undefined),
      })),
    })
  },
})

export const revocationEndpoints = [
  grants,
  subjects,
  revokeGrant,
  killSubject,
  killClient,
  killConnection,
  killTenant,
  reinstateSubject,
  receipts,
]
