/** Where a browser may be sent: through HTTP, to a client that anybody may have registered. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const configuration = JSON.stringify({ issuer: 'https://idp.example', clientId: 'drawbridge' })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $1', [configuration])
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'May read', 'read', true)`,
    [acme.tenantId, acme.resourceId],
  )
  broker = await aBroker(fixture.database)
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
const registered = (uri: string) => asOwner(fixture.ownerUrl, `UPDATE clients SET kind = 'dynamic', redirect_uris = ARRAY[$1]`, [uri])
beforeEach(() => registered('http://127.0.0.1/callback'))

async function visit(url: string, cookie = '') {
  const response = await fetch(url, { headers: { cookie }, redirect: 'manual' })
  const setCookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  return { status: response.status, location: response.headers.get('location') ?? '', text: await response.text(), setCookie }
}
const authorize = (change: Record<string, string>) =>
  visit(
    `${broker.url}/t/acme/authorize?${new URLSearchParams({
      client_id: acme.clientId,
      redirect_uri: 'http://127.0.0.1:51234/callback',
      response_type: 'code',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      resource: acme.resource,
      state: 'xyz',
      ...change,
    })}`,
  )

it('that the client has given up meanwhile gets nothing', async () => {
  const first = await authorize({})
  const step = first.location.replace('http://localhost:4400', broker.url)
  expect((await visit(step, first.setCookie)).status).toBe(200)
  await registered('http://127.0.0.1/elsewhere')
  expect((await visit(step, first.setCookie)).text).toContain('redirect_uri_unregistered')
})

it.each([{ response_type: 'token' }, { prompt: 'none' }, { code_challenge: '' }] as Record<string, string>[])(
  'on a web host that nobody vouched for is a link on our page, never a redirect without a click: %o',
  async (change) => {
    await registered('https://phish.example/cb')
    const answer = await authorize({ ...change, redirect_uri: 'https://phish.example/cb' })
    expect(answer).toMatchObject({ status: 400, location: '' })
    expect(answer.text).toContain('href="https://phish.example/cb?error=')
  },
)

it('on the person\u2019s own machine gets the error at once', async () => {
  const answer = await authorize({ response_type: 'token' })
  expect(answer.location).toContain('http://127.0.0.1:51234/callback?error=unsupported_response_type')
})

it('gets one answer: after prompt=none was refused the request is over', async () => {
  expect((await authorize({ prompt: 'none' })).location).toContain('error=login_required')
  const open = `SELECT id FROM authorization_requests WHERE answered_at IS NULL AND request->'prompt' ? 'none'`
  expect(await asOwner(fixture.ownerUrl, open)).toEqual([])
})
