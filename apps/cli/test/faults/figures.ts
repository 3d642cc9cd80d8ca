/** What a run is told by: how much happened, how bad the weather was, and how long receivers believed what was over. */
import { type Ledger, timesToDead } from './ledger.js'
import type { Told } from './outside.js'
import type { Shaken } from './shake.js'

export type Figures = Readonly<Record<string, number>>

/** Of all companies together. */
export function figuresOf(ledgers: readonly Ledger[], settledMs: number): Figures {
  const times = ledgers.flatMap((ledger) => timesToDead(ledger)).sort((one, other) => one - other)
  const at = (part: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0)
  const issues = ledgers.flatMap((ledger) => ledger.issues)
  const takes = ledgers.flatMap((ledger) => ledger.events).filter(({ effect }) => effect === 'takes')
  const acknowledged = takes.filter(({ answeredAt }) => answeredAt !== undefined)
  return {
    tokens: issues.length,
    atFront: issues.filter(({ issuerPath }) => issuerPath === '').length,
    exchanged: issues.filter(({ how }) => how === 'exchanged').length,
    brought: issues.filter(({ how }) => how === 'brought').length,
    probes: ledgers.reduce((sum, { probes }) => sum + probes.length, 0),
    takenAway: takes.length,
    acknowledged: acknowledged.length,
    saidAgain: ledgers.reduce((sum, { repeats }) => sum + repeats, 0),
    overtakings: ledgers.reduce((sum, { overtakings }) => sum + overtakings, 0),
    ...countOf(acknowledged.map(({ way }) => `by ${way}`)),
    receiverP50Ms: at(0.5),
    receiverP99Ms: at(0.99),
    receiverWorstMs: at(1),
    settledMs: Math.round(settledMs),
  }
}

/** More than a distinct id: a receiver that took it and whose answer was lost, or a worker that died before it wrote that down. */
export function toldFigures(told: readonly Told[]): Figures {
  const ids = new Set(told.map(({ id }) => id))
  return {
    logouts: new Set(told.filter(({ kind }) => kind === 'logout').map(({ id }) => id)).size,
    told: ids.size,
    toldAgain: told.length - ids.size,
  }
}

export const kindsOf = (shaken: readonly Shaken[]): Figures => countOf(shaken.map(({ kind }) => kind))

function countOf(names: readonly string[]): Figures {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
