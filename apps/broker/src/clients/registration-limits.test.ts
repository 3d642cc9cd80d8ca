/** How many clients of a tenant register themselves, which of them make room, and when they were last used. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const { dynamicClients, dynamicClientStaysSeconds } = registrationLimits
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    metrics: told.metrics,
    settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' }),
  })
  call = anAdmin(broker)
  await aTokenKey(fixture, broker, acme)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  await owner("DELETE FROM clients c WHERE kind = 'dynamic' AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = c.client_id)")
  await owner("UPDATE clients SET unregistered_at = created_at WHERE kind = 'dynamic'")
  told.take()
})

const owner = (sql: string, ...parameters: readonly unknown[]) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)
const fill = async (count: number, at: Instant, used: Instant | null = null) => {
  // It looks at each of a tenant for each that comes, which for thousands is too long to wait for.
  await owner('ALTER TABLE clients DISABLE TRIGGER one_client_of_tenant')
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, last_used_at)
     SELECT $1, $2, 'dbd_' || gen_random_uuid(), 'dynamic', 'Other', '{}', '{}', 'none', '{}', $4, $5 FROM generate_series(1, $3::int)`,
    ...[acme.tenantId, acme.issuerId, count, new Date(at), used === null ? null : new Date(used)],
  )
  await owner('ALTER TABLE clients ENABLE TRIGGER one_client_of_tenant')
}
const register = async () => {
  const response = await fetch(`${broker.url}/t/acme/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [aRedirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    }),
  })
  return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
}
const living = async () =>
  Number((await owner("SELECT count(*)::int AS n FROM clients WHERE kind = 'dynamic' AND unregistered_at IS NULL"))[0]?.['n'])

describe('registrations of a tenant', () => {
  it('never are more than it may have, however many come at once; and none is taken that was used, or came a moment ago', async () => {
    await fill(dynamicClients - 5, addSeconds(now, -90_000), addSeconds(now, -80_000))
    const answers = await Promise.all(Array.from({ length: 12 }, register))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5)
    for (const refused of answers.filter(({ status }) => status !== 201))
      expect(refused).toMatchObject({ status: 403, body: { error: 'access_denied', error_description: expect.stringContaining('in use') } })
    expect(told.take()).toContain('registration_full')
    expect(await living()).toBe(dynamicClients)
  })

  it('make room at the limit by the oldest that nobody has used, which is unknown from then on', async () => {
    await fill(dynamicClients - 2, addSeconds(now, -90_000), addSeconds(now, -80_000))
    const [oldest, newer] = [(await register()).body['client_id'], (await register()).body['client_id']]
    await owner("UPDATE clients SET created_at = created_at - interval '1 second' WHERE client_id = $1", oldest)
    expect((await register()).status).toBe(403)
    now = addSeconds(now, dynamicClientStaysSeconds + 1)
    expect((await register()).status).toBe(201)
    expect(await living()).toBe(dynamicClients)
    expect((await call('GET', `/tenants/acme/clients/${String(oldest)}`)).status).toBe(404)
    expect((await call('GET', `/tenants/acme/clients/${String(newer)}`)).status).toBe(200)
    const trail = await owner("SELECT reason FROM audit_events WHERE kind = 'client.registration_ended' AND client_id = $1", oldest)
    expect(trail).toEqual([{ reason: 'room_needed' }])
  })

  it('make room though a statement approves them, which strangers can copy, and not where an admin has', async () => {
    await fill(dynamicClients - 1, addSeconds(now, -90_000), addSeconds(now, -80_000))
    const { client_id: id } = (await register()).body
    now = addSeconds(now, dynamicClientStaysSeconds + 1)
    await owner('UPDATE clients SET pre_approved = true WHERE client_id = $1', id)
    expect((await register()).status).toBe(403)
    await owner(`UPDATE clients SET software_statement = '{"issuer":"x"}' WHERE client_id = $1`, id)
    expect((await register()).status).toBe(201)
    expect((await call('GET', `/tenants/acme/clients/${String(id)}`)).status).toBe(404)
  })

  it('are refused at once where none can make room, though the planner believes that there are hardly any', async () => {
    await owner('VACUUM ANALYZE clients')
    await fill(dynamicClients, addSeconds(now, -90_000), now)
    expect((await register()).status).toBe(403)
  })

  it('of strangers cannot fill a tenant by themselves: they come to fewer before they make room for each other', () => {
    const { perSecond, burst } = rateLimits.tenant_register
    expect(burst + perSecond * dynamicClientStaysSeconds).toBeLessThan(dynamicClients)
  })
})

describe('the last use of a client that registered itself', () => {
  const form = { grant_type: 'authorization_code', redirect_uri: aRedirectUri, code_verifier: aVerifier }
  const post = async (more: Readonly<Record<string, string>>) => {
    const response = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(more) })
    return (await response.json()) as Readonly<Record<string, string>>
  }
  const row = async (id: string) => (await owner('SELECT last_used_at, version FROM clients WHERE client_id = $1', id))[0]
  const shown = async (id: string) => ((await call('GET', `/tenants/acme/clients/${id}`)).body as Record<string, unknown>)['lastUsedAt']

  it('is noted when it gets a token, once a day, and disturbs nothing that is decided under its version', async () => {
    const id = String((await register()).body['client_id']) as ClientId
    expect(await shown(id)).toBeNull()
    await post({ grant_type: 'refresh_token', refresh_token: 'x', client_id: id })
    expect(await shown(id)).toBeNull()
    const { version } = (await row(id)) ?? {}
    const { code } = await aGrant(fixture, { ...acme, clientId: id }, { now })
    const first = await post({ ...form, code, client_id: id })
    const noted = new Date(now).toISOString()
    expect(await shown(id)).toBe(noted)
    now = addSeconds(now, 600)
    const second = await post({ grant_type: 'refresh_token', refresh_token: String(first['refresh_token']), client_id: id })
    expect(second['access_token']).toEqual(expect.any(String))
    expect(await shown(id)).toBe(noted)
    now = addSeconds(now, 86_400)
    await post({ ...form, code: (await aGrant(fixture, { ...acme, clientId: id }, { now })).code, client_id: id })
    expect(await shown(id)).toBe(new Date(now).toISOString())
    expect((await row(id))?.['version']).toBe(version)
    const client = { tenantId: acme.tenantId, issuerId: acme.issuerId, id }
    expect(broker.deps.clients.recall(client)?.lastUsedAt).toBe(now)
  })
})
