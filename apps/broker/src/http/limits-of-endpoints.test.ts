/**
 * Which limits each endpoint spends: of an address, of an issuer together, of a client and of a person, at a tenant's issuer and at the front; that each of them
 * refuses, with Retry-After, and that what one issuer has spent another has not.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { accessTokenUrn, tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { aClientAssertion, assertionType, byEs256 } from '@drawbridge/testkit/a-client-assertion'
import { answerDevice, typeUserCode } from '@drawbridge/testkit/a-device'
import { aFrontUrl, aFrontWorld, aSharedClient, aSharedResource, baseOf, basic, type FrontWorld } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aFrontGateway, behindIt, type FrontGateway } from '@drawbridge/testkit/a-front-gateway'
import { aPlainBrowser } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aLimitedBroker, type Limited, type Spent } from '../../test/a-limited-broker.js'
import { brokerEndpoints } from '../app.js'
import type { Endpoint } from './endpoint.js'
import { type IssuerLimit, limitsAtFront } from './limit-at.js'
import type { RateLimitName } from './rate-limit.js'

const [television, stranger] = ['television', 'stranger']
const issuers = ['acme', 'front for acme'] as const
type At = (typeof issuers)[number]
const otherThan = (at: At): At => (at === 'acme' ? 'front for acme' : 'acme')
type Registered = { readonly id: string; readonly secret: string; readonly token: string }

let now: Instant = instant(Date.UTC(2026, 10, 29))
let world: FrontWorld
let idp: FrontBringer
let gateway: FrontGateway
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const registered = {} as Record<At, Registered>

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
  await idp.trust('acme')
  const tv = { clientId: television, name: 'Television', grantTypes: [deviceGrantType, 'refresh_token'] }
  for (const path of ['/front-issuer', '/tenants/acme']) {
    expect((await world.call('POST', `${path}/clients`, tv)).status).toBe(201)
    expect((await world.call('PUT', `${path}/device-grant`, { enabled: true })).status).toBe(200)
  }
  const jwks = { keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'k' }] }
  const keyed = { clientId: 'keyed', name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt', jwks }
  for (const path of ['/front-issuer', '/tenants/acme']) expect((await world.call('POST', `${path}/clients`, keyed)).status).toBe(201)
  gateway = await aFrontGateway(world)
  await gateway.adopt('acme')
  const permitted = await gateway.permit('acme', gateway.permission(), gateway.permission({ at: undefined }))
  expect(permitted.status).toBe(200)
  for (const at of issuers) registered[at] = await register(at)
  await world.call('POST', `/tenants/acme/front-clients/${aBringer}`)
  world.broker.deps.configuration.invalidate()
})
afterAll(() => world?.close())
beforeEach(() => {
  now = addSeconds(now, 1000)
})

async function register(at: At): Promise<Registered> {
  const body = { client_name: stranger, redirect_uris: ['https://stranger.example/cb'], token_endpoint_auth_method: 'client_secret_post' }
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${world.broker.url}${baseOf(at)}/register`, { method: 'POST', body: JSON.stringify(body), headers })
  const said = (await answer.json()) as Record<string, string>
  return { id: said['client_id'] ?? '', secret: said['client_secret'] ?? '', token: said['registration_access_token'] ?? '' }
}

type Asked = { readonly status: number; readonly retryAfter: number }
type Ask = (limited: Limited, at: At) => Promise<Asked>
const asked = ({ status, headers }: Response): Asked => ({ status, retryAfter: Number(headers.get('retry-after')) })
let addresses = 0
/** Whoever asks again comes from another address, unless that is what is asked. */
const from = (address = `198.51.${(addresses += 1) >> 8}.${addresses & 255}`) => ({ 'x-forwarded-for': address })
let address: string | undefined

const post =
  (path: string, form: (at: At) => Record<string, string>, headers: (at: At) => Record<string, string> = () => ({})): Ask =>
  async ({ url }, at) =>
    asked(
      await fetch(`${url}${baseOf(at)}${path}`, {
        method: 'POST',
        body: new URLSearchParams(form(at)),
        headers: { ...from(address), ...headers(at) },
      }),
    )
