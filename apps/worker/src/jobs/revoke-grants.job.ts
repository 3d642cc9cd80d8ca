/**
 * The sweep after a barrier: what the deprovisioning transaction has already killed is written down, and every resource server is told.
 *
 * Grants are marked first, as the tenant, which may be done any number of times. Then one transaction: lock the outbox entry, write what
 * clients are told, write a revocation per issuer, raise each resource's position with a signed notice, mark the event swept and the entry done. A second run finds
 * the entry done and does nothing; a crash leaves nothing behind.
 */
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import { type DeprovisioningSource, initiatingEntities } from '@drawbridge/core/revocation/deprovisioning-event'
import { type PlannedRevocation, planRevocation } from '@drawbridge/core/revocation/revocation-plan'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { type SetSubject, subjectOfRevocation } from '@drawbridge/core/signals/set-claims'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { lockUndoneEntry, markDone } from '@drawbridge/store/outbox-relay'
import { planLogouts } from '@drawbridge/store/plan-logouts'
import {
  findEvents,
  findGrantsNow,
  type GrantNow,
  insertRevocations,
  listIssuersOfTenant,
  lockResourcesOfIssuer,
  markEventsSwept,
  markGrantsRevoked,
  type RevocationTarget,
  type RevokingIssuer,
  type ToldEvent,
} from '@drawbridge/store/revocations'
import { type AcrossDb, acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { tellNewsOfEnd } from '../tell-news.js'
import { tellResources } from '../tell-resources.js'

/**
 * Of one grant, what logs nobody out: a client that handed its own token back knows, and of sessions that ended clients are told by session
 * (`tell-session-ended`).
 */
const ofTheClientAlone: readonly DeprovisioningSource[] = ['revocation_endpoint', 'logout']

export type RevokeJob = {
  readonly tenant: string
  readonly entry: number
  readonly eventId: string
  readonly target: RevocationTarget
  readonly targetId: string
  readonly epoch: number
  readonly deactivated?: boolean | undefined
}

/** Runs as often as it likes; has its effect once. */
export async function revokeGrants(deps: JobDeps, job: RevokeJob): Promise<void> {
  const tenant = job.tenant as TenantId
  const eventId = job.eventId as DeprovisioningEventId
  const now = deps.clock.now()
  await inTenant(deps.database, tenant, (db) =>
    markGrantsRevoked(db, { tenant, eventId, target: job.target, targetId: job.targetId, epoch: job.epoch, at: now }),
  )
  const told = await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, job.entry))) return undefined
    const event = (await findEvents(db, tenant, [eventId])).get(eventId)
    const grant = job.target === 'grant' ? (await findGrantsNow(db, tenant, [job.targetId])).get(job.targetId) : undefined
    if (!(job.target === 'grant' && event !== undefined && ofTheClientAlone.includes(event.source)))
      await planLogouts(db, { tenant, eventId, sequence: job.entry, now, target: job.target, targetId: job.targetId, epoch: job.epoch })
    let count = 0
    const plan = planRevocation(job, await listIssuersOfTenant(db, tenant), now)
    for (const revocation of plan.revocations) count += await revokeAtIssuer(deps, db, { tenant, event, grant, revocation })
    // Resources are locked before news of a person, here and wherever else both are: no two jobs wait for each other.
    await tellNewsOfEnd(db, { tenant, eventId, sequence: job.entry, isDeactivated: job.deactivated ?? false, now })
    await markEventsSwept(db, tenant, [eventId], now)
    await markDone(db, tenant, job.entry, now)
    return count
  })
  if (told !== undefined) deps.log.info({ tenant, eventId, target: job.target, notices: told }, 'revocation swept')
}

type AtIssuer = PlannedRevocation<RevokingIssuer>
type Telling = {
  readonly tenant: TenantId
  readonly event: ToldEvent | undefined
  /** That is revoked. */
  readonly grant: GrantNow | undefined
  readonly revocation: AtIssuer
}

async function revokeAtIssuer(deps: JobDeps, db: AcrossDb, { tenant, event, grant, revocation }: Telling): Promise<number> {
  const { issuer, target, targetId, epoch, at, expiresAt } = revocation
  const resources = await lockResourcesOfIssuer(db, tenant, issuer.id, at)
  const eventId = revocation.eventId as DeprovisioningEventId
  await insertRevocations(db, tenant, [{ eventId, issuerId: issuer.id, target, targetId, epoch, at, expiresAt }])
  const named = { subject: grant?.subject ?? undefined, session: grant?.session ?? undefined }
  const of = { issuer: issuer.url, tenantSlug: issuer.tenantSlug, target, targetId, grant: named, isSessionEnd: event?.source === 'logout' }
  const claims = claimsOf(revocation, event, subjectOfRevocation(of))
  return tellResources(deps, db, resources, { tenant, issuer, eventId, at, expiresAt, claims })
}

/**
 * What a notice of a revocation says. Foreign receivers read the CAEP event and the subject; our guard reads the member `drawbridge`. The time is
 * the barrier's, however late the sweep comes: who compares it with `iat` must not refuse what was issued after a reinstatement meanwhile.
 *
 * @spec RFC 8417 §2.2
 * @spec CAEP 1.0 §2, §3.1 session-revoked
 */
function claimsOf(
  { issuer, target, targetId, epoch, at }: AtIssuer,
  event: ToldEvent | undefined,
  subject: SetSubject,
): Readonly<Record<string, unknown>> {
  const barrierAt: Instant = event?.barrierAt ?? at
  return {
    sub_id: subject,
    events: {
      [sessionRevoked]: {
        event_timestamp: toSeconds(barrierAt),
        initiating_entity: event === undefined ? 'system' : (initiatingEntities[event.source] ?? 'system'),
        reason_admin: { en: `access of this ${target} was revoked` },
      },
    },
    drawbridge: { target, targetId, epoch, tenant: issuer.tenantSlug },
  }
}
