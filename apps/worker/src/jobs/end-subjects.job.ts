/** Raises the barrier of people whose end, named in advance by their directory, has come. Nothing waits for it: the end binds by itself. */
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { endSubject, listEndedSubjectsAcrossTenants } from '@drawbridge/store/end-dates'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** People of one run; whoever is left waits for the next. */
export const mostEnded = 1000

export async function endSubjects(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const ended = await acrossTenants(deps.database, (db) => listEndedSubjectsAcrossTenants(db, now, mostEnded))
  const faults: unknown[] = []
  for (const subject of ended)
    await inTenant(deps.database, subject.tenant, (db) => endSubject(db, subject, deps.random.uuid() as DeprovisioningEventId, now)).catch(
      (cause: unknown) => faults.push(cause),
    )
  // One who cannot be ended keeps nobody else in; the run has failed all the same, and is seen to have.
  if (faults.length > 0) throw new AggregateError(faults, `${faults.length} of ${ended.length} could not be ended`)
  if (ended.length > 0) deps.log.info({ ended: ended.length }, 'the end that directories had named has come')
}
