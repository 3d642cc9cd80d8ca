/** A broker over HTTP, and in it a company's directory with a token: for tests of SCIM. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type Instant, instant } from '@drawbridge/core/instant'
import type { ScimScope } from '@drawbridge/core/scim/scope'
import { hashCredential } from '@drawbridge/crypto/hash'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { readEnv, type Settings } from '@drawbridge/runtime/env'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { insertScimToken } from '@drawbridge/store/scim-tokens'
import { inTenant } from '@drawbridge/store/transaction'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createApp } from '../src/app.js'
import { createClientCache } from '../src/clients/client-cache.js'
import { createConfigurationCache } from '../src/http/tenant.js'

export type ScimAnswer = { readonly status: number; readonly headers: Headers; readonly body: Record<string, unknown> }

export type Directory = {
  readonly tenant: ATenant
  readonly tokenId: string
  readonly token: string
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ScimAnswer>
}

export type ScimBroker = {
  readonly fixture: TestDatabase
  readonly origin: string
  /** What the broker takes for the present; a test moves it. */
  readonly clock: { at: Instant }
  aDirectory(scope?: ScimScope): Promise<Directory>
  close(): Promise<void>
}

/** `settings`: what is otherwise than by default. */
export async function aScimBroker(settings: Partial<Settings> = {}): Promise<ScimBroker> {
  const fixture = await testDatabase()
  const clock = { at: instant(1_800_000_000_000) }
  const common = {
    settings: { ...readEnv({}), ...settings },
    clock: { now: () => clock.at },
    log: silentLog(),
    metrics: createMetrics({ withProcess: false }),
    database: fixture.database,
    sealer: createSealer([{ version: 1, key: randomBytes(32) }]),
  }
  const app = createApp({
    ...common,
    installation: { id: randomUUID(), kind: 'demo' },
    random: systemRandom(),
    configuration: createConfigurationCache({ ...common, installationId: randomUUID() }),
    clients: createClientCache(fixture.database),
    logins: { record: () => undefined, settled: async () => undefined },
    signatures: createVerifiedSignatures(),
    fetchSafely: createFetchSafely({ allowedOrigins: [], allowLoopback: false }),
    resolveTxt: async () => ({ kind: 'absent' }),
    connectorFor: () => undefined,
  })
  await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  let made = 0
  return {
    fixture,
    origin,
    clock,
    aDirectory: async (scope) => directoryOf(fixture, origin, await aTenant(fixture, { slug: `dir-${(made += 1)}` }), clock.at, scope),
    close: async () => {
      await app.close()
      await fixture.close()
    },
  }
}

/** The directory of a tenant that is there, at whatever broker. */
export async function directoryOf(
  fixture: TestDatabase,
  origin: string,
  tenant: ATenant,
  now: Instant,
  scope?: ScimScope,
): Promise<Directory> {
  const token = `dbs_${randomBytes(32).toString('base64url')}`
  const tokenId = randomUUID()
  await inTenant(fixture.database, tenant.tenantId, (db) =>
    insertScimToken(db, tenant.tenantId, {
      id: tokenId,
      connectionId: tenant.connectionId,
      name: 'okta',
      secretHash: hashCredential(token),
      scope,
      now,
    }),
  )
  return {
    tenant,
    tokenId,
    token,
    call: async (method, path, body, headers = {}) => {
      const response = await fetch(`${origin}/t/${tenant.slug}/scim/v2${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
    },
  }
}
