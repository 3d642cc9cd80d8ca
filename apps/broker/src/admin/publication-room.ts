/** How often somebody may publish: versions are kept for ever, with their test cases, so a key that publishes in a loop would fill the database. */
import { addSeconds, type Instant, secondsBetween } from '@drawbridge/core/instant'
import { policyLimits } from '@drawbridge/core/policy/error'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findPublicationBefore } from '@drawbridge/store/policies'
import type { Db } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import { refuseAdmin } from './refuse-admin.js'

const daySeconds = 86_400

type Wanted = { readonly isRollback: boolean; readonly now: Instant }

/** In seconds. `undefined`: now. A rollback has room of its own: whoever used up the day must not keep others from undoing what he did. */
export async function untilNextPublication(db: Db, tenant: TenantId, { isRollback, now }: Wanted): Promise<number | undefined> {
  const most = policyLimits[isRollback ? 'versionsADayWithRollbacks' : 'versionsADay']
  const at = await findPublicationBefore(db, tenant, most)
  const free = at === undefined ? now : addSeconds(at, daySeconds)
  return free > now ? secondsBetween(now, free) : undefined
}

export const refusePublication = (waitSeconds: number): Answer =>
  refuseAdmin('policy_versions_full', undefined, { 'retry-after': String(Math.max(1, Math.ceil(waitSeconds))) })
