/**
 * Makes the calls that must arrive: claims what is due, tries each once, and writes down what came of it.
 *
 * It runs in the worker beside the queue, not through it: what waits rests in its table, with its own leases, order and shares, so a queue would only be
 * a second place to lose it. NOTIFY wakes it at once; a poll every second finds what is due by time, or was not heard of. Killed at any
 * point it leaves a lease that ends: before the call nothing was said, after it the receiver hears the same message, under the same id, once more.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import {
  type DeliveryKind,
  deliveryLimits,
  isGivenUp,
  judgeTry,
  pauseSeconds,
  type TryOutcome,
  type Verdict,
} from '@drawbridge/core/revocation/delivery'
import {
  type ClaimedDelivery,
  claimDeliveriesAcrossTenants,
  markDead,
  markDelayed,
  markDelivered,
  markDestinationAnswers,
  markOrigin,
  pauseDestination,
} from '@drawbridge/store/deliveries'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import { prepareLogout } from './deliver-logout.js'
import { disableGone, disableIfFailingLong, prepareWebhook } from './deliver-webhook.js'
import type { JobDeps } from './deps.js'
import type { Prepare } from './outbound-call.js'
import { keepAwake, type Wakeful } from './wakeful.js'

export const deliveryPollMs = 1000

const prepare: Readonly<Record<DeliveryKind, Prepare>> = { backchannel_logout: prepareLogout, webhook: prepareWebhook }

const claim = (deps: JobDeps, limit: number) =>
  acrossTenants(deps.database, (db) => claimDeliveriesAcrossTenants(db, deps.clock.now(), limit))

/** Tries everything that is due at this moment, once; answers how many tries that were. For tests, and for a clock that jumps. */
export async function deliverDue(deps: JobDeps): Promise<number> {
  const claimed = await claim(deps, deliveryLimits.slots)
  await Promise.all(claimed.map((delivery) => deliverOne(deps, delivery)))
  return claimed.length
}

/** One try of a claimed message. What throws leaves the lease to end by itself. */
export async function deliverOne(deps: JobDeps, delivery: ClaimedDelivery): Promise<void> {
  const verdict = await judge(deps, delivery, await tryOnce(deps, delivery))
  const { outcome, failingSince } = await acrossTenants(deps.database, (db) => settle(deps, db, delivery, verdict))
  if (verdict.kind !== 'gone') await disableIfFailingLong(deps, delivery, failingSince)
  deps.metrics.count('drawbridge_deliveries_total', { kind: delivery.kind, outcome })
  if (outcome !== 'dead') return
  const { tenantId: tenant, id, kind, attempts } = delivery
  deps.log.error({ tenant, delivery: id, kind, attempts, reason: 'reason' in verdict ? verdict.reason : '' }, 'a delivery was given up')
}

/** What an address says that an admin has replaced meanwhile holds for that address alone: the message goes to the new one. */
async function judge(deps: JobDeps, delivery: ClaimedDelivery, { tried, url }: Tried): Promise<Verdict> {
  const verdict = judgeTry(tried, delivery.kind)
  const isToldElsewhere = verdict.kind === 'gone' && (await disableGone(deps, delivery, url))
  return isToldElsewhere ? { kind: 'failed', whose: 'message', reason: verdict.reason } : verdict
}

/** `url` is empty where there was nowhere to call. */
type Tried = { readonly tried: TryOutcome; readonly url: string }

async function tryOnce(deps: JobDeps, delivery: ClaimedDelivery): Promise<Tried> {
  const call = await prepare[delivery.kind](deps, delivery)
  if (!call.ok) return { tried: { trouble: call.error }, url: '' }
  const { url, headers, body } = call.value
  const origin = URL.canParse(url) ? new URL(url).origin : ''
  if (origin !== delivery.origin) await acrossTenants(deps.database, (db) => markOrigin(db, delivery, origin))
  const limits = { maxBytes: 0, discardBody: true, timeoutMs: deliveryLimits.timeoutSeconds * 1000 }
  const answered = await deps.fetchSafely(url, { method: 'POST', headers, body, ...limits })
  if (answered.ok) return { tried: { status: answered.value.status }, url }
  return { tried: answered.error.reason === 'redirect_refused' ? { status: 302 } : { trouble: answered.error.reason }, url }
}

type Settled = { readonly outcome: 'delivered' | 'delayed' | 'dead'; readonly failingSince?: Instant | undefined }

async function settle(deps: JobDeps, db: AcrossDb, delivery: ClaimedDelivery, verdict: Verdict): Promise<Settled> {
  const now = deps.clock.now()
  if (verdict.kind === 'delivered') {
    await markDelivered(db, delivery, now)
    return { outcome: 'delivered' }
  }
  const { reason } = verdict
  if (verdict.kind === 'hopeless' || verdict.kind === 'gone') {
    await markDead(db, delivery, { now, reason })
    return { outcome: 'dead' }
  }
  const { whose } = verdict
  // What its destination did not take waits with it, however often it was tried: it is due as soon as that one is.
  const failures = whose === 'destination' ? delivery.failures + 1 : delivery.attempts
  const until = addSeconds(now, pauseSeconds(whose, failures, chance(deps)))
  const failingSince =
    whose === 'destination' ? await pauseDestination(db, delivery, { now, until }) : await markDestinationAnswers(db, delivery, now)
  const isOver = isGivenUp(delivery.begunAt, now)
  if (isOver) await markDead(db, delivery, { now, reason })
  else await markDelayed(db, delivery, { dueAt: until, reason })
  return { outcome: isOver ? 'dead' : 'delayed', failingSince }
}

const chance = ({ random }: Pick<JobDeps, 'random'>): number => random.bytes(4).readUInt32BE() / 2 ** 32

/** Delivers until stopped, at most `slots` at once; what is under way at the stop is waited for. */
export function startDeliveries(deps: JobDeps): Wakeful {
  const flying = new Set<Promise<void>>()
  const launch = (delivery: ClaimedDelivery): void => {
    const flight = deliverOne(deps, delivery)
      .catch((error: unknown) => deps.log.warn({ cause: causeOf(error), delivery: delivery.id }, 'a delivery could not be tried'))
      .finally(() => {
        flying.delete(flight)
        claiming.wake()
      })
    flying.add(flight)
  }
  const claiming = keepAwake(deps, {
    everyMs: deliveryPollMs,
    trouble: 'deliveries could not be claimed',
    run: async () => {
      const room = deliveryLimits.slots - flying.size
      if (room > 0) for (const delivery of await claim(deps, room)) launch(delivery)
    },
  })
  return {
    wake: () => claiming.wake(),
    stop: async () => {
      await claiming.stop()
      await Promise.all(flying)
    },
  }
}

const causeOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
