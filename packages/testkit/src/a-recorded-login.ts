/** A row of a recorded login, for tests that need one to be there. What it holds opens with no key. */
import { randomUUID } from 'node:crypto'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function aRecordedLogin(fixture: TestDatabase, { tenantId, connectionId, subjectId }: ATenant): Promise<string> {
  const id = randomUUID()
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO recorded_logins (tenant_id, id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed, expires_at)
     VALUES ($1, $2, '2026-01-01', $3, $4, 'agent', 'allow', 1, '', '2099-01-01')`,
    [tenantId, id, connectionId, subjectId],
  )
  return id
}
