/** What was revoked, kept until the longest-lived access token below it has expired: the snapshot of every guard is read from here. */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import {
  type DeprovisioningEventId,
  type Issuer,
  type IssuerId,
  type IssuerKind,
  type ResourceId,
  type ResourceIdentifier,
  type TenantId,
  vendorTenantId,
} from '@drawbridge/core/tenant/ids'
import { longestOutlived } from './grants.js'
import { signs } from './issuers.js'
import { given, keptStatement } from './kept-statements.js'
import { markUnheardDead } from './notice-receipts.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

export type RevocationTarget = 'subject' | 'grant' | 'client' | 'connection' | 'tenant'
export type Revocation = {
  readonly tenant: TenantId
  readonly eventId: DeprovisioningEventId
  readonly issuerId: IssuerId
  readonly target: RevocationTarget
  readonly targetId: string
  readonly epoch: number
  readonly at: Instant
  readonly expiresAt: Instant
}
/** Whose keys sign, and at whose streams it is told: an issuer itself, and the front for its members. */
export type NoticeSigner = { readonly tenant: TenantId; readonly id: IssuerId }
export type RevokingIssuer = {
  readonly id: IssuerId
  readonly url: Issuer
  readonly kind: IssuerKind
  readonly tenantSlug: string
  readonly signer: NoticeSigner
}
export type ToldResource = { readonly tenantId: TenantId; readonly id: ResourceId; readonly identifier: ResourceIdentifier }

const insertedRevocations =
  keptStatement(`INSERT INTO revocations (tenant_id, event_id, issuer_id, target, target_id, epoch, at, expires_at)
   SELECT $1, r."eventId", r."issuerId", r.target, r."targetId", r.epoch, r.at, r."expiresAt" FROM jsonb_to_recordset($2::jsonb)
     AS r ("eventId" uuid, "issuerId" uuid, target text, "targetId" text, epoch int, at timestamptz, "expiresAt" timestamptz)
   ON CONFLICT (tenant_id, event_id, issuer_id, target, target_id) DO NOTHING`)

/** Written once per event, issuer and target, however often the job runs. */
export async function insertRevocations(db: AcrossDb, tenant: TenantId, revocations: readonly Omit<Revocation, 'tenant'>[]): Promise<void> {
  const rows = revocations.map(({ at, expiresAt, ...rest }) => ({ ...rest, at: toTimestamp(at), expiresAt: toTimestamp(expiresAt) }))
  await db.query(insertedRevocations, [tenant, JSON.stringify(rows)])
}

const issuersOfTenant =
  keptStatement(`SELECT issuers.id, issuers.url, issuers.kind, tenants.slug AS "tenantSlug", json_build_object('tenant', signer.tenant_id, 'id', signer.id) AS signer
     FROM issuers JOIN tenants ON tenants.id = issuers.tenant_id JOIN issuers signer ON ${signs('signer', 'issuers')}
    WHERE issuers.tenant_id = $1 ORDER BY issuers.id`)

/** The issuers that may have signed for this tenant's people. */
export async function listIssuersOfTenant(db: AcrossDb, tenant: TenantId): Promise<readonly RevokingIssuer[]> {
  const { rows } = await db.query<RevokingIssuer>(issuersOfTenant, [tenant])
  return rows
}

/**
 * SQL, a condition on the resource `r`: a grant of it that this issuer opened ends after `now`. One step of one index, the first grant from there on, whatever the planner
 * believes of the average issuer: where it chose between indexes it read all that lives, or all that had ended.
 */
export const hasLivingGrant = (issuer: string, now: string): string => `(
  SELECT first.resource_id = r.id AND first.issuer_id = ${issuer} FROM (
    SELECT g.resource_id, g.issuer_id FROM grants g WHERE (g.resource_id, g.issuer_id, g.expires_at) > (r.id, ${issuer}, ${now}::timestamptz)
     ORDER BY g.resource_id, g.issuer_id, g.expires_at LIMIT 1) first)`

/** `issuers`: whose tokens it may have seen, of those that were asked about. */
export type ResourceOfIssuers = ToldResource & { readonly issuers: readonly IssuerId[] }

const lockedResources =
  keptStatement(`SELECT r.tenant_id AS "tenantId", r.id, r.identifier, seen.issuers FROM resources r CROSS JOIN LATERAL (
     SELECT array_agg(i.id ORDER BY i.id) AS issuers FROM ${given('$2::uuid[]')} AS i (id)
      WHERE EXISTS (SELECT 1 FROM resource_issuers m WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $1 AND m.issuer_id = i.id)
         OR ${hasLivingGrant('i.id', longestOutlived('$3'))}) seen
    WHERE r.tenant_id IN ($1, $4) AND seen.issuers IS NOT NULL
    ORDER BY r.tenant_id, r.id FOR NO KEY UPDATE OF r`)

/**
 * The resource servers that may have seen tokens of these issuers: those that they may mint for now, and those of grants that still live. One grant
 * of a resource is looked for, and none where an issuer may mint anyway: there may be millions.
 *
 * It locks them all in one order, so that two jobs that tell the same resources wait for each other instead of deadlocking, and so that a stream that opens
 * meanwhile has the revocation either in its snapshot or after its position. Whoever opens a grant meanwhile waits for nobody.
 */
