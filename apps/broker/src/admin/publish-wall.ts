/** How a version of the vendor's policy comes to hold: written anew, or an old one again. On top of the version that was looked at, or not at all. */
import { compileWall, type Wall } from '@drawbridge/core/policy/compile'
import type { PolicyWarning } from '@drawbridge/core/policy/lint'
import { lintWallInTurns } from '@drawbridge/core/policy/lint-wall'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { LiveGrants } from '@drawbridge/core/revocation/settled-grants'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { newestVersion, publishPolicyAfter } from '@drawbridge/store/policies'
import { demandPolicySweepsEverywhere } from '@drawbridge/store/policy-sweeps'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { type AdminRequest, audit } from './admin-endpoint.js'
import { inStretches, showWarnings } from './check-policy.js'
import type { AdminErrorReason } from './error.js'
import { publishedShape, showMistakes, warningShape } from './policy-shapes.js'
import { refusePublication, untilNextPublication } from './publication-room.js'
import { refuseAdmin } from './refuse-admin.js'
import { toIso } from './shapes.js'

export const wallRefusals = ['policy_invalid', 'policy_moved_on', 'policy_versions_full'] as const satisfies readonly AdminErrorReason[]
export const publishedWallShape = publishedShape.extend({ warnings: z.array(warningShape).describe('What it says in vain') })

export type CheckedWall = { readonly wall: Wall; readonly warnings: readonly PolicyWarning[] }

/** Compiled as what is to be saved, or the refusal. */
export async function checkWall(document: string, version = 0): Promise<Result<CheckedWall, Answer>> {
  const compiled = compileWall(document, version)
  if (!compiled.ok) return err(refuseAdmin('policy_invalid', showMistakes(compiled.error)))
  return ok({ wall: compiled.value, warnings: await inStretches(lintWallInTurns(compiled.value)) })
}

type WallPublication = {
  readonly document: string
  readonly note: string
  readonly liveGrants: LiveGrants
  readonly base: number
  /** It is this version again. */
  readonly republished?: number
}

export async function publishWall(http: AdminRequest<unknown>, deps: BrokerDeps, publication: WallPublication): Promise<Answer> {
  const { document, note, liveGrants, base, republished } = publication
  const checked = await checkWall(document)
  if (!checked.ok) return checked.error
  const now = deps.clock.now()
  const done = await inTenant(deps.database, vendorTenantId, async (db) => {
    const newest = await newestVersion(db, vendorTenantId)
    if (newest !== base) return { movedTo: newest }
    const wait = await untilNextPublication(db, vendorTenantId, { isRollback: republished !== undefined, now })
    if (wait !== undefined) return { wait }
    const version = await publishPolicyAfter(db, vendorTenantId, base, { document, note, author: http.caller.key.name, now })
    if (version === undefined) return { movedTo: await newestVersion(db, vendorTenantId) }
    if (liveGrants === 'now') await demandPolicySweepsEverywhere(db, now)
    const detail = { version, base, note, liveGrants, ...(republished === undefined ? {} : { republished }) }
    await audit(db, vendorTenantId, http, deps, { kind: 'vendor_policy.published', detail })
    return { version }
  })
  if (done.movedTo !== undefined)
    return refuseAdmin('policy_moved_on', [{ path: 'base', message: `the newest version is ${done.movedTo}` }])
  if (done.wait !== undefined) return refusePublication(done.wait)
  deps.configuration.invalidate()
  return json({ version: done.version, publishedAt: toIso(now), warnings: showWarnings(checked.value.warnings) }, { status: 201 })
}
