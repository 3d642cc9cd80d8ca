/**
 * Raises the barrier of people whose end, named in advance by their directory, has come. Nothing that is asked here waits for it: the end binds by
 * itself. But guards believe a token until they are told, so whoever ends at midnight with ten thousand others is ended in the same run.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningEventId, SubjectId } from '@drawbridge/core/tenant/ids'
import { type EndedSubject, endSubject, listEndedSubjectsAcrossTenants } from '@drawbridge/store/end-dates'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** People of one look. In each, one of every tenant comes before the second of any. */
export const endBatch = 1000
/** Looks of one run; whoever is left waits for the next. */
export const mostEndBatches = 100
/** People of one transaction, all of one tenant: their rows are held until it commits. */
export const mostEndedTogether = 50
/** People who cannot be ended, each of whom a run leaves out from then on. With more, something else is wrong than with these people. */
export const mostEndFaults = 1000

type Run = { readonly now: Instant; readonly faults: Map<SubjectId, unknown>; ended: number }

export async function endSubjects(deps: JobDeps): Promise<void> {
  const run: Run = { now: deps.clock.now(), faults: new Map(), ended: 0 }
  for (let batch = 0; batch < mostEndBatches && run.faults.size < mostEndFaults; batch++) {
    const tried = await endBatchOf(deps, run)
    if (tried < endBatch) break
  }
  if (run.ended > 0) deps.log.info({ ended: run.ended }, 'the end that directories had named has come')
  // One who cannot be ended keeps nobody else in; the run has failed all the same, and is seen to have.
  const { size } = run.faults
  if (size > 0) throw new AggregateError([...run.faults.values()], `${size} of ${run.ended + size} could not be ended`)
}

/** Answers how many were found; none where nothing came of any, because others hold them: they are found again. */
async function endBatchOf(deps: JobDeps, run: Run): Promise<number> {
  const before = run.ended + run.faults.size
  const found = await acrossTenants(deps.database, (db) => listEndedSubjectsAcrossTenants(db, run.now, endBatch, [...run.faults.keys()]))
  for (const people of together(found)) await endTogether(deps, run, people)
  return run.ended + run.faults.size === before ? 0 : found.length
}

/** Of each tenant so many as one transaction takes. */
function together(found: readonly EndedSubject[]): readonly (readonly EndedSubject[])[] {
  const open = new Map<string, EndedSubject[]>()
  const all: EndedSubject[][] = []
  for (const one of found) {
    const group = open.get(one.tenant)
    if (group !== undefined && group.length < mostEndedTogether) group.push(one)
    else {
      const begun = [one]
      open.set(one.tenant, begun)
      all.push(begun)
    }
  }
  return all
}

/** Where one of them cannot be ended, none has been: then each is ended alone. */
async function endTogether(deps: JobDeps, run: Run, people: readonly EndedSubject[]): Promise<void> {
  const [first] = people
  if (first === undefined) return
  try {
    run.ended += await inTenant(deps.database, first.tenant, async (db) => {
      let ended = 0
      for (const one of people) if (await endSubject(db, one, deps.random.uuid() as DeprovisioningEventId, run.now)) ended++
      return ended
    })
  } catch (cause) {
    if (people.length === 1) run.faults.set(first.id, cause)
    else for (const one of people) await endTogether(deps, run, [one])
  }
}