export async function lockResourcesOfIssuers(
  db: AcrossDb,
  tenant: TenantId,
  issuers: readonly IssuerId[],
  now: Instant,
): Promise<readonly ResourceOfIssuers[]> {
  const { rows } = await db.query<ResourceOfIssuers>(lockedResources, [tenant, issuers, toTimestamp(now), vendorTenantId])
  return rows
}

type TheseResources = readonly Pick<ToldResource, 'tenantId' | 'id'>[]
const idsOf = (resources: TheseResources) => [resources.map(({ tenantId }) => tenantId), resources.map(({ id }) => id)]
const these = 'SELECT * FROM unnest($1::uuid[], $2::uuid[])'

/** By what they are called, which never changes. Locks nothing. */
export async function findResources(db: AcrossDb, resources: TheseResources): Promise<readonly ToldResource[]> {
  const text = `SELECT tenant_id AS "tenantId", id, identifier FROM resources WHERE (tenant_id, id) IN (${these})`
  return (await db.query<ToldResource>(text, idsOf(resources))).rows
}

export type WantedResources = {
  readonly these: TheseResources
  readonly named: readonly ResourceIdentifier[]
  readonly now: Instant
}

/**
 * These, and whichever of `named` an issuer of the tenant may mint for, or one of its living grants is for: in the one order in which everybody
 * locks them. Each is found by an index.
 */
export async function lockResources(db: AcrossDb, tenant: TenantId, wanted: WantedResources): Promise<readonly ToldResource[]> {
  const { rows } = await db.query<ToldResource>(
    `SELECT tenant_id AS "tenantId", id, identifier FROM resources
      WHERE (tenant_id, id) IN (${these} UNION SELECT r.tenant_id, r.id FROM resources r WHERE r.identifier = ANY ($3) AND (
        EXISTS (SELECT 1 FROM resource_issuers m WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $4)
        OR EXISTS (SELECT 1 FROM issuers i WHERE i.tenant_id = $4 AND ${hasLivingGrant('i.id', longestOutlived('$5'))})))
      ORDER BY tenant_id, id FOR NO KEY UPDATE`,
    [...idsOf(wanted.these), wanted.named, tenant, toTimestamp(wanted.now)],
  )
  return rows
}

export type ToldEvent = { readonly source: DeprovisioningSource; readonly barrierAt: Instant }

const toldEvents = keptStatement(
  'SELECT id, source, barrier_at AS "barrierAt" FROM deprovisioning_events WHERE tenant_id = $1 AND id = ANY ($2::uuid[])',
)

/** Who said it and since when it holds, by event. One that is missing only a mistake of ours can bring. */
export async function findEvents(
  db: AcrossDb,
  tenant: TenantId,
  events: readonly DeprovisioningEventId[],
): Promise<ReadonlyMap<DeprovisioningEventId, ToldEvent>> {
  const { rows } = await db.query<ToldEvent & { readonly id: DeprovisioningEventId }>(toldEvents, [tenant, events])
  return new Map(rows.map(({ id, ...event }) => [id, event]))
}

/** `subject`, `session`: whose it is, and the session at our issuer in which it was opened; null: nobody's, none. */
export type GrantNow = {
  readonly epoch: number
  readonly scopes: readonly string[]
  readonly isEnded: boolean
  readonly subject: string | null
  readonly session: string | null
}

const grantsNow = keptStatement(
  `SELECT id, epoch, scopes, revoked_at IS NOT NULL AS "isEnded", subject_id AS subject, session_id AS session FROM grants WHERE tenant_id = $1 AND id = ANY ($2::uuid[])`,
)

/**
 * What grants hold now. Asked for after the resources were locked, so that of two who tell of the same grant the later one knows at least as much,
 * whatever the order of their entries was.
 */
export async function findGrantsNow(db: AcrossDb, tenant: TenantId, grants: readonly string[]): Promise<ReadonlyMap<string, GrantNow>> {
  if (grants.length === 0) return new Map()
  const { rows } = await db.query<GrantNow & { readonly id: string }>(grantsNow, [tenant, grants])
  return new Map(rows.map(({ id, ...grant }) => [id, grant]))
}

const sweptEvents = keptStatement(
  'UPDATE deprovisioning_events SET swept_at = coalesce(swept_at, $3) WHERE tenant_id = $1 AND id = ANY ($2::uuid[])',
)

/** After whoever has to hear of them is known: what nobody has to is dead everywhere by it. */
export async function markEventsSwept(
  db: AcrossDb,
  tenant: TenantId,
  events: readonly DeprovisioningEventId[],
  now: Instant,
): Promise<void> {
  await db.query(sweptEvents, [tenant, events, toTimestamp(now)])
  await markUnheardDead(
    db,
    events.map((id) => ({ tenant, id })),
  )
}

/** At most `limit` that have expired: nothing that they say is believed any more by itself. Answers how many. */
export async function deleteExpiredRevocationsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    'DELETE FROM revocations WHERE ctid = ANY (ARRAY(SELECT ctid FROM revocations WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))',
    [toTimestamp(now), limit],
  )
  return rowCount
}
