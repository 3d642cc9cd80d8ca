/** What happens to one person, one thing after the other, for as long as the run lasts. */
import type { Load, Person } from './actors.js'
import { restUntil } from './ask.js'
import type { Chance } from './chance.js'
import { endAll, endOne, letIn } from './ends.js'
import { overtake } from './overtake.js'
import { bring, exchange, refresh, signIn } from './people.js'
import { sayAgain } from './tell.js'

const mostGrants = 3

export async function live(load: Load, chance: Chance, person: Person): Promise<void> {
  while (!load.isOver()) {
    const draw = chance.next()
    const held = person.held.length > 0 ? chance.one(person.held) : undefined
    if (held === undefined || (draw < 0.25 && person.held.length < mostGrants)) {
      if ((await signIn(load, person, chance.one(load.company.issuerPaths))) === undefined && chance.isOnce(2))
        await letIn(load, chance, person)
    } else if (draw < 0.5) await refresh(load, person, held)
    else if (draw < 0.58) await (chance.isOnce(2) ? exchange(load, person, held) : bring(load, person))
    else if (draw < 0.65 && load.once.length > 0) await sayAgain(load, chance, chance.one(load.once))
    else if (draw < 0.8) await endOne(load, chance, person, held)
    else if (draw < 0.85) {
      await overtake(load, chance, person)
      await letIn(load, chance, person)
    } else if (await endAll(load, chance, person)) await letIn(load, chance, person)
    await restUntil(load.isOver, chance.between(20, 300) * load.restTimes)
  }
}
