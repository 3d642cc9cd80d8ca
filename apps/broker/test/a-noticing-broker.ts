/** A broker that speaks for one tenant, for tests of notices: a resource of the tenant's and one of the vendor's, and a hand in place of the worker. */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { addSeconds } from '@drawbridge/core/instant'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { type DeprovisioningEventId, type IssuerId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { signJwt } from '@drawbridge/crypto/jwt'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey, toSigningKey } from '@drawbridge/crypto/signing-keys'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { type Clock, systemClock } from '@drawbridge/runtime/clock'
import { readEnv } from '@drawbridge/runtime/env'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { insertNotices } from '@drawbridge/store/notices'
import { insertRevocations, lockResourcesOfIssuers } from '@drawbridge/store/revocations'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { PushDeps } from '@drawbridge/testkit/a-pusher'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createApp } from '../src/app.js'
import { createClientCache } from '../src/clients/client-cache.js'
import { createConfigurationCache } from '../src/http/tenant.js'

export const random = systemRandom()
const installationId = random.uuid()
const sealer = createSealer([{ version: 1, key: randomBytes(32) }])
export const resource = 'https://documents.acme.example/mcp'
export const ids = {
  tenant: random.uuid(),
  other: random.uuid(),
  issuer: random.uuid(),
  resource: random.uuid(),
  credential: random.uuid(),
  shared: random.uuid(),
  sharedCredential: random.uuid(),
}
export const secret = `dbx_${random.token()}`
export const tokenKey = generateSigningKey(random, 'tokens')
const noticeKey = generateSigningKey(random, 'notices')
export const oldKey = generateSigningKey(random, 'tokens')
export const metrics = createMetrics({ withProcess: false })

/** Where it lives: its database, and the issuer of the tenant acme. */
type Place = { readonly fixture: TestDatabase; readonly issuer: string }

export type NoticingBroker = Place & {
  /** What pushes beside it would be given. */
  readonly pushDeps: PushDeps
  /** The database's secret keeper, for those who look at what rests in it. */
  readonly sealer: typeof sealer
  /** Moves its clock, and that of whoever pushes. */
  readonly later: (seconds: number) => void
  /** What the worker's job does, in its own order; answers the `jti` of the tenant's own resource. */
  revoke(subject: string, epoch: number): Promise<string>
  close(): Promise<void>
}

type Over = { readonly rateLimitFactor?: number; readonly standsStill?: boolean }

