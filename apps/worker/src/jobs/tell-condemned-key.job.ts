/**
 * After a signing key was condemned: every resource server of its issuer is told, so that none believes its cached copy until that expires.
 *
 * The condemnation itself is in force since its commit: the key is out of the JWKS, introspection calls its tokens inactive, and the snapshot
 * of a stream names it. What event streams still owe is signed anew. The notice is signed by a key that is not condemned, because one became active in the same commit.
 */
import { assert } from '@drawbridge/core/assert'
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { revocationKeepSeconds } from '@drawbridge/core/revocation/revocation-plan'
import { type CondemnedKeyPayload, signingKeyCondemned, subjectOfKey } from '@drawbridge/core/signals/signing-key-condemned'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { lockUndoneEntry, markDone } from '@drawbridge/store/outbox-relay'
import { listIssuersOfTenant, lockResourcesOfIssuers } from '@drawbridge/store/revocations'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { signAnew } from '../sign-anew.js'
import { tellResources } from '../tell-resources.js'

export type CondemnedKeyJob = CondemnedKeyPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; has its effect once. */
export async function tellCondemnedKey(deps: JobDeps, job: CondemnedKeyJob): Promise<void> {
  const tenant = job.tenant as TenantId
  const { eventId, kid } = job
  const at = deps.clock.now()
  const told = await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, job.entry))) return undefined
    const issuer = (await listIssuersOfTenant(db, tenant)).find(({ id }) => id === job.issuerId)
    assert(issuer !== undefined, 'an issuer is never deleted')
    const resources = await lockResourcesOfIssuers(db, tenant, [issuer.id], at)
    await signAnew(deps, db, { tenant, id: issuer.id, url: issuer.url }, kid)
    const news = [{ eventId, claims: claimsOf(kid, issuer.tenantSlug, at) }]
    await tellResources(deps, db, resources, { tenant, issuer, at, expiresAt: addSeconds(at, revocationKeepSeconds), news })
    await markDone(db, tenant, job.entry, at)
    return resources.length
  })
  if (told !== undefined) deps.log.info({ tenant, kid, notices: told }, 'a condemned key was told')
}

/** @spec RFC 8417 §2.2 an event of our own */
const claimsOf = (kid: string, tenant: string, at: Instant): Readonly<Record<string, unknown>> => ({
  sub_id: subjectOfKey(kid),
  events: { [signingKeyCondemned]: { event_timestamp: toSeconds(at), initiating_entity: 'admin', kid } },
  drawbridge: { tenant },
})
