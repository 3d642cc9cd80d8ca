/**
 * The rules of calls that must arrive: when one is tried again, what an answer means, and when one is given up.
 *
 * Trouble is either the message's own (the receiver answered, and does not want this one) or the destination's (it is away, or unwell). Only
 * the second pauses the destination as a whole, so that neither a poisoned message nor a dead receiver holds up anybody else.
 */
import { type Instant, secondsBetween } from '../instant.js'

export const deliveryKinds = ['backchannel_logout', 'webhook'] as const
export type DeliveryKind = (typeof deliveryKinds)[number]

export const deliveryLimits = {
  /** Under way at once in one process. */
  slots: 32,
  /** … of one tenant, … */
  perTenant: 8,
  /** … to one host and port, whichever tenants named it: fewer than all, so that one that hangs cannot hold every slot, */
  perOrigin: 12,
  /** … and to one destination. One that has failed is tried with a single call. */
  perDestination: 4,
  /** A message is given up when it is this old, and not for the number of its tries: a receiver may be away over a weekend, and then refuse it once. */
  ageSeconds: 72 * 3600,
  firstPauseSeconds: 2,
  /** So soon whoever was away has what waited, once it is back; and a message that its receiver does not want is offered it so rarely. */
  longestPauseSeconds: { destination: 300, message: 3600 },
  /** A try takes at most so long, and is another worker's business after the lease. */
  timeoutSeconds: 10,
  leaseSeconds: 60,
  /** What was delivered is kept this long as a record, … */
  keepDeliveredSeconds: 7 * 86_400,
  /** … and what was given up this long, to be replayed. */
  keepDeadSeconds: 30 * 86_400,
} as const

/** Of one try: its answer's status, or why there was none. */
export type TryOutcome = { readonly status: number } | { readonly trouble: string }

export type Verdict =
  | { readonly kind: 'delivered' }
  /** It never will: there is nowhere to go. */
  | { readonly kind: 'hopeless'; readonly reason: string }
  /** Nor will anything else: the endpoint asks to be told nothing more. */
  | { readonly kind: 'gone'; readonly reason: string }
  /** `whose`: the destination's own trouble pauses all of it. */
  | { readonly kind: 'failed'; readonly whose: Whose; readonly reason: string }
export type Whose = 'message' | 'destination'

/** Answers by which a receiver says that it cannot serve anybody now: RFC 9110 §15.5.9, RFC 8470, RFC 6585 §4. */
const unwell: readonly number[] = [408, 425, 429]

/** What no time heals: the address itself may not be called. Words of `fetch-safely`, and ours. */
const hopeless: readonly string[] = ['url_invalid', 'scheme_refused', 'no_longer_wanted']

/** Of a webhook alone: a client of which sessions must end is not asked whether it wants to hear. */
const gone = 410

/**
 * 2xx means that it was taken. Nothing of the body is read: it is a stranger's.
 *
 * @spec Standard Webhooks, 410 Gone: the endpoint is disabled
 */
export function judgeTry(outcome: TryOutcome, kind: DeliveryKind): Verdict {
  if ('trouble' in outcome) {
    const { trouble: reason } = outcome
    return hopeless.includes(reason) ? { kind: 'hopeless', reason } : { kind: 'failed', whose: 'destination', reason }
  }
  const { status } = outcome
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (status === gone && kind === 'webhook') return { kind: 'gone', reason: `answered ${status}` }
  const whose = status >= 500 || unwell.includes(status) ? 'destination' : 'message'
  return { kind: 'failed', whose, reason: `answered ${status}` }
}

/**
 * The pause after so many failures in a row: doubled each time up to the longest, and between half and all of that, so that what failed
 * together does not come back together. `chance` is from 0 up to 1.
 */
export function pauseSeconds(whose: Whose, failures: number, chance: number): number {
  const doubled = deliveryLimits.firstPauseSeconds * 2 ** Math.min(Math.max(failures, 1) - 1, 30)
  return Math.min(doubled, deliveryLimits.longestPauseSeconds[whose]) * (0.5 + chance / 2)
}

/** True: it has waited for as long as anything is kept waiting. */
export const isGivenUp = (begunAt: Instant, now: Instant): boolean => secondsBetween(begunAt, now) >= deliveryLimits.ageSeconds
