/** What all actors share: who they are, and the company in whose name and on whose ledger they act. */
import type { Browser } from '@drawbridge/simulator/browser'
import type { ShakenFleet } from './a-shaken-fleet.js'
import { type Ask, patienceMs, type Said, sleep } from './ask.js'
import type { Company } from './companies.js'
import type { Issue, IssuerPath, Ledger } from './ledger.js'

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
/** `takeAway` sends what takes away: a planted fault replaces it. */
export type Load = {
  readonly fleet: ShakenFleet
  readonly company: Company
  readonly ledger: Ledger
  readonly takeAway: Ask
  /** What was acknowledged and happens once, however often it is said. */
  readonly once: Said[]
  readonly isOver: () => boolean
  /** So many times as long as usually everybody rests between two things: 1 in a short run. */
  readonly restTimes: number
}

/** Of the weather and of those who ask: in a run that is so light they are not as rare as what people do. */
export const fewerTimes = (restTimes: number): number => Math.max(1, restTimes / 10)

export const drop = (person: Person, held: Held): void => {
  if (person.held.includes(held)) person.held.splice(person.held.indexOf(held), 1)
}

/** A person goes through several pages; she, too, gives up at some time. */
export const inTime = <T>(visit: Promise<T>): Promise<T> =>
  Promise.race([visit, sleep(4 * patienceMs).then(() => Promise.reject<T>(new Error('too slow')))])
