/** Clients whose keys are at an address: RFC 7591 §2, from registration to the proof at the token endpoint. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ResolvedTenant } from '../http/tenant.js'
import { authenticateClient, readClientClaim } from './client-authentication.js'
import { clientFetchLimits } from './client-fetches.js'
import { clientKeyLimits } from './client-keys.js'
import { resolveClient } from './resolve-client.js'

const aKey = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } }
}
type Key = { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: object }
const [one, two, stranger] = [aKey('one'), aKey('two'), aKey('stranger')]

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let call: Call
let issuer: string
let fetches: string[] = []
/** Answers wait for it. */
let held: Promise<void> | undefined
type Published = { readonly body: unknown; readonly headers?: Record<string, string>; readonly status?: number }
const published = new Map<string, Published>()

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url) => {
      fetches.push(url)
      const { body, headers, status = 200 } = published.get(url) ?? {}
      await new Promise((resolve) => setImmediate(resolve))
      await held
      if (body === undefined) return err({ reason: 'unreachable' })
      return ok({ status, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(JSON.stringify(body)) })
    },
  })
  call = anAdmin(broker)
  issuer = ((await broker.deps.configuration.find('acme')) as ResolvedTenant).issuer.url
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 90_000)
  fetches = []
  held = undefined
})

const setOf = (...keys: Key[]) => ({ body: { keys: keys.map(({ jwk }) => jwk) } })
/** Registered beforehand, with its keys at an address of its own. */
const aClient = async (keys: Published | undefined, place?: string) => {
  const clientId = `client-${randomUUID()}`
  const jwksUri = place ?? `https://${clientId}.example/jwks`
  if (keys) published.set(jwksUri, keys)
  const body = { clientId, name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt', jwksUri }
  expect(await call('POST', '/tenants/acme/clients', body)).toMatchObject({ status: 201, body: { jwksUri, jwks: null } })
  return { clientId, jwksUri }
}
const assertionOf = (id: string, key: Key, change: object = {}, kid: string | undefined = key.kid) => {
  const claims = { iss: id, sub: id, aud: issuer, exp: toSeconds(now) + 60, jti: randomUUID(), ...change }
  const input = [{ alg: 'ES256', kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
/** What the token endpoint says of its proof: the resource does not exist, so a client that is proven hears of that, or that the grant is not its own. */
const prove = async (clientId: string, key: Key, change?: object, kid?: string) => {
  const response = await fetch(`${broker.url}/t/acme/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: 'https://nowhere.example',
      client_assertion: assertionOf(clientId, key, change, kid),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }),
  })
  const { error } = (await response.json()) as { error: string }
  const isProven = ['invalid_target', 'unauthorized_client'].includes(error)
  return { said: isProven ? 'proven' : error, status: response.status, retryAfter: response.headers.get('retry-after') }
}

describe('keys at a jwks_uri (RFC 7591 §2)', () => {
  it('prove a client, and are fetched once for all who wait and for as long as HTTP says', async () => {
    const { clientId, jwksUri } = await aClient({ ...setOf(one), headers: { 'cache-control': 'max-age=600' } })
    const all = await Promise.all([1, 2, 3, 4].map(() => prove(clientId, one)))
    expect(all.map(({ said }) => said)).toEqual(['proven', 'proven', 'proven', 'proven'])
    expect(fetches).toEqual([jwksUri])
    now = addSeconds(now, 599)
    expect((await prove(clientId, one)).said).toBe('proven')
    expect(fetches).toHaveLength(1)
    now = addSeconds(now, 1)
    expect((await prove(clientId, one)).said).toBe('proven')
    expect(fetches).toHaveLength(2)
  })

  it('are believed for an hour at most, whatever HTTP says, so that a key that was taken away dies', async () => {
    const { clientId, jwksUri } = await aClient({ ...setOf(one), headers: { 'cache-control': 'max-age=86400' } })
    await prove(clientId, one)
    published.set(jwksUri, setOf(two))
    now = addSeconds(now, clientKeyLimits.mostSeconds)
    expect((await prove(clientId, one)).said).toBe('invalid_client')
  })

  it('are asked for once more for a key that is not among them, and never twice within the pause', async () => {
    const { clientId, jwksUri } = await aClient(setOf(one))
    await prove(clientId, one)
    published.set(jwksUri, setOf(one, two))
    now = addSeconds(now, 10)
    expect((await prove(clientId, two)).said).toBe('proven')
    expect(fetches).toHaveLength(2)
    now = addSeconds(now, 10)
    const refused = await prove(clientId, stranger)
    expect(refused).toMatchObject({ said: 'temporarily_unavailable', status: 503, retryAfter: '50' })
    expect(fetches).toHaveLength(2)
    now = addSeconds(now, 50)
    expect((await prove(clientId, stranger)).said).toBe('invalid_client')
    expect(fetches).toHaveLength(3)
  })

  it('are not asked for again by a forged signature in the name of a known key, nor for what is worth nothing anyway', async () => {
    const { clientId } = await aClient(setOf(one))
    expect((await prove(clientId, one, { aud: 'https://other.example' })).said).toBe('invalid_client')
    expect(fetches).toEqual([])
    await prove(clientId, one)
    now = addSeconds(now, 10)
    expect((await prove(clientId, stranger, {}, 'one')).said).toBe('invalid_client')
    expect(fetches).toHaveLength(1)
  })

  it.each<{ when: string; given: Published | undefined }>([
    { when: 'nobody answers', given: undefined },
    { when: 'the answer is an error', given: { ...setOf(one), status: 500 } },
    { when: 'it is a page', given: { ...setOf(one), headers: { 'content-type': 'text/html' } } },
    { when: 'it is no set', given: { body: { keys: 'x' } } },
    { when: 'there are too many', given: { body: { keys: Array.from({ length: 21 }, () => one.jwk) } } },
    { when: 'one of them is private', given: { body: { keys: [one.jwk, { ...two.jwk, d: 'd' }] } } },
    { when: 'one of them is symmetric', given: { body: { keys: [one.jwk, { kty: 'oct', k: 'k' }] } } },
  ])('prove nobody when $when; it is asked again only after the pause', async ({ given }) => {
    const { clientId, jwksUri } = await aClient(given)
    expect(await prove(clientId, one)).toMatchObject({ said: 'temporarily_unavailable', status: 503, retryAfter: '30' })
    published.set(jwksUri, setOf(one))
    now = addSeconds(now, clientKeyLimits.failurePauseSeconds - 1)
    expect((await prove(clientId, one)).said).toBe('temporarily_unavailable')
    expect(fetches).toHaveLength(1)
    now = addSeconds(now, 1)
    expect((await prove(clientId, one)).said).toBe('proven')
  })

  it.each<{ when: string; given: Published | undefined }>([
    { when: 'nobody answers', given: undefined },
    { when: 'the answer is an error', given: { ...setOf(one), status: 500 } },
    { when: 'it is no set', given: { body: { keys: 'x' } } },
    { when: 'one of them is private', given: { body: { keys: [one.jwk, { ...two.jwk, d: 'd' }] } } },
  ])('stay good for their time when they are read once more in vain: $when', async ({ given }) => {
    const { clientId, jwksUri } = await aClient({ ...setOf(one), headers: { 'cache-control': 'max-age=600' } })
    const other = await aClient(undefined, jwksUri)
    expect((await prove(clientId, one)).said).toBe('proven')
    if (given) published.set(jwksUri, given)
    else published.delete(jwksUri)
    now = addSeconds(now, 10)
    expect(await prove(clientId, stranger)).toMatchObject({ status: 503, retryAfter: '30' })
    expect((await prove(clientId, one)).said).toBe('proven')
    // Another client of the same address does not have it asked again before the pause is over.
    expect(await prove(other.clientId, stranger)).toMatchObject({ status: 503, retryAfter: '30' })
    expect(fetches).toHaveLength(2)
    published.set(jwksUri, setOf(one, two))
    now = addSeconds(now, clientKeyLimits.failurePauseSeconds)
    expect((await prove(other.clientId, two)).said).toBe('proven')
    expect(fetches).toHaveLength(3)
  })

  it('that were read once more in vain die at their own time', async () => {
    const { clientId, jwksUri } = await aClient({ ...setOf(one), headers: { 'cache-control': 'max-age=600' } })
    await prove(clientId, one)
    published.delete(jwksUri)
    now = addSeconds(now, 590)
    expect((await prove(clientId, stranger)).said).toBe('temporarily_unavailable')
    expect((await prove(clientId, one)).said).toBe('proven')
    now = addSeconds(now, 10)
    expect(await prove(clientId, one)).toMatchObject({ said: 'temporarily_unavailable', retryAfter: '20' })
    expect(fetches).toHaveLength(2)
  })

  it('are fetched from one host one at a time, and from so many at once in all', async () => {
    const hosts = await Promise.all(Array.from({ length: clientFetchLimits.ofVouchedFor }, () => aClient(setOf(one))))
    const [first] = hosts as [(typeof hosts)[0]]
    const beside = await aClient(setOf(one), first.jwksUri.replace('.example/jwks', '.example.:8443/others'))
    let release = () => {}
    held = new Promise((resolve) => {
      release = resolve
    })
    const asked = prove(first.clientId, one)
    await vi.waitFor(() => expect(fetches).toHaveLength(1))
    expect(await prove(beside.clientId, one)).toMatchObject({ said: 'temporarily_unavailable', status: 503, retryAfter: '1' })
    const others = hosts.slice(1).map(({ clientId }) => prove(clientId, one))
    await vi.waitFor(() => expect(fetches).toHaveLength(clientFetchLimits.ofVouchedFor))
    const oneMore = await aClient(setOf(one))
    expect(await prove(oneMore.clientId, one)).toMatchObject({ said: 'temporarily_unavailable', status: 503, retryAfter: '1' })
    expect(fetches).toHaveLength(clientFetchLimits.ofVouchedFor)
    release()
    expect(new Set((await Promise.all([asked, ...others])).map(({ said }) => said))).toEqual(new Set(['proven']))
    for (const { clientId } of [beside, oneMore]) expect((await prove(clientId, one)).said).toBe('proven')
  })

  it('wait for no stranger’s fetches, where an admin vouches for their client, and no stranger’s failures push them out', async () => {
    const aStranger = async (n: number) => {
      const host = `stranger-${n}.example`
      const body = {
        ...{ client_name: 'Stranger', redirect_uris: [`https://${host}/cb`], jwks_uri: `https://${host}/jwks` },
        ...{ token_endpoint_auth_method: 'private_key_jwt', grant_types: ['authorization_code'] },
      }
      const headers = { 'content-type': 'application/json' }
      now = addSeconds(now, 2)
      const made = await fetch(`${broker.url}/t/acme/register`, { method: 'POST', headers, body: JSON.stringify(body) })
      return ((await made.json()) as { client_id: string }).client_id
    }
    const strangers: string[] = []
    for (let n = 0; n <= clientFetchLimits.ofStrangers; n += 1) strangers.push(await aStranger(n))
    const known = await aClient(setOf(one))
    const vouchedFor = await aClient(setOf(one))
    expect((await prove(known.clientId, one)).said).toBe('proven')
    let release = () => {}
    held = new Promise((resolve) => {
      release = resolve
    })
    const [last = '', ...busy] = strangers
    const asked = busy.map((clientId) => prove(clientId, one))
    await vi.waitFor(() => expect(fetches).toHaveLength(clientFetchLimits.ofStrangers + 1))
    expect(await prove(last, one)).toMatchObject({ said: 'temporarily_unavailable', retryAfter: '1' })
    const meanwhile = prove(vouchedFor.clientId, one)
    await vi.waitFor(() => expect(fetches).toHaveLength(clientFetchLimits.ofStrangers + 2))
    release()
    expect((await meanwhile).said).toBe('proven')
    await Promise.all(asked)
    expect((await prove(known.clientId, one)).said).toBe('proven')
    expect(fetches).toHaveLength(clientFetchLimits.ofStrangers + 2)
  })

  it('of a client at work are good for a few minutes beyond their time where strangers have taken every place, and no longer', async () => {
    const aStrangersClient = async (n: number, keys?: Published) => {
      const host = `taker-${n}.example`
      if (keys) published.set(`https://${host}/jwks`, keys)
      const body = {
        ...{ client_name: 'Taker', redirect_uris: [`https://${host}/cb`], jwks_uri: `https://${host}/jwks` },
        ...{ token_endpoint_auth_method: 'private_key_jwt', grant_types: ['authorization_code'] },
      }
      now = addSeconds(now, 2)
      const headers = { 'content-type': 'application/json' }
      const made = await fetch(`${broker.url}/t/acme/register`, { method: 'POST', headers, body: JSON.stringify(body) })
      return ((await made.json()) as { client_id: string }).client_id
    }
    const atWork = await aStrangersClient(-1, { ...setOf(one), headers: { 'cache-control': 'max-age=600' } })
    const takers: string[] = []
    for (let n = 0; n < clientFetchLimits.ofStrangers; n += 1) takers.push(await aStrangersClient(n))
    const fetchedAt = now
    expect((await prove(atWork, one)).said).toBe('proven')
    let release = () => {}
    held = new Promise((resolve) => {
      release = resolve
    })
    const asked = takers.map((clientId) => prove(clientId, one))
    await vi.waitFor(() => expect(fetches).toHaveLength(clientFetchLimits.ofStrangers + 1))
    now = addSeconds(fetchedAt, 600 + clientKeyLimits.busyGraceSeconds - 1)
    expect((await prove(atWork, one)).said).toBe('proven')
    now = addSeconds(now, 1)
    expect(await prove(atWork, one)).toMatchObject({ said: 'temporarily_unavailable', retryAfter: '1' })
    release()
    await Promise.all(asked)
    expect((await prove(atWork, one)).said).toBe('proven')
  })

  it('are not believed beyond their time because they cannot be fetched', async () => {
    const { clientId, jwksUri } = await aClient(setOf(one))
    await prove(clientId, one)
    published.delete(jwksUri)
    now = addSeconds(now, clientKeyLimits.mostSeconds)
    expect((await prove(clientId, one)).said).toBe('temporarily_unavailable')
    const tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const form = { client_assertion: assertionOf(clientId, one), client_assertion_type: type }
    const claim = readClientClaim(broker.deps, { headers: {} }, form, tenant)
    const judged = claim.ok ? await authenticateClient(broker.deps, claim.value, 'memory') : claim
    expect(judged).toEqual(err({ reason: 'client_keys_unreachable', detail: { why: 'unreachable', retryAfterSeconds: 30 } }))
  })

  it('come of a metadata document that offers several methods, as ChatGPT’s does', async () => {
    const [url, jwksUri] = ['https://chat.example/oauth/client.json', 'https://chat.example/oauth/jwks.json']
    const methods = { token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'] }
    const document = { client_id: url, client_name: 'Chat', redirect_uris: ['https://chat.example/cb'], jwks_uri: jwksUri, ...methods }
    published.set(url, { body: document })
    published.set(jwksUri, setOf(one))
    const tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    const found = await resolveClient(broker.deps, tenant, url, 'authorize')
    expect(found.ok && found.value).toMatchObject({ authMethod: 'private_key_jwt', jwksUri })
    expect((await prove(url, one)).said).toBe('proven')
    expect((await prove(url, stranger, {}, 'one')).said).toBe('invalid_client')
  })

  it('of a metadata document are at its own host or one where documents may be: elsewhere nobody is even asked', async () => {
    const url = `https://agent-${randomUUID()}.example/client.json`
    const elsewhere = `https://keys-${randomUUID()}.example/jwks`
    const document = { client_id: url, client_name: 'Agent', redirect_uris: ['https://agent.example/cb'], jwks_uri: elsewhere }
    published.set(url, { body: document })
    published.set(elsewhere, setOf(one))
    const tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    const refused = err({ reason: 'client_document_invalid', detail: { field: 'jwks_uri' } })
    expect(await resolveClient(broker.deps, tenant, url, 'authorize')).toEqual(refused)
    const hosts = [url, elsewhere].map((each) => new URL(each).hostname)
    const choose = (documentHosts: readonly string[]) =>
      call('PUT', '/tenants/acme/client-registration', {
        approvalRequired: false,
        metadataDocuments: true,
        dynamic: true,
        preregistered: true,
        documentHosts,
      })
    expect((await choose(hosts)).status).toBe(200)
    const open = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    expect((await resolveClient(broker.deps, open, url, 'authorize')).ok).toBe(true)
    expect((await prove(url, one)).said).toBe('proven')
    // Its stored copy was believed when the host was allowed: that it is no more counts at once.
    expect((await choose([])).status).toBe(200)
    fetches = []
    expect((await prove(url, one)).said).toBe('invalid_client')
    now = addSeconds(now, 3600)
    expect((await prove(url, one)).said).toBe('invalid_client')
    expect(fetches).not.toContain(elsewhere)
  })

  it('are registered dynamically, at the host of the client', async () => {
    const register = async (change: object) => {
      const metadata = { redirect_uris: ['https://dcr.example/cb'], token_endpoint_auth_method: 'private_key_jwt', ...change }
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${broker.url}/t/acme/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
      return (await response.json()) as Record<string, string>
    }
    published.set('https://dcr.example/jwks', setOf(one))
    const made = await register({ jwks_uri: 'https://dcr.example/jwks' })
    expect(made['jwks_uri']).toBe('https://dcr.example/jwks')
    expect((await prove(made['client_id'] as string, one)).said).toBe('proven')
    const refused = ['https://victim.example/jwks', 'http://dcr.example/jwks', 'https://dcr.example/jwks#x', 'https://u:p@dcr.example/jwks']
    for (const jwks_uri of refused) expect((await register({ jwks_uri }))['error']).toBe('invalid_client_metadata')
    expect((await register({ jwks_uri: 'https://dcr.example/jwks', jwks: { keys: [one.jwk] } }))['error']).toBe('invalid_client_metadata')
  })

  it('are registered by an admin, by https, and never beside keys or as private ones', async () => {
    const base = { name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt' }
    const wrong = [
      {},
      { jwksUri: 'http://a.example/jwks' },
      { jwksUri: 'https://a.example/jwks', jwks: { keys: [one.jwk] } },
      { jwks: { keys: [{ ...one.jwk, d: 'd' }] } },
    ]
    for (const change of wrong) expect((await call('POST', '/tenants/acme/clients', { ...base, ...change })).status).toBe(400)
  })
})
