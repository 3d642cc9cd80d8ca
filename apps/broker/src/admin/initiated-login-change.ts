/** That a portal may begin logins at a connection, and where its tiles lead, is a choice of the admin's that has a line of its own. */
import { isDeepStrictEqual } from 'node:util'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { ConnectionWriting } from './accepted-weakenings.js'
import { audit } from './admin-endpoint.js'

/** docs/adr/0026. A new connection begins closed. */
export async function auditInitiatedLogin(
  { db, tenant, http, deps }: ConnectionWriting,
  connectionId: ConnectionId,
  before: unknown,
  after: unknown,
): Promise<void> {
  const [from, to] = [listedIn(before), listedIn(after)]
  if (isDeepStrictEqual(from, to)) return
  await audit(db, tenant, http, deps, { kind: 'connection.idp_initiated_changed', connectionId, detail: { from, to } })
}

const listedIn = (configuration: unknown): unknown =>
  typeof configuration === 'object' && configuration !== null && 'idpInitiated' in configuration ? configuration.idpInitiated : null
