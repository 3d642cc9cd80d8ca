/** A client registers by the word of its publisher, where the company takes it; and is then what the publisher said, at each look and after each replacement. */
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { anAssertionKey, fetchedFrom } from '@drawbridge/testkit/an-assertion-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'

const publisher = 'https://publisher.example'
const key = anAssertionKey('publisher')
const published = new Map<string, unknown>([[`${publisher}/keys`, { keys: [key.jwk] }]])
const told = toldRefusals()
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, {
    ...{ clock: { now: () => now }, metrics: told.metrics, fetchSafely: fetchedFrom(published) },
    settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' }),
  })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await trust()
  told.take()
})

type Body = Readonly<Record<string, unknown>>
const byHand = { issuer: publisher, jwks: { keys: [key.jwk] } }
const settings = '/tenants/acme/software-statements'
const choose = (body: object) => call('PUT', settings, body)
const trust = async (change: object = {}, required = false) => {
  expect((await choose({ required, issuers: [{ ...byHand, ...change }] })).status).toBe(200)
  broker.deps.configuration.invalidate()
}
const trustNobody = async () => {
  expect((await choose({ required: false, issuers: [] })).status).toBe(200)
  broker.deps.configuration.invalidate()
}

const software = {
  ...{ client_name: 'Reader', redirect_uris: ['https://reader.example/callback'], token_endpoint_auth_method: 'none' },
  ...{ grant_types: ['authorization_code', 'refresh_token'], software_id: 'reader' },
}
const statement = (change: object = {}, by = key): Promise<string> => by.sign({ typ: 'JWT' }, { iss: publisher, ...software, ...change })

