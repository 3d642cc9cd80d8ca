/** How whoever stands outside asks: with patience that ends, and an answer only where it says whether it was done. */

/** Longer than this nobody waits for an answer. */
export const patienceMs = 4000

export type Answer = { readonly status: number; readonly json: Record<string, unknown> }
export type Ask = (url: string, init?: RequestInit) => Promise<Answer | undefined>
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** So long, or until it is over. */
export async function restUntil(isOver: () => boolean, ms: number): Promise<void> {
  for (let left = ms; left > 0 && !isOver(); left -= longestRestMs) await sleep(Math.min(left, longestRestMs))
}
const longestRestMs = 1000

/** Undefined: no answer, or none that says whether it was done. */
export const ask: Ask = async (url, init = {}) => {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) })
    const text = await response.text()
    if (response.status >= 500 || response.status === 429) return undefined
    return { status: response.status, json: text === '' ? {} : JSON.parse(text) }
  } catch {
    return undefined
  }
}

/**
 * What is sent, and to which address of the brokers. Under one `id` it happens once, however often and wherever it is said. `isFetched`: it is sent nowhere, and
 * lies where a worker fetches it until there was no answer.
 */
export type Said = { readonly id?: string; readonly isFetched?: true; send(by: Ask, at: string): Promise<Answer | undefined> }
