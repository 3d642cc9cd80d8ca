/** What a transmitter offers to whoever fetches it (RFC 8936): it lies there until the product says that it has it. */

import type { Answering } from './outside.js'

/** A worker that died had it for so long at most, mostly; what is said again after that is offered anew. */
const offeredMs = 5000
/** A request that waits is answered with nothing after so long. */
const longestWaitMs = 5000

export type Offers = {
  /** Answers one request of whoever fetches. @spec RFC 8936 §2.4 */
  poll: Answering
  /** True: the product says that it has it. False: it did not in time, or refused it, and it is offered no more. */
  offer(id: string, token: string): Promise<boolean>
}
type Offer = { readonly token: string; readonly ended: ((isTaken: boolean) => void)[] }
type Poll = {
  readonly ack?: readonly string[]
  readonly setErrs?: Readonly<Record<string, unknown>>
  readonly maxEvents?: number
  readonly returnImmediately?: boolean
}

export function offers(): Offers {
  const lying = new Map<string, Offer>()
  const waiting = new Set<() => void>()
  const end = (id: string, isTaken: boolean): void => {
    const offer = lying.get(id)
    lying.delete(id)
    for (const ended of offer?.ended ?? []) ended(isTaken)
  }
  return {
    poll: async (body) => {
      const { ack = [], setErrs = {}, maxEvents = Number.POSITIVE_INFINITY, returnImmediately = false } = JSON.parse(body) as Poll
      for (const id of ack) end(id, true)
      for (const id of Object.keys(setErrs)) end(id, false)
      if (lying.size === 0 && maxEvents > 0 && !returnImmediately)
        await new Promise<void>((resolve) => {
          waiting.add(resolve)
          setTimeout(resolve, longestWaitMs)
        })
      const sets = [...lying].slice(0, maxEvents).map(([id, { token }]) => [id, token])
      return { status: 200, json: { sets: Object.fromEntries(sets), moreAvailable: sets.length < lying.size } }
    },
    offer: (id, token) =>
      new Promise((resolve) => {
        const { ended } = lying.get(id) ?? { ended: [] }
        lying.set(id, { token, ended: [...ended, resolve] })
        for (const wake of waiting) wake()
        waiting.clear()
        setTimeout(() => end(id, false), offeredMs)
      }),
  }
}
