/**
 * After grants lost something, by a policy that took effect at once or by what a directory says now: the resource server of each is told that its older tokens are dead.
 *
 * A grant's tokens are for one resource and of one issuer. Beside that one the resources hear of it for whose tokens its own may have been exchanged,
 * because what was got for a dead token is dead (docs/adr/0076); nobody else need. One transaction: lock the outbox entry and the resources, write the
 * revocations and the signed notices, mark the entry done. A second run finds it done and does nothing.
 */
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { reachedFrom, tokenExchangeFromJson } from '@drawbridge/core/oauth/exchange-permission'
import { initiatingEntities } from '@drawbridge/core/revocation/deprovisioning-event'
import { revocationKeepSeconds } from '@drawbridge/core/revocation/revocation-plan'
import {
  type ChangedGrant,
  type SettlingCause,
  type TellSettledPayload,
  tokenClaimsChange,
} from '@drawbridge/core/revocation/settled-grants'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { subjectOfRevocation } from '@drawbridge/core/signals/set-claims'
import { permissionsAt } from '@drawbridge/core/tenant/at-issuer'
import type { DeprovisioningEventId, IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { insertNotices, type NewNotice } from '@drawbridge/store/notices'
import { lockUndoneEntry, markDone } from '@drawbridge/store/outbox-relay'
import {
  findEvents,
  findGrantsNow,
  findResources,
  insertRevocations,
  listIssuersOfTenant,
  lockResources,
  markEventsSwept,
  type RevokingIssuer,
  type ToldResource,
} from '@drawbridge/store/revocations'
import { findTokenExchange } from '@drawbridge/store/tenants'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { tellNewsOfEnds } from '../tell-news.js'
import { tenantClaim } from '../tell-resources.js'

export type TellSettledJob = TellSettledPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; has its effect once. */
export async function tellSettledGrants(deps: JobDeps, { tenant: id, entry, grants }: TellSettledJob): Promise<void> {
  const tenant = id as TenantId
  const at = deps.clock.now()
  const told = await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, entry))) return undefined
    const issuers = await listIssuersOfTenant(db, tenant)
    const wanted = grants.map(({ resourceTenantId, resourceId }) => ({
      tenantId: resourceTenantId as TenantId,
      id: resourceId as ResourceId,
    }))
    const reached = await findReached(db, tenant, wanted, issuers)
    const named = [...new Set([...reached.values()].flatMap((of) => [...of.values()].flatMap((identifiers) => [...identifiers])))]
    const resources = await lockResources(db, tenant, { these: wanted, named, now: at })
    const present = await asTheyAreNow(db, tenant, grants)
    const expiresAt = addSeconds(at, revocationKeepSeconds)
    const revocations = grants.map((grant) => ({
      ...{ eventId: grant.eventId as DeprovisioningEventId, issuerId: grant.issuerId as IssuerId, target: 'grant' as const },
      ...{ targetId: grant.grantId, epoch: grant.epoch, at, expiresAt },
    }))
    await insertRevocations(db, tenant, revocations)
    for (const resource of resources)
      for (const issuer of issuers) {
        const hears = reached.get(issuer.id)
        const of = present.filter((grant) => grant.issuerId === issuer.id && hears?.get(grant.resourceId)?.has(resource.identifier))
        if (of.length > 0) await tellResource(deps, db, { tenant, issuer, resource, at, expiresAt }, of)
      }
    const events = grants.map(({ eventId }) => eventId as DeprovisioningEventId)
    const ended = present.filter(({ isEnded }) => isEnded).map((grant) => ({ ...grant, sequence: entry, isDeactivated: false }))
    await tellNewsOfEnds(db, tenant, ended, at)
    await markEventsSwept(db, tenant, events, at)
    await markDone(db, tenant, entry, at)
    return grants.length
  })
  if (told !== undefined) deps.log.info({ tenant, notices: told }, 'what a policy took from grants was told')
}

