/**
 * The sweep after a barrier: what the deprovisioning transaction has already killed is written down, and every resource server is told.
 *
 * One transaction: lock the outbox entry, then the resources, write a revocation per issuer and what clients are told, raise each resource's position with
 * a signed notice, mark the event swept and the entry done. A second run finds the entry done and does nothing; a crash leaves nothing behind. Between the
 * two locks the grants of people are marked, as the tenant and in a transaction of their own, which may be done any number of times. What follows the kill of
 * a client, a connection or a tenant may be very much, and is left to an entry of its own (`follow-kill`): resource servers are told of it at once.
 *
 * Where many people of a tenant leave at once, what waits behind an entry is swept with it: the locks, the commit and most questions are the same for one and
 * for many. Only of people and grants, and only what nobody has failed at: an entry that fails takes nobody with it, for whatever fails together is tried
 * again alone.
 */
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import {
  type DeprovisioningSource,
  deprovisioningTargets,
  initiatingEntities,
  type RevokePayload,
} from '@drawbridge/core/revocation/deprovisioning-event'
import { type FollowKillPayload, followKillEntry, isKillOfMany } from '@drawbridge/core/revocation/follow-kill'
import { type PlannedRevocation, planRevocation, revocationKeepSeconds } from '@drawbridge/core/revocation/revocation-plan'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { subjectOfRevocation } from '@drawbridge/core/signals/set-claims'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { markGrantsRevoked } from '@drawbridge/store/mark-killed'
import { countReceivers } from '@drawbridge/store/notice-streams'
import { leaveEntry } from '@drawbridge/store/outbox-pieces'
import { lockUndoneEntry, lockUntried, markAllDone } from '@drawbridge/store/outbox-relay'
import { isAnyClientTold, planLogouts } from '@drawbridge/store/plan-logouts'
import {
  findEvents,
  findGrantsNow,
  type GrantNow,
  insertRevocations,
  listIssuersOfTenant,
  lockResourcesOfIssuers,
  markEventsSwept,
  type RevokingIssuer,
  type ToldEvent,
  type ToldResource,
} from '@drawbridge/store/revocations'
import { type AcrossDb, acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { JobDeps } from '../deps.js'
import { tellNewsOfEnds } from '../tell-news.js'
import { tellResources } from '../tell-resources.js'

/**
 * Of one grant, what logs nobody out: a client that handed its own token back knows, and of sessions that ended clients are told by session
 * (`tell-session-ended`).
 */
const ofTheClientAlone: readonly DeprovisioningSource[] = ['revocation_endpoint', 'logout']

/** What is swept in one transaction: entries, the notices that are signed for them, and the receipts that living streams then owe. */
export const sweptTogether = { entries: 128, notices: 256, receipts: 10_000 } as const

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
export const revokePayload = z.object({
  eventId: uuid,
  target: z.enum(deprovisioningTargets),
  targetId: z.string().min(1).max(2048),
  epoch: z.number().int().positive(),
  deactivated: z.boolean().optional(),
}) satisfies z.ZodType<RevokePayload>

export type RevokeJob = RevokePayload & { readonly tenant: string; readonly entry: number }
type Swept = RevokePayload & { readonly entry: number; readonly eventId: DeprovisioningEventId }

/** Runs as often as it likes; has its effect once. */
export async function revokeGrants(deps: JobDeps, { tenant: id, ...job }: RevokeJob): Promise<void> {
  const tenant = id as TenantId
  const own = toSwept(job)
  const together: Swept[] = []
  try {
    await sweep(deps, tenant, own, together)
  } catch (error) {
    if (together.length < 2) throw error
    const of = { tenant, entry: own.entry, entries: together.length, cause: error instanceof Error ? error.message : String(error) }
    deps.log.warn(of, 'revocations could not be swept together: this one is tried alone')
    await sweep(deps, tenant, own)
  }
}

const toSwept = (job: RevokePayload & { readonly entry: number }): Swept => ({ ...job, eventId: job.eventId as DeprovisioningEventId })

/** `together`: what waits beside it is swept, too, and put in here; absent: nothing is. */
async function sweep(deps: JobDeps, tenant: TenantId, own: Swept, together?: Swept[]): Promise<void> {
  const told = await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, own.entry))) return []
    const others = together && isQuick(own) ? await lockBeside(db, tenant, own, deps.clock.now()) : []
    together?.push(own, ...others)
    await followFew(deps, db, tenant, [own, ...others])
    const places = await lockPlaces(db, tenant, deps.clock.now())
    const notices = places.reduce((sum, { resources }) => sum + resources.length, 0)
    const room = await roomFor(db, places, notices)
    // Of one person in the order in which her changes were committed.
    const swept = [own, ...others.slice(0, Math.max(0, room))].toSorted((one, other) => one.entry - other.entry)
    // What was waited for is over, so nothing is swept before its barrier.
    await tell(deps, db, { tenant, places, now: deps.clock.now() }, swept)
    return swept.map(({ eventId, target }) => ({ eventId, target, notices }))
  })
  for (const each of told) deps.log.info({ tenant, ...each }, 'revocation swept')
}

