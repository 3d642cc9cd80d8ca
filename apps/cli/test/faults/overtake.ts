/** Two requests of the directory for one person that are under way at once, by different ways to different brokers: what was sent first may come last. */
import { patchActive, scimDialects } from '@drawbridge/simulator/scim-client'
import type { Load, Person } from './actors.js'
import { type Answer, ask, type Said, sleep } from './ask.js'
import type { Chance } from './chance.js'
import { directory } from './ledger.js'
import { tellOnce, twoDoors, type Unsent, versionOf } from './tell.js'

export const userOf = ({ company: { slug, scimToken } }: Load, { scimId }: Person) => ({
  path: `/t/${slug}/scim/v2/Users/${scimId}`,
  headers: { authorization: `Bearer ${scimToken}`, 'content-type': 'application/scim+json' },
})

/** The same request whenever it is sent. */
export function scim(load: Load, person: Person, active: boolean, chance: Chance): Said {
  const { path, headers } = userOf(load, person)
  const body = JSON.stringify(patchActive(active, chance.one(scimDialects)))
  return { send: (by, at) => by(`${at}${path}`, { method: 'PATCH', headers, body }) }
}

const wordOf = (active: boolean, { name }: Person): Unsent => ({ effect: active ? 'gives' : 'takes', way: directory, subject: name })
const activeOf = (answer: Answer | undefined): unknown => answer?.json['active']

/** Takes away and gives back, in either order, each perhaps twice; then every broker is asked what became of it. */
export async function overtake(load: Load, chance: Chance, person: Person): Promise<void> {
  const [near, far] = twoDoors(load, chance)
  const first = chance.isOnce(2)
  const send = (active: boolean, ways: readonly string[]) => {
    const said = scim(load, person, active, chance)
    return Promise.all(ways.map((at) => tellOnce(load, wordOf(active, person), said, at)))
  }
  const isTwice = chance.isOnce(3)
  const early = send(first, isTwice ? [far.slowUrl, near.slowUrl] : [far.slowUrl])
  await sleep(chance.between(0, 300))
  const late = send(!first, isTwice ? [near.url, far.url] : [near.url])
  const answers = [...(await early).map((answer) => [first, answer] as const), ...(await late).map((answer) => [!first, answer] as const)]
  load.ledger.overtakings += 1
  for (const [asked, answer] of answers)
    if (answer !== undefined && activeOf(answer) !== asked)
      load.ledger.found.push(`${person.name} was to be active=${asked}, and the answer of that says ${String(activeOf(answer))}`)
  if (answers.every(([, answer]) => answer !== undefined)) await lookAtBoth(load, person, lastAccepted(answers.map(([, answer]) => answer)))
}

/** The answer of the highest version: of two requests the one that was accepted last. */
const lastAccepted = (answers: readonly (Answer | undefined)[]): Answer | undefined =>
  answers.reduce((latest, answer) => (((answer && versionOf(answer)) ?? 0) > ((latest && versionOf(latest)) ?? 0) ? answer : latest))

/** Nobody else speaks of her meanwhile, unless something that she was told of before has had no answer yet. */
async function lookAtBoth(load: Load, person: Person, last: Answer | undefined): Promise<void> {
  if (
    last === undefined ||
    load.ledger.events.some(({ subject, way, answeredAt }) => subject === person.name && way === directory && answeredAt === undefined)
  )
    return
  const { path, headers } = userOf(load, person)
  for (const { name, url } of load.fleet.doors) {
    const seen = await ask(`${url}${path}`, { headers })
    if (seen?.status !== 200) continue
    if (activeOf(seen) !== activeOf(last) || versionOf(seen) !== versionOf(last))
      load.ledger.found.push(
        `${name} has ${person.name} active=${String(activeOf(seen))} in version ${versionOf(seen)}; the last that was accepted is active=${String(activeOf(last))} in version ${versionOf(last)}`,
      )
  }
}
