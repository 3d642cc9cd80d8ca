/** What the worker pays for a revocation: the outbox that the revocation workload left behind, carried out from start to end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { countUndoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { Laboratory } from './laboratory.js'
import { cpuMsOf } from './process-figures.js'

const pollMs = 50
const giveUpMs = 60_000

export type Drained = {
  readonly entries: number
  readonly seconds: number
  readonly workerCpuMs: number
  readonly databaseCpuMs: number
}

/** Figures are for one entry. `start` starts the worker and answers its process id; its start is part of `seconds` only. */
export async function measureDraining(laboratory: Laboratory, start: () => Promise<number>): Promise<Drained> {
  const undone = () => acrossTenants(laboratory.platform.database, countUndoneAcrossTenants)
  const entries = await undone()
  const databaseBefore = cpuMsOf(laboratory.databasePid)
  const begun = performance.now()
  const workerPid = await start()
  while ((await undone()) > 0) {
    if (performance.now() - begun > giveUpMs) throw new Error(`the worker left ${await undone()} of ${entries} outbox entries undone`)
    await sleep(pollMs)
  }
  return {
    entries,
    seconds: (performance.now() - begun) / 1000,
    workerCpuMs: cpuMsOf(workerPid) / entries,
    databaseCpuMs: (cpuMsOf(laboratory.databasePid) - databaseBefore) / entries,
  }
}
