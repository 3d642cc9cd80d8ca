/** Probers: they ask brokers and receivers about tokens, and enter what is said. */

import type { Member, Receiver } from './a-shaken-fleet.js'
import { fewerTimes, type Load } from './actors.js'
import { ask, restUntil } from './ask.js'
import type { Chance } from './chance.js'
import type { Issue, Verdict } from './ledger.js'
import { now } from './stop-watch.js'

const host = '127.0.0.1'
export async function introspect({ company, ledger }: Load, issue: Issue, broker: Member): Promise<Verdict> {
  const { id, secret } = company.credential
  const sentAt = now()
  const answer = await ask(`http://${host}:${broker.port}${issue.issuerPath}/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ token: issue.token }),
  })
  const said = answer?.status !== 200 ? 'unsure' : answer.json['active'] === true ? 'active' : 'dead'
  ledger.probes.push({ at: broker.name, issue, sentAt, answeredAt: now(), said })
  return said
}

export async function callReceiver({ ledger }: Load, issue: Issue, receiver: Receiver): Promise<Verdict> {
  const sentAt = now()
  const judged = await receiver.guard().check(`Bearer ${issue.token}`, ['documents:read'])
  const said = judged.ok ? 'active' : judged.error.status === 401 ? 'dead' : 'unsure'
  ledger.probes.push({ at: receiver.name, issue, sentAt, answeredAt: now(), said })
  return said
}

/** Asks about tokens of all companies, rather about late ones: at a broker, and at every receiver. */
export async function probe(loads: readonly [Load, ...Load[]], chance: Chance): Promise<void> {
  while (!loads[0].isOver()) {
    const load = chance.one(loads)
    const { fleet, ledger } = load
    const near = Math.max(0, ledger.issues.length - 30)
    const issue = ledger.issues[Math.floor(chance.between(chance.isOnce(4) ? 0 : near, ledger.issues.length))]
    if (issue !== undefined && now() < issue.expiresAt) {
      await introspect(load, issue, chance.one(fleet.brokers))
      for (const receiver of fleet.receivers) await callReceiver(load, issue, receiver)
    }
    await restUntil(load.isOver, chance.between(5, 40) * fewerTimes(load.restTimes))
  }
}
