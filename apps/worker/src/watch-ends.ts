/**
 * Has ends that directories named told when they come, and not up to a minute later: guards believe the tokens meanwhile. It looks for those alone that
 * came since its last look, of whom there is mostly none; whoever could not be ended then is the schedule's.
 */
import { isEndDueAcrossTenants } from '@drawbridge/store/end-dates'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'
import { endSubjects } from './jobs/end-subjects.job.js'
import { keepAwake, type Wakeful } from './wakeful.js'

export const endPollMs = 1000

export function startWatchingEnds(deps: JobDeps): Wakeful {
  let lookedAt = deps.clock.now()
  const run = async (): Promise<void> => {
    const now = deps.clock.now()
    const isDue = await acrossTenants(deps.database, (db) => isEndDueAcrossTenants(db, lookedAt, now))
    // Before they are ended: one who cannot be is not tried every second.
    lookedAt = now
    if (isDue) await endSubjects(deps)
  }
  return keepAwake(deps, { everyMs: endPollMs, trouble: 'not everybody whose end has come could be told of', run })
}
