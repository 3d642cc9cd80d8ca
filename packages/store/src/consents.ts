/** What people have agreed to. It is written by the statement that opens the grant, and holds for the epochs and the client that it was given for. */

import type { Instant } from '@drawbridge/core/instant'
import type { Consent } from '@drawbridge/core/oauth/consent'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { ClientId, ConsentId, IssuerId, ResourceId, Scope, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { endGrants } from './end-grants.js'
import { asUuid, type Db, toTimestamp } from './transaction.js'

/** Whose it is, and what for. */
export type ConsentGround = {
  readonly issuerId: IssuerId
  readonly subjectId: SubjectId
  readonly clientId: ClientId
  readonly resource: { readonly tenantId: TenantId; readonly id: ResourceId }
  readonly redirectUri: string
  /** Of what a person judges of the client: another name, other keys or addresses are another client to her. */
  readonly judgedHash: Buffer
  readonly epochs: Omit<Epochs, 'grant'>
}

/** Only while nothing that it was given under has changed: after a barrier, and after a change of the client, she is asked anew. */
export async function findConsent(db: Db, tenant: TenantId, ground: ConsentGround, now: Instant): Promise<Consent | undefined> {
  const { rows } = await db.query<{ id: ConsentId; scopes: Scope[]; identityScopes: IdentityScope[]; agreedAt: Instant }>(
    `SELECT id, scopes, identity_scopes AS "identityScopes", agreed_at AS "agreedAt" FROM consents
      WHERE tenant_id = $1 AND subject_id = $2 AND client_id = $3 AND issuer_id = $4 AND resource_tenant_id = $5 AND resource_id = $6 AND redirect_uri = $7
        AND judged_hash = $8 AND tenant_epoch = $9 AND client_epoch = $10 AND connection_epoch = $11 AND subject_epoch = $12 AND expires_at > $13`,
    [
      ...[tenant, ground.subjectId, ground.clientId, ground.issuerId, ground.resource.tenantId, ground.resource.id, ground.redirectUri],
      ...[ground.judgedHash, ground.epochs.tenant, ground.epochs.client, ground.epochs.connection, ground.epochs.subject, toTimestamp(now)],
    ],
  )
  return rows[0]
}

/** SQL: the consents `c` that are of one person, client and resource with `named`, whatever their redirect URIs. */
const sameAsNamed = `c.subject_id = named.subject_id AND c.client_id = named.client_id AND c.issuer_id = named.issuer_id
       AND c.resource_tenant_id = named.resource_tenant_id AND c.resource_id = named.resource_id`

/** Whoever ends a grant by hand does not want it back without a question. */
export async function forgetConsentOfGrant(db: Db, tenant: TenantId, grantId: string): Promise<void> {
  await db.query(
    `DELETE FROM consents c USING grants named WHERE c.tenant_id = $1 AND named.tenant_id = $1 AND named.id = ${asUuid('$2')} AND ${sameAsNamed}`,
    [tenant, grantId],
  )
}

export type ListedConsent = {
  readonly id: string
  readonly subjectId: string
  readonly clientId: string
  readonly audience: string
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly agreedAt: Instant
  readonly expiresAt: Instant
}
export type ConsentFilter = { readonly subjectId: string | undefined; readonly clientId: string | undefined; readonly now: Instant }

/** Those that still spare a question, newest first. */
export async function listConsents(
  db: Db,
  tenant: TenantId,
  filter: ConsentFilter,
  page: Page<MomentPosition>,
): Promise<readonly ListedConsent[]> {
  const { rows } = await db.query<ListedConsent>(
    `SELECT c.id, c.subject_id AS "subjectId", c.client_id AS "clientId", r.identifier AS audience, c.redirect_uri AS "redirectUri", c.scopes,
       c.agreed_at AS "agreedAt", c.expires_at AS "expiresAt"
      FROM consents c JOIN resources r ON r.tenant_id = c.resource_tenant_id AND r.id = c.resource_id
      JOIN tenants t ON t.id = c.tenant_id JOIN subjects s ON s.tenant_id = $1 AND s.id = c.subject_id
      JOIN connections n ON n.tenant_id = $1 AND n.id = c.connection_id
      JOIN clients l ON l.tenant_id = $1 AND l.issuer_id = c.issuer_id AND l.client_id = c.client_id
      WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.subject_id = $2) AND ($3::text IS NULL OR c.client_id = $3) AND c.expires_at > $4
        AND c.tenant_epoch = t.epoch AND c.client_epoch = l.epoch AND c.connection_epoch = n.epoch AND c.subject_epoch = s.epoch
        AND ($5::timestamptz IS NULL OR (c.agreed_at, c.id) < ($5, $6::uuid)) ORDER BY c.agreed_at DESC, c.id DESC LIMIT $7`,
    [tenant, filter.subjectId ?? null, filter.clientId ?? null, toTimestamp(filter.now), ...momentParameters(page)],
  )
  return rows
}

export type WithdrawConsent = {
  readonly id: string
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}

/**
 * Forgets a consent with every other yes of the same person to the same client for the same resource, and ends what was granted by them. Answers
 * whom it was of; `undefined`: there is none. The rows go first: whoever opens a grant by one holds it, and that grant is seen then.
 */
export async function withdrawConsent(
  db: Db,
  tenant: TenantId,
  { id, reason, now, requestId }: WithdrawConsent,
): Promise<{ readonly subjectId: SubjectId; readonly clientId: ClientId; readonly ended: number } | undefined> {
  const { rows } = await db.query<{
    subjectId: SubjectId
    clientId: ClientId
    issuerId: string
    resourceTenantId: string
    resourceId: string
  }>(
    `DELETE FROM consents c USING consents named WHERE named.tenant_id = $1 AND named.id = $2 AND c.tenant_id = $1 AND ${sameAsNamed}
     RETURNING c.subject_id AS "subjectId", c.client_id AS "clientId", c.issuer_id AS "issuerId", c.resource_tenant_id AS "resourceTenantId",
       c.resource_id AS "resourceId"`,
    [tenant, id],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const which = {
    sql: 'subject_id = $6 AND client_id = $7 AND issuer_id = $8 AND resource_tenant_id = $9 AND resource_id = $10',
    parameters: [row.subjectId, row.clientId, row.issuerId, row.resourceTenantId, row.resourceId],
  }
  const ended = await endGrants(db, tenant, { which, source: 'admin', reason, now, requestId })
  return { subjectId: row.subjectId, clientId: row.clientId, ended }
}