const send =
  (method: string, path: (at: At) => string, headers: (at: At) => Record<string, string> = () => ({}), body?: object): Ask =>
  async ({ url }, at) =>
    asked(
      await fetch(`${url}${baseOf(at)}${path(at)}`, {
        ...{ method, redirect: 'manual', headers: { ...from(address), 'content-type': 'application/json', ...headers(at) } },
        ...(body && { body: JSON.stringify(body) }),
      }),
    )

const asSelf = (at: At) => basic(aSharedClient, world.secretAt(at))
const asStranger = (at: At) => ({ client_id: registered[at].id, client_secret: registered[at].secret })
const asTelevision = () => ({ client_id: television })
const asResource = () => basic(world.credential.id, world.credential.secret)
const refresh = { grant_type: 'refresh_token', refresh_token: 'dbr_x' }
const device = { resource: aSharedResource, scope: 'read' }
const ofRegistration = (at: At) => `/register/${registered[at].id}`
const byRegistration = (at: At) => ({ authorization: `Bearer ${registered[at].token}` })

async function atUserinfo(method: 'GET' | 'POST', { url }: Limited, at: At): Promise<Asked> {
  const { access_token: token } = await world.tokensAt(at, { scope: 'openid read' })
  return asked(await fetch(`${url}${baseOf(at)}/userinfo`, { method, headers: { ...from(address), authorization: `Bearer ${token}` } }))
}

/** She is signed in, so that one request opens a grant. */
async function signsIn({ url, spent }: Limited, at: At): Promise<Asked> {
  const own = from(address)
  const withOwn = (issuerUrl: string) => aPlainBrowser({ issuer: `${aFrontUrl}/t/acme`, url: issuerUrl, headers: own })
  const browser = withOwn(world.broker.url)
  await world.signIn(at, {}, browser)
  spent.length = 0
  const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  return asked(await fetch(world.authorizeUrl(at).replace(aFrontUrl, url), { headers: { ...own, cookie }, redirect: 'manual' }))
}

/** She has typed the code of a device, and says that it is hers. */
async function saysYes({ url, spent }: Limited, at: At): Promise<Asked> {
  const form = new URLSearchParams({ ...device, ...asTelevision() })
  const code = (await (await fetch(`${world.broker.url}${baseOf(at)}/device_authorization`, { method: 'POST', body: form })).json()) as {
    user_code: string
  }
  const browser = aPlainBrowser({ issuer: `${aFrontUrl}${baseOf(at)}`, url: world.broker.url })
  const page = await typeUserCode(browser, `${aFrontUrl}${baseOf(at)}`, code.user_code)
  let answer: Asked = { status: 0, retryAfter: 0 }
  const there = {
    ...browser,
    visit: async (to: string, fields: Record<string, string> = {}) => {
      const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const init = { method: 'POST', body: new URLSearchParams(fields), headers: { ...from(address), cookie }, redirect: 'manual' as const }
      answer = asked(await fetch(to.replace(aFrontUrl, url), init))
      return { status: answer.status, location: '', text: '' }
    },
  }
  spent.length = 0
  await answerDevice(there, `${aFrontUrl}${baseOf(at)}`, page)
  return answer
}

const given: Partial<Record<At, { readonly token: string; readonly at: Instant }>> = {}
/** What ended its grant is given back again. */
async function givesBackAccess(limited: Limited, at: At): Promise<Asked> {
  const before = given[at]
  const token = before && now < addSeconds(before.at, 1100) ? before.token : ((await world.tokensAt(at))['access_token'] ?? '')
  if (token !== before?.token) given[at] = { token, at: now }
  return post('/revoke', () => ({ token }), asSelf)(limited, at)
}

async function brings(limited: Limited, at: At): Promise<Asked> {
  const assertion = await idp.assertion(at)
  return post('/token', () => ({ grant_type: jwtBearerGrantType, assertion }), idp.byItself)(limited, at)
}

async function exchanges(limited: Limited, at: At): Promise<Asked> {
  const { access_token: token = '' } = await world.tokensAt(at)
  const form = { grant_type: tokenExchangeGrantType, subject_token: token, subject_token_type: accessTokenUrn, resource: behindIt }
  return post('/token', () => form, gateway.byItself)(limited, at)
}

