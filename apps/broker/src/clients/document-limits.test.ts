/** How many clients of a tenant describe themselves, and which of them make room: a stranger may name as many documents as he likes. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import { ok } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const { metadataDocuments, dynamicClientStaysSeconds } = registrationLimits
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let [broker, strict] = [undefined, undefined] as unknown as [TestBroker, TestBroker]
let acme: ATenant
let fetches = 0

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const start = (settings: Record<string, string>) =>
    aBroker(fixture.database, {
      clock: { now: () => now },
      settings: readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1', ...settings }),
      fetchSafely: async (url) => {
        fetches += 1
        const body = JSON.stringify({ client_id: url, client_name: 'Tools', redirect_uris: ['http://127.0.0.1/cb'] })
        return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) })
      },
    })
  broker = await start({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' })
  strict = await start({})
})
afterAll(async () => {
  await broker?.close()
  await strict?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  fetches = 0
  await owner('DELETE FROM authorization_requests')
  await owner(
    `DELETE FROM clients c WHERE client_id LIKE 'https://junk-%' AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.client_id = c.client_id)`,
  )
})

const owner = (sql: string, ...parameters: readonly unknown[]) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)
/** `governed`: an admin has said something of each, so that none makes room. */
const fill = async (
  count: number,
  { at = addSeconds(now, -90_000), governed = false }: { readonly at?: Instant; readonly governed?: boolean } = {},
) => {
  // It looks at each of a tenant for each that comes, which for thousands is too long to wait for.
  await owner('ALTER TABLE clients DISABLE TRIGGER one_client_of_tenant')
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, document_expires_at, access_token_ttl_seconds)
     SELECT $1, $2, 'https://junk-' || gen_random_uuid() || '.example/c', 'metadata_document', 'Junk', '{}', '{}', 'none', '{}', $4, $4, $5 FROM generate_series(1, $3::int)`,
    ...[acme.tenantId, acme.issuerId, count, new Date(at), governed ? 60 : null],
  )
  await owner('ALTER TABLE clients ENABLE TRIGGER one_client_of_tenant')
}
let named = 0
const aDocument = () => `https://junk-${(named += 1)}.example/c`
let callers = 0
const authorize = async (clientId: string, { url } = broker) => {
  const query = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: 'http://127.0.0.1/cb', response_type: 'code', scope: 'mcp', state: 's' },
    ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', resource: 'https://mcp.acme.example' },
  })
  const headers = { 'x-forwarded-for': `203.0.${(callers += 1) >> 8}.${callers & 255}` }
  const response = await fetch(`${url}/t/acme/authorize?${query}`, { redirect: 'manual', headers })
  return { status: response.status, text: await response.text() }
}
const isLiving = async (clientId: string) =>
  (await owner('SELECT 1 FROM clients WHERE client_id = $1 AND unregistered_at IS NULL', clientId)).length === 1
const living = async () =>
  Number((await owner("SELECT count(*)::int AS n FROM clients WHERE kind = 'metadata_document' AND unregistered_at IS NULL"))[0]?.['n'])

describe('clients of a tenant that describe themselves', () => {
  it('never are more than it may have, however many come at once, and are refused by name where none makes room', async () => {
    await fill(metadataDocuments - 2 - (await living()), { governed: true })
    const answers = await Promise.all(Array.from({ length: 6 }, () => authorize(aDocument())))
    expect(answers.filter(({ text }) => text.includes('<code>client_documents_full</code>')).map(({ status }) => status)).toEqual([
      ...[403, 403, 403, 403],
    ])
    expect(await living()).toBe(metadataDocuments)
  })

  it('make room at the limit by the oldest that nothing is granted to and of which no admin has said anything; it comes back by being asked for', async () => {
    const [granted, oldest, newer] = [aDocument(), aDocument(), aDocument()]
    for (const id of [granted, oldest, newer]) {
      await authorize(id)
      now = addSeconds(now, 10)
    }
    await owner('DELETE FROM authorization_requests')
    await aGrant(fixture, { ...acme, clientId: granted as ClientId }, { now })
    await fill(metadataDocuments - (await living()), { governed: true })
    expect((await authorize(aDocument())).text).toContain('client_documents_full')
    now = addSeconds(now, dynamicClientStaysSeconds)
    const latest = aDocument()
    expect((await authorize(latest)).text).not.toContain('client_documents_full')
    expect([await isLiving(granted), await isLiving(oldest), await isLiving(newer), await isLiving(latest)]).toEqual([
      true,
      false,
      true,
      true,
    ])
    expect(await living()).toBe(metadataDocuments)
    fetches = 0
    expect((await authorize(oldest)).text).not.toContain('client_documents_full')
    expect([fetches, await isLiving(oldest), await isLiving(newer)]).toEqual([1, true, false])
    expect(await living()).toBe(metadataDocuments)
  })

  it('at which somebody signs in make room last, and then too: a stranger can begin that', async () => {
    const [used, idle] = [aDocument(), aDocument()]
    for (const id of [used, idle]) await authorize(id)
    await owner('DELETE FROM authorization_requests')
    await owner(
      `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, tenant_epoch, client_epoch, created_at, expires_at)
       VALUES ($1, gen_random_uuid(), $2, $3, sha256('x'), '{}', 'login', 1, 1, $4, $4)`,
      ...[acme.tenantId, acme.issuerId, used, new Date(now)],
    )
    await owner("UPDATE clients SET created_at = created_at - interval '1 second' WHERE client_id = $1", used)
    await fill(metadataDocuments - (await living()), { governed: true })
    now = addSeconds(now, dynamicClientStaysSeconds + 1)
    await authorize(aDocument())
    expect([await isLiving(used), await isLiving(idle)]).toEqual([true, false])
    await authorize(aDocument())
    expect(await isLiving(used)).toBe(false)
  })

  it('of strangers come to fewer, before they make room for each other, than a tenant may have: what it has not met is limited before it is fetched', async () => {
    const { perSecond, burst } = rateLimits.tenant_client_document
    expect(burst + perSecond * dynamicClientStaysSeconds).toBeLessThan(metadataDocuments)
    const answers = []
    for (let n = 0; n <= burst; n += 1) answers.push(await authorize(aDocument(), strict))
    expect(answers.filter(({ text }) => text.includes('<code>client_document_busy</code>')).map(({ status }) => status)).toEqual([503])
    expect(fetches).toBe(burst)
  })
})
