/**
 * Pushes one event stream, which this worker has claimed, until nothing is owed, the receiver fails, or the claim is lost.
 *
 * In order, one at a time: an event is posted, then marked. A worker that dies between the two leaves the event to whoever claims the stream next,
 * so a receiver may see it twice, under the same `jti`, and never misses it.
 *
 * @spec RFC 8935 §2
 */
import { assert } from '@drawbridge/core/assert'
import { addSeconds } from '@drawbridge/core/instant'
import { judgePushAnswer, nextPushAt, type PushOutcome, refusalsBelieved } from '@drawbridge/core/signals/push-answer'
import type { Sealer } from '@drawbridge/crypto/seal'
import { findSignedByCondemned } from '@drawbridge/store/condemned-notices'
import {
  type ClaimedPush,
  findOwedEvents,
  markOwnEventAnswered,
  markPushAnswered,
  markPushFailed,
  type OwedNotice,
  releasePush,
} from '@drawbridge/store/event-stream-delivery'
import type { OwnEvent } from '@drawbridge/store/event-streams'
import { markEventsDead } from '@drawbridge/store/notice-receipts'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'

export type PushDeps = Pick<JobDeps, 'clock' | 'random' | 'log' | 'metrics' | 'database' | 'fetchSafely'> & {
  readonly sealer: Sealer
  readonly installationId: string
}

/** Longer than one push may take: whoever holds a lease renews it with each mark. */
export const leaseSeconds = 60
export const pushTimeoutMs = 10_000
/** Read at once. */
const batch = 20
/** Then it is the turn of others, and this one stands behind them. */
export const turn = { events: 100, milliseconds: 15_000 } as const
/** Of an answer; what it may say of a refusal is short. */
const mostAnswerBytes = 16_384

type Owed = { readonly own: OwnEvent } | { readonly notice: OwedNotice }

/** Every failure ends in the stream's row; only the database's own throw. Stopped, it ends after the event that is under way. */
export async function pushStream(deps: PushDeps, push: ClaimedPush, isStopped: () => boolean): Promise<void> {
  const authorization = openAuthorization(deps, push)
  const until = performance.now() + turn.milliseconds
  let pushed = 0
  let goesOn = true
  while (goesOn) {
    const owed = await acrossTenants(deps.database, (db) => findOwedEvents(db, push, { limit: batch, now: deps.clock.now() }))
    if (owed === undefined) break
    const events: readonly Owed[] = [...owed.own.map((own) => ({ own })), ...owed.notices.map((notice) => ({ notice }))]
    goesOn = events.length > 0
    for (const event of events) {
      goesOn = !isStopped() && (await pushOne(deps, push, event, authorization))
      pushed += 1
      if (goesOn && (pushed >= turn.events || performance.now() >= until)) {
        await acrossTenants(deps.database, (db) => releasePush(db, push, deps.clock.now()))
        return
      }
      if (!goesOn) break
    }
  }
  await acrossTenants(deps.database, (db) => releasePush(db, push))
}

function openAuthorization({ sealer, installationId }: PushDeps, { tenantId, id, sealedAuthorization }: ClaimedPush): string | undefined {
  if (sealedAuthorization === null) return undefined
  const context = { installation: installationId, tenant: tenantId, table: 'event_streams', column: 'sealed_authorization', row: id }
  const opened = sealer.open(sealedAuthorization, context)
  assert(opened.ok, `the authorization of the stream ${id} opens under the master key`)
  return opened.value.toString('utf8')
}

/** Whether the next may be pushed. */
async function pushOne(deps: PushDeps, push: ClaimedPush, event: Owed, authorization: string | undefined): Promise<boolean> {
  const outcome = await post(deps, push, tokenOf(event), authorization)
  deps.metrics.count('drawbridge_pushes_total', { outcome: outcome.kind })
  if (outcome.kind === 'taken') return markAnswered(deps, push, event, undefined)
  if (outcome.kind === 'trouble') {
    await markFailed(deps, push, outcome.say, false)
    return false
  }
  const failed = await markFailed(deps, push, `refused: ${outcome.code}`, true)
  if (failed === undefined || failed.disbelieved < refusalsBelieved) return false
  if ('notice' in event && (await isOfCondemnedKey(deps, push, event.notice.token))) return false
  deps.metrics.count('drawbridge_notices_refused_total')
  deps.log.warn({ streamId: push.id, refusal: outcome.code }, 'a receiver refused an event for good')
  return markAnswered(deps, push, event, outcome.code)
}

const tokenOf = (event: Owed): string => ('own' in event ? event.own.token : event.notice.token)

/** No receiver believes it, and rightly: it is about to be signed by another key, and what a receiver says of it until then is not its last word. */
async function isOfCondemnedKey(deps: PushDeps, { issuerTenantId, issuerId }: ClaimedPush, token: string): Promise<boolean> {
  const issuer = { tenant: issuerTenantId, id: issuerId }
  return acrossTenants(deps.database, async (db) => (await findSignedByCondemned(db, issuer, [token])).has(token))
}

async function post(deps: PushDeps, { endpointUrl }: ClaimedPush, token: string, authorization: string | undefined): Promise<PushOutcome> {
  const answer = await deps.fetchSafely(endpointUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/secevent+jwt',
      accept: 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: token,
    maxBytes: mostAnswerBytes,
    timeoutMs: pushTimeoutMs,
  })
  return answer.ok ? judgePushAnswer(answer.value) : { kind: 'trouble', say: answer.error.reason }
}

async function markAnswered(deps: PushDeps, push: ClaimedPush, event: Owed, refusal: string | undefined): Promise<boolean> {
  const now = deps.clock.now()
  if ('own' in event) {
    return acrossTenants(deps.database, (db) => markOwnEventAnswered(db, push, { jti: event.own.jti, refusal, now }))
  }
  const answer = { notice: event.notice, refusal, now, leaseUntil: addSeconds(now, leaseSeconds) }
  const marked = await acrossTenants(deps.database, (db) => markPushAnswered(db, push, answer))
  if (refusal === undefined && marked !== undefined) deps.metrics.count('drawbridge_notices_delivered_total')
  for (const seconds of marked?.acknowledgedSeconds ?? []) deps.metrics.observe('drawbridge_notice_acknowledged_seconds', {}, seconds)
  for (const seconds of await markEventsDead(deps.database, marked?.events ?? []))
    deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  return marked !== undefined
}

const wordOfChance = 2 ** 32

async function markFailed(deps: PushDeps, push: ClaimedPush, trouble: string, isRefusal: boolean) {
  const now = deps.clock.now()
  const chance = deps.random.bytes(4).readUInt32BE() / wordOfChance
  const tryAt = (failures: number) => nextPushAt(failures, now, chance)
  const failed = await acrossTenants(deps.database, (db) => markPushFailed(db, push, { trouble, isRefusal, tryAt }))
  if (failed?.failures === 1) deps.log.warn({ streamId: push.id, trouble }, 'an event could not be pushed; it is tried again')
  return failed
}