/** By its key, another assertion each time. */
function asKeyed(at: At): Record<string, string> {
  const said = {
    iss: 'keyed',
    sub: 'keyed',
    aud: `${aFrontUrl}${baseOf(at)}`,
    jti: randomUUID(),
    iat: toSeconds(now),
    exp: toSeconds(now) + 60,
  }
  const assertion = aClientAssertion({ alg: 'ES256', kid: 'k' }, said, byEs256(keys.privateKey))
  return { client_assertion_type: assertionType, client_assertion: assertion }
}

type Row = {
  readonly endpoint: string
  readonly who: string
  readonly ask: Ask
  readonly spends: readonly RateLimitName[]
  /** Where a company is known there before the request is counted for an issuer. */
  readonly atFront?: readonly RateLimitName[]
}
const signals = ['resource_server_address', 'tenant_unproven_signals', 'resource_server'] as const
const aStream = '00000000-0000-4000-8000-000000000000'
const rows: readonly Row[] = [
  {
    ...{ endpoint: 'POST /token', who: 'a public client', ask: post('/token', () => ({ ...refresh, ...asTelevision() })) },
    spends: ['address', 'tenant_unproven', 'tenant_token'],
  },
  {
    ...{ endpoint: 'POST /token', who: 'a client for which an admin vouches', ask: post('/token', () => refresh, asSelf) },
    spends: ['address', 'tenant_unproven', 'client'],
  },
  {
    ...{ endpoint: 'POST /token', who: 'one that registered itself', ask: post('/token', (at) => ({ ...refresh, ...asStranger(at) })) },
    spends: ['address', 'tenant_unproven', 'client', 'tenant_unvouched_token'],
  },
  {
    ...{ endpoint: 'POST /token', who: 'one that brings the assertion of a person', ask: brings },
    spends: ['address', 'tenant_unproven', 'client', 'subject_unattended'],
    atFront: ['address', 'tenant_unproven', 'client', 'subject_unattended'],
  },
  {
    ...{ endpoint: 'POST /token', who: 'one that proves itself by a key', ask: post('/token', (at) => ({ ...refresh, ...asKeyed(at) })) },
    spends: ['address', 'tenant_unproven', 'client_assertion', 'client'],
  },
  {
    ...{ endpoint: 'POST /token', who: 'a server that exchanges the token of a person', ask: exchanges },
    spends: ['address', 'tenant_unproven', 'client', 'subject_unattended'],
    atFront: ['address', 'tenant_unproven', 'client', 'subject_unattended'],
  },
  {
    ...{ endpoint: 'POST /par', who: 'a public client', ask: post('/par', asTelevision) },
    spends: ['address', 'push', 'tenant_unproven', 'tenant_push'],
  },
  {
    ...{ endpoint: 'POST /par', who: 'a client for which an admin vouches', ask: post('/par', () => ({}), asSelf) },
    spends: ['address', 'push', 'tenant_unproven', 'client'],
  },
  {
    ...{ endpoint: 'POST /par', who: 'one that registered itself', ask: post('/par', asStranger) },
    spends: ['address', 'push', 'tenant_unproven', 'client', 'tenant_unvouched_push'],
  },
  {
    ...{ endpoint: 'POST /par', who: 'one that describes itself', ask: post('/par', () => ({ client_id: 'http://127.0.0.1:9/client' })) },
    spends: ['address', 'push', 'tenant_unproven', 'client_document', 'tenant_client_document'],
  },
  {
    ...{ endpoint: 'POST /device_authorization', who: 'a public client' },
    ask: post('/device_authorization', () => ({ ...device, ...asTelevision() })),
    spends: ['address', 'device_authorization', 'tenant_device_authorization', 'tenant_unproven'],
  },
  {
    ...{
      endpoint: 'POST /device_authorization',
      who: 'a client that proves itself',
      ask: post('/device_authorization', () => device, asSelf),
    },
    spends: ['address', 'device_authorization', 'tenant_device_authorization', 'tenant_unproven', 'client'],
  },
  { endpoint: 'POST /device/confirm', who: 'a person', ask: saysYes, spends: ['address', 'login', 'tenant_login'] },
  {
    ...{ endpoint: 'POST /introspect', who: 'a resource server', ask: post('/introspect', () => ({ token: 'x' }), asResource) },
    spends: ['introspection_address', 'tenant_unproven_introspection', 'introspection'],
  },
  {
    ...{ endpoint: 'POST /revoke', who: 'a public client', ask: post('/revoke', () => ({ token: 'dbr_x', ...asTelevision() })) },
    spends: ['address', 'tenant_unproven_revocation', 'tenant_revocation'],
  },
  {
    ...{
      endpoint: 'POST /revoke',
      who: 'one that registered itself',
      ask: post('/revoke', (at) => ({ token: 'dbr_x', ...asStranger(at) })),
    },
    spends: ['address', 'tenant_unproven_revocation', 'tenant_revocation'],
  },
  {
    ...{ endpoint: 'POST /revoke', who: 'a client for which an admin vouches', ask: post('/revoke', () => ({ token: 'dbr_x' }), asSelf) },
    spends: ['address', 'tenant_unproven_revocation', 'client_revocation'],
  },
  {
    ...{ endpoint: 'POST /revoke', who: 'a client, of an access token', ask: givesBackAccess },
    spends: ['address', 'tenant_unproven_revocation', 'grant_revocation'],
    atFront: ['address', 'tenant_unproven_revocation', 'grant_revocation'],
  },
  {
    ...{ endpoint: 'POST /register', who: 'a client', ask: send('POST', () => '/register', undefined, {}) },
    spends: ['address', 'register', 'tenant_register'],
  },
  {
    ...{ endpoint: 'GET /register/:client', who: 'its owner', ask: send('GET', ofRegistration, byRegistration) },
    spends: ['address', 'tenant_registration'],
  },
  {
    ...{ endpoint: 'PUT /register/:client', who: 'its owner', ask: send('PUT', ofRegistration, byRegistration, {}) },
    spends: ['address', 'register', 'tenant_register', 'tenant_registration'],
  },
  {
    ...{
      endpoint: 'DELETE /register/:client',
      who: 'a guesser',
      ask: send('DELETE', ofRegistration, () => ({ authorization: 'Bearer x' })),
    },
    spends: ['address', 'tenant_registration'],
  },
  {
    ...{ endpoint: 'GET /authorize', who: 'a browser', ask: send('GET', () => '/authorize?client_id=x') },
    spends: ['address', 'login', 'tenant_login'],
  },
  {
    ...{ endpoint: 'GET /authorize', who: 'one that describes itself' },
    ask: send(
      'GET',
      () => `/authorize?client_id=${encodeURIComponent('http://127.0.0.1:9/client')}&redirect_uri=http://127.0.0.1/cb&response_type=code`,
    ),
    spends: ['address', 'login', 'tenant_login', 'client_document', 'tenant_client_document'],
  },
  {
    ...{ endpoint: 'GET /authorize', who: 'a person who is signed in', ask: signsIn },
    spends: ['address', 'login', 'tenant_login', 'subject'],
    atFront: ['address', 'login', 'front_login', 'tenant_login', 'subject'],
  },
  ...(['GET', 'POST'] as const).map((method) => ({
    ...{ endpoint: `${method} /userinfo`, who: 'a client', ask: (limited: Limited, at: At) => atUserinfo(method, limited, at) },
    spends: ['address', 'userinfo'] as const,
  })),
  {
    ...{ endpoint: 'POST /ssf/streams', who: 'a guard', ask: send('POST', () => '/ssf/streams', asResource, { instance: 'one' }) },
    spends: [...signals, 'guard_stream'],
  },
  ...[
    ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => ({ method, path: '/ssf/streams', template: '/ssf/streams' })),
    ...['GET', 'POST'].map((method) => ({ method, path: '/ssf/status', template: '/ssf/status' })),
    ...['/ssf/poll', '/ssf/verify'].map((path) => ({ method: 'POST', path, template: path })),
    { method: 'POST', path: `/ssf/streams/${aStream}/poll`, template: '/ssf/streams/:stream/poll' },
  ].map(({ method, path, template }) => ({
    ...{ endpoint: `${method} ${template}`, who: 'a resource server', spends: signals },
    ask: send(method, () => path, asResource, method === 'GET' ? undefined : {}),
  })),
]

