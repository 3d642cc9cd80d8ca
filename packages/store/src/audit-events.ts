/** The audit trail: append-only, by grants and by a trigger. */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type AuditEvent = {
  readonly at: Instant
  readonly kind: AuditEventKind
  readonly issuerId?: string | undefined
  readonly subjectId?: string | undefined
  readonly clientId?: string | undefined
  readonly connectionId?: string | undefined
  readonly grantId?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly reason?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  readonly requestId?: string | undefined
  readonly address?: string | undefined
}

/** What was written is kept for years, so its kind may be one that this version no longer writes. */
export type StoredAuditEvent = Omit<AuditEvent, 'kind'> & { readonly id: number; readonly kind: string }

type Row = {
  id: number
  at: Instant
  kind: string
  issuer_id: string | null
  subject_id: string | null
  client_id: string | null
  connection_id: string | null
  grant_id: string | null
  scopes: string[]
  reason: string | null
  detail: Record<string, unknown>
  request_id: string | null
  address: string | null
}

const columns = 'id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address'

const insertedEvent =
  keptStatement(`INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`)

export async function insertAuditEvent(db: Db | AcrossDb, tenant: TenantId, event: AuditEvent): Promise<void> {
  await db.query(insertedEvent, [
    tenant,
    toTimestamp(event.at),
    event.kind,
    event.issuerId ?? null,
    event.subjectId ?? null,
    event.clientId ?? null,
    event.connectionId ?? null,
    event.grantId ?? null,
    [...(event.scopes ?? [])],
    event.reason ?? null,
    JSON.stringify(event.detail ?? {}),
    event.requestId ?? null,
    event.address ?? null,
  ])
}

/** How often a connection is told of logins that nobody asked for: anybody can post one. */
const unsolicitedSeconds = 3600

/** Writes the line unless there is one of this connection that is younger than an hour, give or take callers of the same moment. */
export async function insertUnsolicitedLogin(
  db: Db,
  tenant: TenantId,
  event: Required<Pick<AuditEvent, 'at' | 'issuerId' | 'connectionId' | 'requestId' | 'address'>>,
): Promise<void> {
  await db.query(
    `INSERT INTO audit_events (tenant_id, at, kind, issuer_id, connection_id, scopes, detail, request_id, address)
     SELECT $1, $2, 'login_unsolicited', $3, $4, '{}', '{}', $5, $6 WHERE NOT EXISTS (
       SELECT 1 FROM audit_events WHERE tenant_id = $1 AND connection_id = $4 AND kind = 'login_unsolicited' AND at > $7)`,
    [
      ...[tenant, toTimestamp(event.at), event.issuerId, event.connectionId, event.requestId, event.address],
      toTimestamp(addSeconds(event.at, -unsolicitedSeconds)),
    ],
  )
}

export type AuditFilter = {
  readonly kind?: string | undefined
  readonly subjectId?: string | undefined
  readonly grantId?: string | undefined
  readonly clientId?: string | undefined
}

/** Newest first: those with a smaller id than the position. */
export async function listAuditEvents(
  db: Db,
  tenant: TenantId,
  filter: AuditFilter,
  page: Page<number>,
): Promise<readonly StoredAuditEvent[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM audit_events WHERE tenant_id = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::uuid IS NULL OR subject_id = $3)
     AND ($4::uuid IS NULL OR grant_id = $4) AND ($5::text IS NULL OR client_id = $5) AND ($6::bigint IS NULL OR id < $6) ORDER BY id DESC LIMIT $7`,
    [tenant, filter.kind ?? null, filter.subjectId ?? null, filter.grantId ?? null, filter.clientId ?? null, page.from ?? null, page.limit],
  )
  return rows.map(toEvent)
}

const toEvent = (row: Row): StoredAuditEvent => ({
  id: row.id,
  at: row.at,
  kind: row.kind,
  issuerId: row.issuer_id ?? undefined,
  subjectId: row.subject_id ?? undefined,
  clientId: row.client_id ?? undefined,
  connectionId: row.connection_id ?? undefined,
  grantId: row.grant_id ?? undefined,
  scopes: row.scopes,
  reason: row.reason ?? undefined,
  detail: row.detail,
  requestId: row.request_id ?? undefined,
  address: row.address ?? undefined,
})