/** `allowedOrigins`: where receivers of the test may be, in plain http. `standsStill`: its clock moves by `later` alone. */
export async function aNoticingBroker(
  allowedOrigins: readonly string[] = [],
  { rateLimitFactor = 1, standsStill = false }: Over = {},
): Promise<NoticingBroker> {
  const fixture = await testDatabase()
  const moved = { by: 0 }
  const begun = systemClock().now()
  const deps = {
    settings: { ...readEnv({}), allowedOrigins, rateLimitFactor },
    installation: { id: installationId, kind: 'demo' as const },
    clock: { now: () => addSeconds(standsStill ? begun : systemClock().now(), moved.by) },
    random,
    log: silentLog(),
    metrics,
    database: fixture.database,
    sealer,
    fetchSafely: createFetchSafely({ allowedOrigins, allowLoopback: false }),
    resolveTxt: async () => ({ kind: 'absent' as const }),
    connectorFor: () => undefined,
  }
  const app = createApp({
    ...deps,
    configuration: createConfigurationCache({ ...deps, installationId }),
    clients: createClientCache(fixture.database),
    logins: { record: () => undefined, settled: async () => undefined },
    signatures: createVerifiedSignatures(),
  })
  await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/t/acme`
  const place = { fixture, issuer }
  await arrange(place)
  return {
    ...place,
    pushDeps: { ...deps, installationId },
    sealer,
    later: (seconds) => {
      moved.by += seconds
    },
    revoke: (subject, epoch) => revoke(place, deps.clock, subject, epoch),
    close: async () => {
      await app.close()
      await fixture.close()
    },
  }
}

async function arrange({ fixture, issuer }: Place): Promise<void> {
  const at = new Date()
  const write = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  for (const [id, slug] of [
    [ids.tenant, 'acme'],
    [ids.other, 'globex'],
  ])
    await write('INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [id, slug, at])
  const newIssuer = "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'tenant', $4)"
  await write(newIssuer, [ids.tenant, ids.issuer, issuer, at])
  await write(newIssuer, [ids.other, random.uuid(), issuer.replace('acme', 'globex'), at])
  for (const [key, state] of [
    [tokenKey, 'active'],
    [noticeKey, 'active'],
    [oldKey, 'retired'],
  ] as const) {
    const context = { installation: installationId, tenant: ids.tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
    await write(
      `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
       VALUES ($1, $2, $3, $4, 'ES256', $8, $5, $6, $7, $7)`,
      [ids.tenant, key.id, ids.issuer, key.purpose, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context), at, state],
    )
  }
  await write("INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', $2) ON CONFLICT DO NOTHING", [
    vendorTenantId,
    at,
  ])
  await arrangeResource(fixture, { owner: ids.tenant, id: ids.resource, identifier: resource, credential: ids.credential })
  await arrangeResource(fixture, {
    owner: vendorTenantId,
    id: ids.shared,
    identifier: 'https://shared.example/mcp',
    credential: ids.sharedCredential,
  })
}

/** A resource for which the issuer of acme may mint, and its credential. */
async function arrangeResource(
  fixture: TestDatabase,
  made: { owner: string; id: string; identifier: string; credential: string },
): Promise<void> {
  const at = new Date()
  const write = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  await write('INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $3, $4)', [
    made.owner,
    made.id,
    made.identifier,
    at,
  ])
  await write('INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, $4)', [
    made.owner,
    made.id,
    ids.tenant,
    ids.issuer,
  ])
  await write('INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, $5)', [
    made.owner,
    made.credential,
    made.id,
    hashCredential(secret),
    at,
  ])
}

async function revoke({ fixture, issuer }: Place, clock: Clock, subject: string, epoch: number): Promise<string> {
  const now = clock.now()
  const [tenant, eventId, jti] = [ids.tenant as TenantId, random.uuid() as DeprovisioningEventId, random.uuid()]
  const issuerId = ids.issuer as IssuerId
  const expiresAt = addSeconds(now, 3600)
  const token = signJwt(
    toSigningKey(noticeKey, noticeKey.privateKey),
    { typ: 'secevent+jwt' },
    {
      iss: issuer,
      aud: resource,
      iat: Math.floor(now / 1000),
      jti,
      txn: eventId,
      sub_id: { format: 'iss_sub', iss: issuer, sub: subject },
      events: { [sessionRevoked]: { event_timestamp: Math.floor(now / 1000), initiating_entity: 'admin' } },
      drawbridge: { target: 'subject', targetId: subject, epoch, tenant: 'acme' },
    },
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
     VALUES ($1, $2, 'admin', 'subject', $3, 'test', $4, $4)`,
    [tenant, eventId, subject, new Date(now)],
  )
  await acrossTenants(fixture.database, async (db) => {
    const told = await lockResourcesOfIssuers(db, tenant, [issuerId], now)
    await insertRevocations(db, tenant, [{ eventId, issuerId, target: 'subject', targetId: subject, epoch, at: now, expiresAt }])
    const to = { issuer: { tenant, id: issuerId }, createdAt: now, expiresAt }
    for (const { tenantId, id } of told)
      await insertNotices(db, { ...to, tenantId, resourceId: id }, [{ eventId, token, jti: id === ids.resource ? jti : random.uuid() }])
  })
  return jti
}

/** By tenant, target and epoch. */
type ToldBarriers = Record<string, Record<string, Record<string, string[]>>>
/** The ids of everything that a snapshot ends. */
export const idsIn = (snapshot: ToldBarriers): readonly string[] =>
  Object.values(snapshot).flatMap((targets) => Object.values(targets).flatMap((epochs) => Object.values(epochs).flat()))

type Body = { streamId: string; snapshot: ToldBarriers; condemnedKeys: string[]; sets: Record<string, string> }

type Answered = { readonly status: number; readonly headers: { get(name: string): string | null }; readonly body: Body }

/** A guard of one resource, by hand: what it posts, and the two things it posts most. */
export function aGuardOf({ issuer }: Pick<Place, 'issuer'>) {
  const post = async (path: string, body: unknown, credential = `${ids.credential}:${secret}`, tenant = 'acme'): Promise<Answered> => {
    const response = await fetch(`${issuer.replace('acme', tenant)}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Basic ${Buffer.from(credential).toString('base64')}` },
      body: JSON.stringify(body),
    })
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
  }
  return {
    post,
    open: async () => (await post('/ssf/streams', { instance: random.uuid() })).body,
    poll: (streamId: string, over: object = {}) => post('/ssf/poll', { streamId, returnImmediately: true, ...over }),
  }
}
