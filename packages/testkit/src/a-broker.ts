/** A broker on a real database and a real port, for tests that speak HTTP. */
import type { AddressInfo } from 'node:net'
import { createApp } from '@drawbridge/broker/app'
import { findClientKey } from '@drawbridge/broker/authorize/client-key'
import { createLoginRecorder } from '@drawbridge/broker/authorize/login-recorder'
import { createClientCache } from '@drawbridge/broker/clients/client-cache'
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { createConfigurationCache } from '@drawbridge/broker/http/tenant'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { systemClock } from '@drawbridge/runtime/clock'
import { readEnv } from '@drawbridge/runtime/env'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { insertAdminKey } from '@drawbridge/store/admin-keys'
import type { Database } from '@drawbridge/store/database'
import { ensureInstallation, type InstallationKind } from '@drawbridge/store/installation'
import { inTenant } from '@drawbridge/store/transaction'
import { createConnector } from '@drawbridge/upstream/connection'

export type TestBroker = {
  readonly url: string
  readonly deps: BrokerDeps
  /** A vendor key with every permission. */
  readonly adminKey: string
  close(): Promise<void>
}

const everyPermission = [
  'tenants:write',
  'configuration:read',
  'configuration:write',
  'impersonate',
  'revoke',
  'keys:rotate',
  'audit:read',
  'claims:read',
  'admin-keys:write',
  'lab:clock',
  'lab:operate',
] as const

/** Anything of `change` replaces what a plain broker has. */
export async function aBroker(
  database: Database,
  change: Partial<BrokerDeps> & { readonly kind?: InstallationKind } = {},
): Promise<TestBroker> {
  const { kind = 'lab', ...given } = change
  const random = given.random ?? systemRandom()
  const clock = given.clock ?? systemClock()
  const installation = await ensureInstallation(database, { kind, installationId: random.uuid(), now: clock.now() })
  const log = given.log ?? silentLog()
  const metrics = given.metrics ?? createMetrics({ withProcess: false })
  const sealer = given.sealer ?? createSealer([{ version: 1, key: Buffer.alloc(32, 7) }])
  const fetchSafely = given.fetchSafely ?? createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  const settings = given.settings ?? readEnv({})
  const deps: BrokerDeps = {
    settings,
    installation: { id: installation.installationId, kind: installation.kind },
    clock,
    random,
    log,
    metrics,
    database,
    sealer,
    fetchSafely,
    resolveTxt: async () => ({ kind: 'absent' }),
    configuration: createConfigurationCache({
      settings,
      database,
      clock,
      log,
      metrics,
      sealer,
      installationId: installation.installationId,
    }),
    clients: createClientCache(database),
    logins: createLoginRecorder({ database, sealer, metrics, log, installation: { id: installation.installationId } }),
    signatures: createVerifiedSignatures(),
    connectorFor: (tenant, connection) =>
      connection.configuration.ok
        ? createConnector(
            { random, fetchSafely },
            connection.id,
            connection.configuration.value,
            connection.secret,
            () => findClientKey({ database, sealer, installationId: installation.installationId }, tenant.id, connection.id),
            connection.serviceProvider,
          )
        : undefined,
    ...given,
  }
  const adminKey = `dba_${random.token()}`
  await inTenant(database, vendorTenantId, (db) =>
    insertAdminKey(db, vendorTenantId, {
      id: random.uuid(),
      name: 'test',
      secretHash: hashCredential(adminKey),
      permissions: everyPermission,
      now: clock.now(),
    }),
  )
  const app = createApp(deps)
  await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, deps, adminKey, close: app.close }
}