/** Of each issuer, for each of these resources, those whose guards may have met a token that hangs on one of its own: by permissions of that issuer. */
async function findReached(
  db: AcrossDb,
  tenant: TenantId,
  resources: readonly Pick<ToldResource, 'tenantId' | 'id'>[],
  issuers: readonly RevokingIssuer[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<ResourceIdentifier>>>> {
  const exchange = tokenExchangeFromJson(await findTokenExchange(db, tenant))
  const known = await findResources(db, resources)
  const reachedAt = (allowed: typeof exchange) =>
    new Map(known.map(({ id, identifier }) => [id as string, reachedFrom(allowed, identifier)]))
  return new Map(issuers.map(({ id, kind }) => [id as string, reachedAt(permissionsAt(kind, exchange))]))
}

type ToldGrant = ChangedGrant & { readonly barrierAt: Instant | undefined; readonly subject: string | undefined }

/**
 * What they hold now, not what they held when the entry was written: entries of one grant may be carried out in any order, and who hears two of them
 * must end with what holds.
 */
async function asTheyAreNow(db: AcrossDb, tenant: TenantId, grants: readonly ChangedGrant[]): Promise<readonly ToldGrant[]> {
  const ids = grants.map(({ grantId }) => grantId)
  const now = await findGrantsNow(db, tenant, ids)
  const events = await findEvents(
    db,
    tenant,
    grants.map(({ eventId }) => eventId as DeprovisioningEventId),
  )
  return grants.map((grant) => {
    const held = now.get(grant.grantId)
    return {
      ...grant,
      ...(held !== undefined && held.epoch >= grant.epoch && held),
      subject: held?.subject ?? undefined,
      barrierAt: events.get(grant.eventId as DeprovisioningEventId)?.barrierAt,
    }
  })
}

/** As an admin reads it. */
const by: Readonly<Record<SettlingCause, string>> = { policy: 'the policy', directory: 'what the directory says now' }

type Telling = {
  readonly tenant: TenantId
  readonly issuer: RevokingIssuer
  readonly resource: ToldResource
  readonly at: Instant
  readonly expiresAt: Instant
}

async function tellResource(deps: JobDeps, db: AcrossDb, telling: Telling, grants: readonly ToldGrant[]): Promise<void> {
  const { tenant, issuer, resource, at, expiresAt } = telling
  const sign = await deps.openNoticeSigner(db, { ...issuer.signer, url: issuer.url })
  const notices = grants.map((grant): NewNotice => {
    const jti = deps.random.uuid()
    const named = { issuer: issuer.url, tenantSlug: issuer.tenantSlug, target: 'grant', targetId: grant.grantId } as const
    const subject = subjectOfRevocation({ ...named, grant: { subject: grant.subject, session: undefined } })
    const claims = { txn: grant.eventId, sub_id: subject, ...claimsOf(grant, issuer.tenantSlug, at) }
    const set = { iss: issuer.url, aud: resource.identifier, ...tenantClaim(issuer), iat: toSeconds(at), jti, ...claims }
    return { eventId: grant.eventId, jti, token: sign(set) }
  })
  const to = { tenantId: resource.tenantId, resourceId: resource.id, issuer: issuer.signer, eventTenant: tenant, createdAt: at, expiresAt }
  await insertNotices(db, to, notices)
}

/**
 * Foreign receivers read the CAEP event and the subject; our guard reads the member `drawbridge`, which says the same of both events.
 *
 * @spec CAEP 1.0 §3.1 session-revoked, §3.2 token-claims-change
 */
function claimsOf(
  { grantId, epoch, scopes, isEnded, barrierAt, cause = 'policy' }: ToldGrant,
  tenant: string,
  at: Instant,
): Readonly<Record<string, unknown>> {
  const common = {
    event_timestamp: toSeconds(barrierAt ?? at),
    initiating_entity: initiatingEntities[cause === 'policy' ? 'policy' : 'scim'],
  }
  const event = isEnded
    ? { [sessionRevoked]: { ...common, reason_admin: { en: `${by[cause]} leaves nothing of this grant` } } }
    : {
        [tokenClaimsChange]: {
          ...common,
          reason_admin: { en: `${by[cause]} leaves less of this grant` },
          claims: { scope: scopes.join(' ') },
        },
      }
  return { events: event, drawbridge: { target: 'grant', targetId: grantId, epoch, tenant } }
}