const perAddress: readonly string[] = brokerEndpoints.flatMap(({ addressLimit = 'address', rateLimit }) => [addressLimit, rateLimit ?? ''])
const isOfAddress = (name: RateLimitName): boolean => perAddress.includes(name) || name === 'client_document'
const expectedAt = (at: At, { spends, atFront }: Row): readonly RateLimitName[] =>
  at === 'acme' ? spends : (atFront ?? spends.map((name) => limitsAtFront[name as IssuerLimit] ?? name))

describe.each(issuers)('at %s', (at) => {
  it.each(rows)(
    '$endpoint, asked by $who, spends what it should, is refused where any of it is used up, and nothing of it is another issuer’s',
    async (row) => {
      const first = await aLimitedBroker(world.broker.deps)
      await row.ask(first, at)
      first.close()
      expect(first.spent.map(({ name }) => name)).toEqual(expectedAt(at, row))
      for (const [index, { name }] of first.spent.entries()) {
        now = addSeconds(now, 1000)
        const limited = await aLimitedBroker(world.broker.deps)
        address = isOfAddress(name) ? '192.0.2.7' : undefined
        const untouched = await row.ask(limited, at)
        expect([429, 503]).not.toContain(untouched.status)
        const again = await aLimitedBroker(world.broker.deps)
        // Whoever was proven a moment ago is known, and counts for himself.
        now = addSeconds(now, 1000)
        again.useUp(limited.spent[index] as Spent)
        const refused = await row.ask(again, at)
        expect([name, refused.status === 429 || refused.status === 503, refused.retryAfter > 0]).toEqual([name, true, true])
        address = undefined
        now = addSeconds(now, 1000)
        const other = await row.ask(again, otherThan(at))
        if (!isSharedByIssuers(row, name)) expect([429, 503], name).not.toContain(other.status)
        for (const each of [limited, again]) each.close()
      }
    },
  )
})

