/** When the weather has cleared everybody is let in and signs in once more, and every token that can still be asked about is asked about, everywhere. */

import type { Receiver } from './a-shaken-fleet.js'
import type { Load, Person } from './actors.js'
import { sleep } from './ask.js'
import type { Chance } from './chance.js'
import { letIn } from './ends.js'
import { deadSince, type IssuerPath, type Ledger } from './ledger.js'
import { signIn } from './people.js'
import { callReceiver, introspect } from './probes.js'
import { now } from './stop-watch.js'
import { settleMs } from './stored.js'
import { sayAgain, tell } from './tell.js'
import { signalEvents } from './transmitter.js'

const mostSaidAgain = 50

export type Look = {
  readonly people: readonly Person[]
  /** How long a notice may still be on its way. */
  readonly noticeMs: number
  /** Without: what was acknowledged never came to the product, and must not come to it now. */
  readonly isSignalled: boolean
}

export async function lastLook(load: Load, chance: Chance, { people, noticeMs, isSignalled }: Look): Promise<readonly string[]> {
  const { fleet, ledger } = load
  const found: string[] = []
  found.push(...(await Promise.all(fleet.receivers.map(waitUntilItHears))).flat())
  for (const person of people) {
    if (isSignalled) await signalOnce(load, chance, person)
    await letIn(load, chance, person)
    const issue = await signInAtLast(load, person, chance.one(load.company.issuerPaths))
    if (issue === undefined) found.push(`${person.name} was let in again and cannot sign in: ${person.trouble}`)
  }
  // Now that everybody is in: what was done takes nothing away by being said again.
  if (isSignalled) for (const said of load.once.slice(-mostSaidAgain)) await sayAgain(load, chance, said)
  const until = now() + noticeMs
  for (const issue of ledger.issues) {
    if (now() >= issue.expiresAt) continue
    for (const broker of fleet.brokers)
      if ((await introspect(load, issue, broker)) === 'unsure')
        found.push(`${broker.name} cannot say whether a token is active, in good weather`)
    for (const receiver of fleet.receivers) {
      const said = await receiverAtLast(load, issue, receiver, until)
      if (said !== 'dead' && deadSince(ledger, issue) !== undefined)
        found.push(`${receiver.name} still calls a token of ${issue.subject} ${said}, whose end was acknowledged, when everything was done`)
      if (said === 'unsure') found.push(`${receiver.name} cannot judge a token, in good weather`)
    }
  }
  return found
}

/** So that there is a signal in every run, however short. */
async function signalOnce(load: Load, chance: Chance, person: Person): Promise<void> {
  const said = await load.company.transmitter.toPush(signalEvents.sessionRevoked, person.id)
  await tell(load, chance, { effect: 'takes', way: 'session-revoked', subject: person.name, staysIn: true }, () => said)
}

/** A poll that began in the bad weather may still be waiting for its end. */
async function waitUntilItHears(receiver: Receiver): Promise<readonly string[]> {
  const begun = now()
  while (now() - begun < settleMs) {
    if (receiver.guard().isReady()) return []
    await sleep(100)
  }
  return [`${receiver.name} did not hear again`]
}

async function receiverAtLast(load: Load, issue: Ledger['issues'][number], receiver: Receiver, until: number) {
  const mustDie = deadSince(load.ledger, issue) !== undefined
  for (;;) {
    const said = await callReceiver(load, issue, receiver)
    if ((mustDie ? said === 'dead' : said !== 'unsure') || now() > until) return said
    await sleep(50)
  }
}

async function signInAtLast(load: Load, person: Person, issuerPath: IssuerPath) {
  const begun = now()
  for (;;) {
    const issue = await signIn(load, person, issuerPath)
    // A barrier that was written by a clock ahead of the others' asks for a sign-in that is fresher than it: until then nobody is believed.
    if (issue !== undefined || now() - begun > settleMs) return issue
    await sleep(1000)
  }
}
