/** What all actors share: how they ask, who they are, and the company in whose name and on whose ledger they act. */
import type { Browser } from '@drawbridge/simulator/browser'
import type { ShakenFleet } from './a-shaken-fleet.js'
import type { Company } from './companies.js'
import type { Issue, IssuerPath, Ledger } from './ledger.js'

/** Longer than this nobody waits for an answer. */
export const patienceMs = 4000

export type Answer = { readonly status: number; readonly json: Record<string, unknown> }
export type Ask = (url: string, init?: RequestInit) => Promise<Answer | undefined>
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

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

export type Held = {
  readonly grant: string
  readonly issuerPath: IssuerPath
  readonly clientId: string
  readonly client: string
  readonly browser: Browser
  refreshToken: string
  latest: Issue
}
export type Person = {
  readonly name: string
  /** As her company calls her. */
  readonly id: string
  readonly scimId: string
  /** As the vendor knows her; known from her first token. */
  subject: string | undefined
  /** Why she could not sign in when she last could not. */
  trouble: string
  readonly held: Held[]
}
/** What is sent, and to which address of the brokers. Under one `id` it happens once, however often and wherever it is said. */
export type Said = { readonly id?: string; send(by: Ask, at: string): Promise<Answer | undefined> }

/** `takeAway` sends what takes away: a planted fault replaces it. */
export type Load = {
  readonly fleet: ShakenFleet
  readonly company: Company
  readonly ledger: Ledger
  readonly takeAway: Ask
  /** What was acknowledged and happens once, however often it is said. */
  readonly once: Said[]
  readonly isOver: () => boolean
}

export const drop = (person: Person, held: Held): void => {
  if (person.held.includes(held)) person.held.splice(person.held.indexOf(held), 1)
}

/** A person goes through several pages; she, too, gives up at some time. */
export const inTime = <T>(visit: Promise<T>): Promise<T> =>
  Promise.race([visit, sleep(4 * patienceMs).then(() => Promise.reject<T>(new Error('too slow')))])
