/** How brokers are told of something until they acknowledge it, and how that is entered: a caller repeats, a network says it twice. */

import type { Door } from './a-shaken-fleet.js'
import type { Load } from './actors.js'
import { type Answer, ask, type Said, sleep } from './ask.js'
import type { Chance } from './chance.js'
import type { Gives, LedgerEvent, Takes } from './ledger.js'
import { now } from './stop-watch.js'

/** An IdP repeats what was not acknowledged. */
const mostTries = 6
const pauseMs = 250

type Entered = { -readonly [Key in keyof LedgerEvent]: LedgerEvent[Key] }
export type Unsent = Omit<Takes, 'sentAt' | 'answeredAt'> | Omit<Gives, 'sentAt' | 'answeredAt'>

/** One event for each time that it is sent; what has an id is one event from its first sending to its first acknowledgement. */
function enter({ ledger }: Load, event: Unsent, id: string | undefined): Entered {
  const known = id === undefined ? undefined : ledger.events.find((one): one is Takes => one.effect === 'takes' && one.id === id)
  if (known !== undefined) return Object.assign(known, { lastSentAt: now() })
  const entry = { ...event, ...(id === undefined ? {} : { id }), sentAt: now(), answeredAt: undefined } as LedgerEvent
  ledger.events.push(entry)
  return entry
}

/** Undefined: not acknowledged. */
export async function tellOnce(load: Load, event: Unsent, said: Said, at: string): Promise<Answer | undefined> {
  const entry = enter(load, event, said.id)
  const answer = await said.send(event.effect === 'takes' ? load.takeAway : ask, at)
  if (said.isFetched && entry.effect === 'takes') Object.assign(entry, { lastSentAt: now() })
  if (answer === undefined || answer.status >= 300) return undefined
  entry.answeredAt ??= now()
  const version = versionOf(answer)
  if (version !== undefined) entry.version = version
  return answer
}

/** Of what a directory was answered: which of two requests for one person was accepted first. RFC 7644 §3.14 */
export function versionOf({ json: { meta } }: Answer): number | undefined {
  const { version = '' } = (meta ?? {}) as { readonly version?: string }
  const tag = /^W\/"(\d+)"$/.exec(version)?.[1]
  return tag === undefined ? undefined : Number(tag)
}

/** Two brokers, in either order. */
export function twoDoors({ fleet: { doors } }: Load, chance: Chance): readonly [Door, Door] {
  const [one, other] = doors as readonly [Door, Door]
  return chance.isOnce(2) ? [one, other] : [other, one]
}

/** Sends it until it is acknowledged. Sometimes twice at once, to two brokers, as networks and IdPs do. `say`: asked before each try. */
export async function tell(load: Load, chance: Chance, event: Unsent, say: () => Said | Promise<Said>): Promise<boolean> {
  for (let tries = 0; tries < mostTries && !load.isOver(); tries += 1) {
    const said = await say()
    const ways = chance.isOnce(4) ? twoDoors(load, chance).map(({ url }) => url) : [load.fleet.brokersAt]
    const answers = await Promise.all(ways.map((at) => tellOnce(load, event, said, at)))
    if (answers.some((answer) => answer !== undefined)) {
      if (said.id !== undefined) load.once.push(said)
      return true
    }
    await sleep(pauseMs)
  }
  return false
}

/**
 * Says again what was acknowledged and can happen only once, at one broker or at both. On the ledger it is nothing: whoever loses something by it was shut out
 * without an end.
 */
export async function sayAgain(load: Load, chance: Chance, said: Said): Promise<void> {
  const [one, other] = twoDoors(load, chance)
  const ways = chance.isOnce(2) ? [one.url, other.slowUrl] : [load.fleet.brokersAt]
  const answers = await Promise.all(ways.map((at) => said.send(load.takeAway, at)))
  load.ledger.repeats += answers.filter((answer) => answer !== undefined).length
}