/** How many more are swept with the first: who else needs these resource servers waits for it. */
async function roomFor(db: AcrossDb, places: readonly Place[], notices: number): Promise<number> {
  const receipts = await countReceivers(
    db,
    places.flatMap(({ resources }) => resources),
  )
  return Math.floor(Math.min(sweptTogether.notices / Math.max(1, notices), sweptTogether.receipts / Math.max(1, receipts))) - 1
}

/** What a client, a connection or a tenant has may be much: it is swept by itself. */
const isQuick = ({ target }: Pick<Swept, 'target'>): boolean => !isKillOfMany(target)

/** What people and grants have is little. Nothing that others wait for is locked yet. */
async function followFew(deps: JobDeps, db: AcrossDb, tenant: TenantId, swept: readonly Swept[]): Promise<void> {
  const few = swept.flatMap(({ target, ...each }) => (target === 'subject' || target === 'grant' ? [{ ...each, target }] : []))
  if (few.length === 0) return
  await inTenant(deps.database, tenant, (within) => markGrantsRevoked(within, tenant, few, deps.clock.now()))
  await logOut(db, tenant, few, deps.clock.now())
}

async function leaveMany(db: AcrossDb, tenant: TenantId, swept: readonly Swept[], now: Instant): Promise<void> {
  for (const { eventId, target, targetId, epoch, entry: sequence } of swept) {
    if (!isKillOfMany(target)) continue
    const payload: FollowKillPayload = { eventId, target, targetId, epoch, sequence }
    await leaveEntry(db, tenant, { kind: followKillEntry, payload }, now)
  }
}

/** What does not parse is left to a job of its own, which fails and is seen. */
async function lockBeside(db: AcrossDb, tenant: TenantId, own: Swept, now: Instant): Promise<readonly Swept[]> {
  const waiting = await lockUntried(db, tenant, { kind: 'revoke', now, limit: sweptTogether.entries })
  const beside = waiting.flatMap(({ id, payload }) => {
    const parsed = revokePayload.safeParse(payload)
    return parsed.success && id !== own.entry && isQuick(parsed.data) ? [toSwept({ entry: id, ...parsed.data })] : []
  })
  return beside.slice(0, sweptTogether.entries - 1)
}

type Place = { readonly issuer: RevokingIssuer; readonly resources: readonly ToldResource[] }

/**
 * Each issuer of the tenant, with the resource servers that may have seen its tokens. Read after the entries were locked: one that is new since then
 * has seen nothing that was issued before their barriers.
 */