async function send(
  method: string,
  path: string,
  body?: object,
  token?: string,
): Promise<{ status: number; body: Body; headers: Headers }> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(path.startsWith('http') ? path : `${broker.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...authorization },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Body) }
}
const register = (body: object, tenant = 'acme') => send('POST', `/t/${tenant}/register`, body)
const pathOf = ({ body }: { readonly body: Body }) => `/t/acme/register/${String(body['client_id'])}`
const look = (made: { readonly body: Body }) => send('GET', pathOf(made), undefined, String(made.body['registration_access_token']))
const replace = (made: { readonly body: Body }, body: object) =>
  send('PUT', pathOf(made), { client_id: made.body['client_id'], ...body }, String(made.body['registration_access_token']))
const shown = async ({ body }: { readonly body: Body }) => (await call('GET', `/tenants/acme/clients/${String(body['client_id'])}`)).body
const refused = async (answer: Promise<{ status: number; body: Body }>) => {
  told.take()
  const { status, body } = await answer
  return { status, error: body['error'], reason: told.take()[0] }
}
const invalid = { status: 400, error: 'invalid_software_statement' }
const unapproved = { status: 400, error: 'unapproved_software_statement', reason: 'registration_statement_unapproved' }

describe('a client with a statement', () => {
  it('is what its publisher says, whatever it says itself, and is told the statement unmodified', async () => {
    const text = await statement()
    const plain = { client_name: 'Bank', redirect_uris: ['https://evil.example'], token_endpoint_auth_method: 'client_secret_basic' }
    const made = await register({ ...plain, application_type: 'web', software_statement: text })
    expect([made.status, made.body]).toEqual([
      201,
      expect.objectContaining({
        client_name: 'Reader',
        redirect_uris: software.redirect_uris,
        token_endpoint_auth_method: 'none',
        software_statement: text,
      }),
    ])
    expect((await look(made)).body).toMatchObject({ software_statement: text, client_name: 'Reader' })
    expect(await shown(made)).toMatchObject({ stated: { issuer: publisher, softwareId: 'reader' }, preApproved: false })
    const [row] = await asOwner(fixture.ownerUrl, `SELECT detail FROM audit_events WHERE client_id = $1 AND kind = 'client_registered'`, [
      made.body['client_id'],
    ])
    expect(row).toEqual({ detail: { statedBy: publisher, softwareId: 'reader', approved: false } })
  })

  it('adds of its own what the statement leaves open', async () => {
    const text = await statement({ client_name: undefined, token_endpoint_auth_method: undefined })
    const made = await register({ client_name: 'My reader', token_endpoint_auth_method: 'none', software_statement: text })
    expect(made.body).toMatchObject({ client_name: 'My reader', redirect_uris: software.redirect_uris })
  })

  it('registers by a strict library of others', async () => {
    const as: oauth.AuthorizationServer = { issuer: 'http://localhost:4400/t/acme', registration_endpoint: `${broker.url}/t/acme/register` }
    const metadata = { software_statement: await statement() }
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, { [oauth.allowInsecureRequests]: true })
    expect(await oauth.processDynamicClientRegistrationResponse(response)).toMatchObject({ client_name: 'Reader', ...metadata })
  })

  it('is blamed on the publisher where the statement says what cannot be registered, and on the client where that does', async () => {
    const bad = await statement({ redirect_uris: ['http://reader.example'] })
    expect(await refused(register({ software_statement: bad }))).toEqual({ ...invalid, reason: 'registration_statement_invalid' })
    const malformed = await statement({ grant_types: 'authorization_code' })
    expect(await refused(register({ software_statement: malformed }))).toEqual({ ...invalid, reason: 'registration_statement_invalid' })
    const good = await statement({ redirect_uris: undefined })
    expect(await refused(register({ redirect_uris: ['http://reader.example'], software_statement: good }))).toMatchObject({
      error: 'invalid_redirect_uri',
    })
  })
})

describe('a statement', () => {
  it.each<{ what: string; text: () => unknown; is: object }>([
    { what: 'of another issuer', text: () => statement({ iss: 'https://evil.example' }), is: unapproved },
    {
      what: 'that a stranger signed',
      text: () => statement({}, anAssertionKey('publisher')),
      is: { ...invalid, reason: 'registration_statement_invalid' },
    },
    {
      what: 'that has ended',
      text: () => statement({ exp: toSeconds(now) - 61 }),
      is: { ...invalid, reason: 'registration_statement_invalid' },
    },
    {
      what: 'for another issuer',
      text: () => statement({ aud: 'http://localhost:4400/t/globex' }),
      is: { ...invalid, reason: 'registration_statement_invalid' },
    },
    { what: 'that is no text', text: () => ({ iss: publisher }), is: { ...invalid, reason: 'registration_statement_invalid' } },
    {
      what: 'that is an ID-JAG of the same key',
      text: () => key.sign({}, { iss: publisher, ...software }),
      is: { ...invalid, reason: 'registration_statement_invalid' },
    },
  ])('$what registers nobody', async ({ text, is }) => {
    const before = await asOwner(fixture.ownerUrl, 'SELECT count(*) FROM clients', [])
    expect(await refused(register({ ...software, software_statement: await text() }))).toEqual(is)
    expect(await asOwner(fixture.ownerUrl, 'SELECT count(*) FROM clients', [])).toEqual(before)
  })

  it('about software that is not listed is not approved', async () => {
    await trust({ softwareIds: ['writer'] })
    expect(await refused(register({ software_statement: await statement() }))).toEqual(unapproved)
    expect((await register({ software_statement: await statement({ software_id: 'writer' }) })).status).toBe(201)
  })

  it('is ignored, and not told again, where nobody’s is believed', async () => {
    const made = await register({ ...software, client_name: 'Plain', software_statement: await statement() }, 'globex')
    expect([made.status, made.body['client_name']]).toEqual([201, 'Plain'])
    expect(made.body).not.toHaveProperty('software_statement')
    expect((await register({ ...software, software_statement: 'nonsense' }, 'globex')).status).toBe(201)
  })

  it('is demanded where the company demands one', async () => {
    expect((await register(software)).body).not.toHaveProperty('software_statement')
    await trust({}, true)
    expect(await refused(register(software))).toEqual({ ...invalid, reason: 'registration_statement_missing' })
    expect((await register({ software_statement: await statement() })).status).toBe(201)
  })

  it('waits for keys that cannot be read', async () => {
    await trust({ jwks: undefined, jwksUri: `${publisher}/keys` })
    published.delete(`${publisher}/keys`)
    const answer = await register({ software_statement: await statement() })
    expect([answer.status, answer.body['error'], Number(answer.headers.get('retry-after'))]).toEqual([503, 'temporarily_unavailable', 30])
    expect(told.take()).toEqual(['registration_statement_keys_awaited'])
    published.set(`${publisher}/keys`, { keys: [key.jwk] })
    now = addSeconds(now, 31)
    expect((await register({ software_statement: await statement() })).status).toBe(201)
  })
})

describe('the word of an issuer that approves', () => {
  beforeEach(() => trust({ approves: true }))

  it('is that of an admin, where it says all that an admin judges', async () => {
    const made = await register({ software_statement: await statement() })
    expect(await shown(made)).toMatchObject({ preApproved: true, approvalLost: null })
  })

  test.each([
    { what: 'a name', plain: { client_name: 'Reader' }, without: { client_name: undefined } },
    { what: 'redirect URIs', plain: { redirect_uris: ['https://evil.example'] }, without: { redirect_uris: undefined } },
    { what: 'a way to prove itself', plain: { token_endpoint_auth_method: 'none' }, without: { token_endpoint_auth_method: undefined } },
    { what: 'an address of logout', plain: { backchannel_logout_uri: 'https://reader.example/logout' }, without: {} },
  ])('leaves it to an admin where the client adds $what', async ({ plain, without }) => {
    const made = await register({ ...plain, software_statement: await statement(without) })
    expect([made.status, await shown(made)]).toMatchObject([201, { preApproved: false }])
  })

  it('is lost by other words, and not given again by a replacement', async () => {
    const made = await register({ software_statement: await statement() })
    const moved = await replace(made, { software_statement: await statement({ redirect_uris: ['https://reader.example/other'] }) })
    expect([moved.status, await shown(made)]).toMatchObject([200, { preApproved: false, approvalLost: { changed: ['redirectUris'] } }])
    const back = await replace(moved, { software_statement: await statement() })
    expect([back.status, await shown(made)]).toMatchObject([200, { preApproved: false }])
  })
})

describe('a replacement', () => {
  it('needs a statement about the same software, of the same issuer', async () => {
    const made = await register({ software_statement: await statement() })
    expect(await refused(replace(made, software))).toEqual({ ...invalid, reason: 'registration_statement_missing' })
    const other = await statement({ software_id: 'writer' })
    expect(await refused(replace(made, { software_statement: other }))).toEqual({
      ...invalid,
      reason: 'registration_statement_of_other_software',
    })
    const next = await statement({ client_name: 'Reader 2' })
    const replaced = await replace(made, { software_statement: next })
    expect([replaced.status, replaced.body]).toMatchObject([200, { client_name: 'Reader 2', software_statement: next }])
    expect((await look(replaced)).body['software_statement']).toBe(next)
  })

  it('is refused once nobody takes the word of its issuer any more', async () => {
    const made = await register({ software_statement: await statement() })
    await trustNobody()
    expect(await refused(replace(made, software))).toEqual({ ...invalid, reason: 'registration_statement_missing' })
    expect(await refused(replace(made, { software_statement: await statement() }))).toEqual(unapproved)
    expect((await look(made)).status).toBe(200)
  })

  it('may bring a statement for a client that had none', async () => {
    const made = await register(software)
    const replaced = await replace(made, { software_statement: await statement() })
    expect(replaced.body).toMatchObject({ software_statement: expect.any(String) })
    expect(await shown(made)).toMatchObject({ stated: { issuer: publisher } })
  })
})

describe('the setting', () => {
  it('is read as it was chosen, and in the trail', async () => {
    await trust({ approves: true, softwareIds: ['reader'] }, true)
    const chosen = { ...byHand, algorithms: ['ES256', 'RS256', 'PS256', 'EdDSA'], softwareIds: ['reader'], approves: true }
    expect((await call('GET', settings)).body).toEqual({ required: true, issuers: [chosen] })
    expect((await call('GET', '/tenants/globex/software-statements')).body).toEqual({ required: false, issuers: [] })
    const text = `SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'tenant.software_statements_changed' ORDER BY id DESC LIMIT 1`
    expect(await asOwner(fixture.ownerUrl, text, [acme.tenantId])).toMatchObject([
      { detail: { required: true, issuers: [{ issuer: publisher, approves: true, softwareIds: 1 }] } },
    ])
  })

  test.each([
    {
      what: 'keys that are none',
      body: { required: false, issuers: [{ issuer: publisher, jwks: { keys: [{}] } }] },
      reason: 'software_statements_invalid',
    },
    { what: 'a demand that nobody can meet', body: { required: true, issuers: [] }, reason: 'software_statements_invalid' },
    {
      what: 'keys that cannot be read',
      body: { required: false, issuers: [{ issuer: publisher, jwksUri: `${publisher}/nowhere` }] },
      reason: 'trust_keys_unreadable',
    },
  ])('is refused with $what', async ({ body, reason }) => {
    expect((await choose(body)).body.type).toBe(`urn:drawbridge:error:${reason}`)
  })

  it('that cannot be read lets nobody register', async () => {
    await asOwner(fixture.ownerUrl, `UPDATE tenants SET software_statements = '{}' WHERE slug = 'acme'`, [])
    broker.deps.configuration.invalidate()
    expect(await refused(register(software))).toEqual({ ...invalid, reason: 'registration_statement_missing' })
    expect(await refused(register({ software_statement: await statement() }))).toEqual(unapproved)
  })
})