/** A person is one person, wherever something is asked of her; what is known at the front to be a company’s counts with what comes to its own issuer. */
const ofPerson: readonly RateLimitName[] = ['userinfo', 'subject', 'subject_unattended']
const isSharedByIssuers = ({ atFront = [] }: Row, name: RateLimitName): boolean =>
  ofPerson.includes(name) || (atFront.includes(name) && name !== 'client')

/** What costs no statement before it is known who asks, or ends or goes on with what was begun: it has no limit but of its address. */
const byAddressAlone = [
  ...['POST /authorize', 'GET /authorize/choose-tenant', 'POST /authorize/choose-tenant', 'GET /device', 'POST /device'],
  ...['GET /jwks', 'GET /ssf/jwks', 'GET /logout', 'POST /logout'],
]

it('each endpoint of the front, and so of a tenant’s issuer, stands in a table', () => {
  const known = new Set([...rows.map(({ endpoint }) => endpoint), ...byAddressAlone])
  const atFront = brokerEndpoints.filter(({ front, path }) => front !== undefined && !/^\/(\.well-known|admin)\//.test(path))
  expect(atFront.map(({ method, path }) => `${method} ${path}`).filter((each) => !known.has(each))).toEqual([])
})

it('every endpoint there is refuses an address that has used up its limit, with Retry-After', async () => {
  const { url, useUp, close } = await aLimitedBroker(world.broker.deps)
  const names = new Set(brokerEndpoints.map(({ addressLimit = 'address' }) => addressLimit))
  for (const name of names) useUp({ name, of: '192.0.2.9' })
  const ask = async ({ method, path }: Endpoint) => {
    const answer = await fetch(`${url}${path.replace(/:[a-zA-Z]+/g, 'acme')}`, { method, headers: from('192.0.2.9') })
    return { endpoint: `${method} ${path}`, ...asked(answer) }
  }
  const answers = await Promise.all(brokerEndpoints.map(ask))
  close()
  expect(answers.length).toBeGreaterThan(200)
  expect(answers.filter(({ status, retryAfter }) => status !== 429 || !(retryAfter > 0))).toEqual([])
})