async function lockPlaces(db: AcrossDb, tenant: TenantId, now: Instant): Promise<readonly Place[]> {
  const issuers = await listIssuersOfTenant(db, tenant)
  const resources = await lockResourcesOfIssuers(
    db,
    tenant,
    issuers.map(({ id }) => id),
    now,
  )
  return issuers.map((issuer) => ({ issuer, resources: resources.filter((one) => one.issuers.includes(issuer.id)) }))
}

/** Clients hear of it at their own pace. */
async function logOut(db: AcrossDb, tenant: TenantId, swept: readonly Swept[], now: Instant): Promise<void> {
  if (!(await isAnyClientTold(db, tenant))) return
  const events = await findEvents(db, tenant, idsOf(swept))
  for (const each of swept.filter((one) => !isOfTheClientAlone(one, events.get(one.eventId))))
    await planLogouts(db, { ...each, tenant, sequence: each.entry, now })
}

const idsOf = (swept: readonly Swept[]) => swept.map(({ eventId }) => eventId)
const isOfTheClientAlone = ({ target }: Swept, event: ToldEvent | undefined): boolean =>
  target === 'grant' && event !== undefined && ofTheClientAlone.includes(event.source)

type Sweep = { readonly tenant: TenantId; readonly places: readonly Place[]; readonly now: Instant }

/** Resources are locked before news of a person, here and wherever else both are: no two jobs wait for each other. */
async function tell(deps: JobDeps, db: AcrossDb, { tenant, places, now }: Sweep, swept: readonly Swept[]): Promise<void> {
  const events = await findEvents(db, tenant, idsOf(swept))
  const grants = await findGrantsNow(
    db,
    tenant,
    swept.filter(({ target }) => target === 'grant').map(({ targetId }) => targetId),
  )
  const issuers = places.map(({ issuer }) => issuer)
  const planned = swept.flatMap((each) => planRevocation(each, issuers, now).revocations)
  for (const { issuer, resources } of places) {
    const revocations = planned
      .filter((one) => one.issuer === issuer)
      .map((one) => ({ ...one, eventId: one.eventId as DeprovisioningEventId }))
    await insertRevocations(
      db,
      tenant,
      revocations.map((one) => ({ ...one, issuerId: issuer.id })),
    )
    const news = revocations.map((one) => ({
      eventId: one.eventId,
      claims: claimsOf(one, events.get(one.eventId), grants.get(one.targetId)),
    }))
    await tellResources(deps, db, resources, { tenant, issuer, at: now, expiresAt: addSeconds(now, revocationKeepSeconds), news })
  }
  const ended = swept.map(({ eventId, entry, target, targetId, deactivated = false }) => {
    const subject = target === 'subject' ? targetId : grants.get(targetId)?.subject
    return { eventId, sequence: entry, isDeactivated: deactivated, subject: subject ?? undefined }
  })
  await tellNewsOfEnds(db, tenant, ended, now)
  await leaveMany(db, tenant, swept, now)
  await markEventsSwept(db, tenant, idsOf(swept), now)
  await markAllDone(
    db,
    tenant,
    swept.map(({ entry }) => entry),
    now,
  )
}

/**
 * What a notice of a revocation says. Foreign receivers read the CAEP event and the subject; our guard reads the member `drawbridge`. The time is
 * the barrier's, however late the sweep comes: who compares it with `iat` must not refuse what was issued after a reinstatement meanwhile.
 *
 * @spec RFC 8417 §2.2
 * @spec CAEP 1.0 §2, §3.1 session-revoked
 */
function claimsOf(
  { issuer, target, targetId, epoch, at }: PlannedRevocation<RevokingIssuer>,
  event: ToldEvent | undefined,
  grant: GrantNow | undefined,
): Readonly<Record<string, unknown>> {
  const barrierAt: Instant = event?.barrierAt ?? at
  const named = { subject: grant?.subject ?? undefined, session: grant?.session ?? undefined }
  const of = { issuer: issuer.url, tenantSlug: issuer.tenantSlug, target, targetId, grant: named, isSessionEnd: event?.source === 'logout' }
  return {
    sub_id: subjectOfRevocation(of),
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
