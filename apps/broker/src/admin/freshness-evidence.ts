/** What proves a fresh sign-in at a connection is a weakening that an admin may accept; doing so, and taking it back, has a line of its own. */
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

/** docs/adr/0016. A new connection begins with the strict default. */
export async function auditFreshnessEvidence(
  { db, tenant, http, deps }: ConnectionWriting,
  connectionId: ConnectionId,
  before: unknown,
  after: unknown,
): Promise<void> {
  const [from, to] = [evidenceIn(before), evidenceIn(after)]
  if (from === to) return
  await audit(db, tenant, http, deps, { kind: 'connection.freshness_evidence_changed', connectionId, detail: { from, to } })
}

const evidenceIn = (configuration: unknown): string =>
  typeof configuration === 'object' && configuration !== null && 'freshnessEvidence' in configuration
    ? String(configuration.freshnessEvidence)
    : 'auth_time'
