/** A recorded login, for tests that need one to be there. */
import { randomUUID } from 'node:crypto'
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { sealContextOf } from '@drawbridge/broker/http/seal-context'
import { inputOfSituation, policySituation } from '@drawbridge/core/policy/cases'
import { safeDefaultPolicy } from '@drawbridge/core/policy/compile'
import { decide } from '@drawbridge/core/policy/decide'
import { recordLogin } from '@drawbridge/core/policy/recorded-login'
import type { ResourceIdentifier } from '@drawbridge/core/tenant/ids'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

/** Without `deps` it opens with no key. */
export async function aRecordedLogin(
  fixture: TestDatabase,
  { tenantId, connectionId, subjectId }: ATenant,
  deps?: Pick<BrokerDeps, 'sealer' | 'installation'>,
): Promise<string> {
  const id = randomUUID()
  const context = deps && sealContextOf({ deps, tenant: { id: tenantId } }, 'recorded_logins', 'sealed', id)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO recorded_logins (tenant_id, id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed, expires_at)
     VALUES ($1, $2, '2026-01-01', $3, $4, 'agent', 'deny', 1, $5, '2099-01-01')`,
    [tenantId, id, connectionId, subjectId, context === undefined ? '' : deps?.sealer.seal(aRecord(connectionId), context)],
  )
  return id
}

function aRecord(connection: string): Buffer {
  const resource = { identifier: 'https://mcp.example' as ResourceIdentifier, scopes: [], accessTokenTtlSeconds: undefined }
  const input = inputOfSituation(policySituation.parse({ connection }), [resource])
  if (!input) throw new Error('there is one resource')
  return Buffer.from(JSON.stringify(recordLogin(input, decide(safeDefaultPolicy, input))), 'utf8')
}
