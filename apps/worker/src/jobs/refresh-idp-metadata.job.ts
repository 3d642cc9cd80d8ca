/**
 * Looks at the metadata that is due, a handful at a time.
 *
 * Nothing of a tenant is loaded before its turn: a claim names rows and nothing more. Several workers share the work by skipping each
 * other's locks. A run ends after a named time, whatever is left, so that slow IdPs never hold the places that revocations need.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { claimDueMetadataAcrossTenants, type DueMetadata } from '@drawbridge/store/metadata-sources'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { lookAtMetadata } from '../look-at-metadata.js'

export const looksAtOnce = 8
/** One claim. Small, so that what is claimed is looked at soon. */
export const claimSize = 32
/** Longer than all looks of one claim can take at their time-outs: `claimSize / looksAtOnce` rounds of 10 seconds. */
export const leaseSeconds = 120
/** After this no new claim is begun. */
export const runSeconds = 10

export async function refreshIdpMetadata(deps: JobDeps): Promise<void> {
  const until = addSeconds(deps.clock.now(), runSeconds)
  let looked = 0
  for (;;) {
    const now = deps.clock.now()
    if (now >= until) break
    const claim = { now, limit: claimSize, leaseUntil: addSeconds(now, leaseSeconds) }
    const due = await acrossTenants(deps.database, (db) => claimDueMetadataAcrossTenants(db, claim))
    await lookAtAll(deps, due)
    looked += due.length
    if (due.length < claimSize) break
  }
  if (looked > 0) deps.log.info({ looked }, 'looked at metadata of IdPs')
}

/** At most `looksAtOnce` under way; one that throws leaves the others alone and comes up again when its lease ends. */
async function lookAtAll(deps: JobDeps, due: readonly DueMetadata[]): Promise<void> {
  const waiting = [...due]
  const lane = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { tenantId, connectionId } = next
      await lookAtMetadata(deps, next).catch((cause: unknown) => {
        deps.log.error(
          { tenantId, connectionId, cause: cause instanceof Error ? cause.message : String(cause) },
          'a look at metadata failed',
        )
      })
    }
  }
  await Promise.all(Array.from({ length: looksAtOnce }, lane))
}
