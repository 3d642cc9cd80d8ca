/** One request for each refusal that the other tests only see as a status: what the log and the metrics would call it. */
import { connect } from 'node:net'
import { busyFault } from '@drawbridge/store/turns'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rateLimits } from './rate-limit.js'

const noUuid = '00000000-0000-4000-8000-000000000000'
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let scimToken = ''
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, blocked_at)
     SELECT tenant_id, issuer_id, 'blocked', kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, created_at FROM clients
     UNION ALL SELECT tenant_id, issuer_id, 'machine', kind, name, redirect_uris, '{client_credentials}', 'none', scope_ceiling, created_at, NULL FROM clients`,
  )
  broker = await aBroker(fixture.database, { metrics: told.metrics, kind: 'demo' })
  const made = await ask('POST /admin/v1/tenants/acme/scim-tokens', {
    headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ connectionId: acme.connectionId, name: 'test' }),
  })
  scimToken = ((await made.json()) as { secret: string }).secret
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

type Asked = { readonly headers?: Record<string, string>; readonly form?: Record<string, string>; readonly body?: string }
async function ask(line: string, { headers = {}, form, body }: Asked = {}, from = broker): Promise<Response> {
  const [method = 'GET', path = '/'] = line.split(' ')
  told.take()
  const sent = form ? new URLSearchParams(form) : body
  return fetch(`${from.url}${path}`, { method, headers, redirect: 'manual', ...(sent === undefined ? {} : { body: sent }) })
}
const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
const asAdmin = () => ({ authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' })
const asDirectory = () => ({ authorization: `Bearer ${scimToken}` })
const asServer = () => ({ ...basic(acme.credentialId, acme.credentialSecret), 'content-type': 'application/json' })
const code = { grant_type: 'authorization_code', code: 'dbc_x', redirect_uri: 'http://127.0.0.1/callback', code_verifier: 'v'.repeat(43) }
const authorize = `response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&code_challenge=${'c'.repeat(43)}&code_challenge_method=S256`

const rows: readonly (readonly [reason: string, status: number, line: string, asked?: () => Asked])[] = [
  ['path_unknown', 404, 'GET /nowhere'],
  ['tenant_unknown', 404, 'GET /t/nobody/jwks'],
  ['media_type_refused', 415, 'POST /t/acme/token', () => ({ headers: { 'content-encoding': 'gzip' }, form: code })],
  ['no_next_key', 409, 'POST /admin/v1/tenants/acme/signing-keys/rotate', () => ({ headers: asAdmin(), body: '{"purpose":"tokens"}' })],
  ['lab_only', 403, 'PUT /admin/v1/lab/clock', () => ({ headers: asAdmin(), body: '{"offsetSeconds":1}' })],
  ['client_grant_type_missing', 303, `GET /t/acme/authorize?client_id=machine&${authorize}`],
  // Its only connection was never configured.
  ['connection_missing', 400, `GET /t/acme/authorize?client_id=client-of-acme&resource=https://mcp.acme.example/mcp&${authorize}`],
  ['connection_unknown', 404, `GET /t/acme/saml/${noUuid}/metadata`],
  // To a browser that is bound, a request that has lapsed and one that never was are the same.
  [
    'request_expired',
    400,
    `GET /t/acme/authorize/consent?request=${noUuid}`,
    () => ({ headers: { cookie: `drawbridge-browser=${'b'.repeat(43)}` } }),
  ],
  ['client_authentication_blocked', 401, 'POST /t/acme/token', () => ({ form: { ...code, client_id: 'blocked' } })],
  ['grant_type_not_for_client', 400, 'POST /t/acme/token', () => ({ form: { ...code, client_id: 'machine' } })],
  ['resource_credential_refused', 401, 'POST /t/acme/introspect', () => ({ headers: basic(acme.credentialId, 'x'), form: { token: 'x' } })],
  ['scim_token_missing', 401, 'GET /t/acme/scim/v2/Users'],
  ['scim_token_invalid', 401, 'GET /t/acme/scim/v2/Users', () => ({ headers: { authorization: `Bearer dbs_${'a'.repeat(43)}` } })],
  ['scim_not_found', 404, `GET /t/acme/scim/v2/Users/${noUuid}`, () => ({ headers: asDirectory() })],
  ['scim_filter_not_here', 403, 'GET /t/acme/scim/v2/Schemas?filter=id+pr', () => ({ headers: asDirectory() })],
  ['resource_credential_missing', 401, 'POST /t/acme/ssf/poll', () => ({ headers: { 'content-type': 'application/json' }, body: '{}' })],
  ['resource_credential_unknown', 401, 'POST /t/acme/ssf/poll', () => ({ headers: { ...asServer(), ...basic(noUuid, 'x') }, body: '{}' })],
  [
    'resource_credential_wrong',
    401,
    'POST /t/acme/ssf/poll',
    () => ({ headers: { ...asServer(), ...basic(acme.credentialId, 'x') }, body: '{}' }),
  ],
  ['stream_unknown', 404, 'POST /t/acme/ssf/poll', () => ({ headers: asServer(), body: `{"streamId":"${noUuid}"}` })],
]

describe('a refusal', () => {
  it.each(rows.map(([reason, status, line, asked]) => ({ reason, status, line, asked })))(
    '$reason is answered with $status',
    async ({ reason, status, line, asked }) => {
      const answer = await ask(line, asked?.())
      await answer.text()
      expect({ status: answer.status, told: told.take() }).toEqual({ status, told: [reason] })
    },
  )

  it('rate_limited comes when the burst is spent, and says how long to wait', async () => {
    const asked = () => ask('POST /t/acme/register', { headers: { 'content-type': 'application/json' }, body: '{}' })
    for (let index = 0; index < rateLimits.register.burst; index += 1) await asked()
    const answer = await asked()
    expect([answer.status, told.take()]).toEqual([429, ['rate_limited']])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('body_incomplete is counted when the sender goes away, for nobody is left to be told', async () => {
    told.take()
    const socket = connect(Number(new URL(broker.url).port), '127.0.0.1')
    socket.write(
      'POST /t/acme/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ncode=',
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    let refused = told.take()
    for (let turn = 0; refused.length === 0 && turn < 100; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      refused = told.take()
    }
    expect(refused).toEqual(['body_incomplete'])
  })

  it.each([
    ['database_gone', 503, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
    ['database_gone', 503, busyFault('connections_busy')],
    ['tenant_busy', 503, busyFault('tenant_busy')],
    ['directory_busy', 503, busyFault('directory_busy')],
    ['server_fault', 500, new Error('a secret of the house')],
  ])('%s is answered with %i, and says nothing of the cause', async (reason, status, cause) => {
    const find = () => Promise.reject(cause)
    const broken = await aBroker(fixture.database, {
      metrics: told.metrics,
      kind: 'demo',
      configuration: { ...broker.deps.configuration, find },
    })
    try {
      const answer = await ask('GET /t/acme/jwks', {}, broken)
      expect(await answer.text()).not.toContain(cause.message)
      expect([answer.status, told.take()]).toEqual([status, [reason]])
    } finally {
      await broken.close()
    }
  })
})
