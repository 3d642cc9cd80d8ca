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

/** Figures are for one entry, from the moment when the worker says that it is ready: its own start is in none of them. */
export async function measureDraining(laboratory: Laboratory, start: () => Promise<number>): Promise<Drained> {
  const undone = () => acrossTenants(laboratory.platform.database, countUndoneAcrossTenants)
  const workerPid = await start()
  const entries = await undone()
  const before = { worker: cpuMsOf(workerPid), database: cpuMsOf(laboratory.databasePid) }
  const begun = performance.now()
  while ((await undone()) > 0) {
    if (performance.now() - begun > giveUpMs) throw new Error(`the worker left ${await undone()} of ${entries} outbox entries undone`)
    await sleep(pollMs)
  }
  return {
    entries,
    seconds: (performance.now() - begun) / 1000,
    workerCpuMs: (cpuMsOf(workerPid) - before.worker) / entries,
    databaseCpuMs: (cpuMsOf(laboratory.databasePid) - before.database) / entries,
  }
}
