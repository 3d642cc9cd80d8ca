/**
 * A receiver that is away for long: one guard, and all that one company has outside, the system that is told by webhook and its clients. What waited when they came
 * back must have been told afterwards, all of it and in its order.
 */
import type { TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import type { Receiver, ShakenFleet } from './a-shaken-fleet.js'
import { sleep } from './ask.js'
import type { Chance } from './chance.js'
import type { Figures } from './figures.js'
import type { Told } from './outside.js'
import { now } from './stop-watch.js'
import { type Waiting, waitingFor } from './stored.js'

export type Absent = { readonly receiver: Receiver; readonly company: string; readonly line: TcpProxy }
/** `waiting`: when they came back, in the order in which it was to be told. */
export type Absence = {
  readonly receiver: string
  readonly company: string
  readonly goneAt: number
  readonly backAt: number
  readonly waiting: readonly Waiting[]
}

export function drawAbsent({ receivers, outside }: ShakenFleet, chance: Chance): Absent {
  const { name, line } = chance.one(outside.companies)
  return { receiver: chance.one(receivers), company: name, line }
}

/** The fleet as the weather meets it: what is away has no other trouble, and none in the time after it. */
export const without = (fleet: ShakenFleet, absent: Absent | undefined): ShakenFleet => ({
  ...fleet,
  receivers: fleet.receivers.filter((receiver) => receiver !== absent?.receiver),
  outside: { ...fleet.outside, companies: fleet.outside.companies.filter(({ name }) => name !== absent?.company) },
})

/** Before it: people have come to something. */
const presentFor = (seconds: number): number => Math.min(seconds * 50, 30_000)
/** A try that hears nothing fails after ten seconds; who is not away for much longer had better say no. */
const failingSeconds = 30
/** On a busy machine nothing may have been tried when the time is over. */
const mostPatienceMs = 60_000

/** Goes away, and says so or not, and comes back after so long, when something was tried in vain. */
export async function beAway(fleet: ShakenFleet, chance: Chance, absent: Absent, seconds: number): Promise<Absence> {
  await sleep(presentFor(seconds))
  const goneAt = now()
  const lines = [absent.receiver.line, absent.line]
  const isSilent = seconds > failingSeconds
  for (const line of lines) line.set(isSilent && chance.isOnce(2) ? 'swallowing' : 'cut')
  await sleep(seconds * 1000)
  const waiting = await waitFor(fleet, absent.company, now() + mostPatienceMs)
  const backAt = now()
  for (const line of lines) line.set('open')
  return { receiver: absent.receiver.name, company: absent.company, goneAt, backAt, waiting }
}

/** PostgreSQL may be the one that is down. */
async function waitFor(fleet: ShakenFleet, company: string, until: number): Promise<readonly Waiting[]> {
  for (;;) {
    const waiting = await waitingFor(fleet, company).catch(() => [])
    if (waiting.some(({ isTried }) => isTried) || now() >= until) return waiting
    await sleep(200)
  }
}

/** What had reached the other side when the line broke is taken yet. */
const underWayMs = 1000

/** When each came for the first time. */
function firstsOf(told: readonly Told[]): ReadonlyMap<string, number> {
  const firsts = new Map<string, number>()
  for (const { id, at } of told) if (!firsts.has(id)) firsts.set(id, at)
  return firsts
}

/** Every contradiction, in words. */
export function judgeAbsence({ company, goneAt, backAt, waiting }: Absence, told: readonly Told[]): readonly string[] {
  const firsts = firstsOf(told)
  const who = `what ${company} has outside`
  const found: string[] = []
  if (!waiting.some(({ isTried }) => isTried)) found.push(`nothing was tried in vain while ${who} was away: the run proves nothing of it`)
  const early = told.filter((one) => one.company === company && one.at > goneAt + underWayMs && one.at < backAt).length
  if (early > 0) found.push(`${who} was away, and was told ${early} times`)
  const latest = new Map<string, number>()
  for (const { id, line } of waiting) {
    const at = firsts.get(id)
    if (at === undefined) found.push(`${id} waited for ${who} and was never told`)
    else if (at < (latest.get(line) ?? 0)) found.push(`${id} overtook what waited for ${who} before it`)
    latest.set(line, Math.max(latest.get(line) ?? 0, at ?? 0))
  }
  return found
}

/** `caughtUpMs`: from coming back to the last of what had waited. */
export function absenceFigures({ goneAt, backAt, waiting }: Absence, told: readonly Told[]): Figures {
  const firsts = firstsOf(told)
  const last = Math.max(backAt, ...waiting.map(({ id }) => firsts.get(id) ?? 0))
  return { awayMs: Math.round(backAt - goneAt), waited: waiting.length, caughtUpMs: Math.round(last - backAt) }
}
