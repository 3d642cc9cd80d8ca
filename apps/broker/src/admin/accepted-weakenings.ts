/** Weakenings of a connection that an admin may accept: doing so, and taking it back, has a line of its own in the trail. */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type AdminRequest, audit } from './admin-endpoint.js'

export type ConnectionWriting = {
  readonly db: Db
  readonly tenant: TenantId
  readonly http: AdminRequest<unknown, unknown>
  readonly deps: BrokerDeps
}

/** Of each the strict value, with which a new connection begins: docs/adr/0016; OIDC Back-Channel Logout §2.4. */
const weakenings: readonly { readonly member: string; readonly strict: string; readonly kind: AuditEventKind }[] = [
  { member: 'freshnessEvidence', strict: 'auth_time', kind: 'connection.freshness_evidence_changed' },
  { member: 'logoutTokens', strict: 'typed', kind: 'connection.logout_tokens_changed' },
]

export async function auditWeakenings(
  { db, tenant, http, deps }: ConnectionWriting,
  connectionId: ConnectionId,
  before: unknown,
  after: unknown,
): Promise<void> {
  for (const { member, strict, kind } of weakenings) {
    const [from, to] = [valueIn(before, member) ?? strict, valueIn(after, member) ?? strict]
    if (from !== to) await audit(db, tenant, http, deps, { kind, connectionId, detail: { from, to } })
  }
}

const valueIn = (configuration: unknown, member: string): string | undefined =>
  typeof configuration === 'object' && configuration !== null && Object.hasOwn(configuration, member)
    ? String((configuration as Readonly<Record<string, unknown>>)[member])
    : undefined
