/** A client's logo as an admin looks at it and lets people see it: the picture that she saw and no other. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aPng } from '@drawbridge/testkit/a-picture'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveClient } from '../clients/resolve-client.js'
import type { ResolvedTenant } from '../http/tenant.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let call: Call
/** What stands at an address: JSON of an object, or octets, or a status. */
const published = new Map<string, object | Buffer | number>()
const url = 'https://tools.example/client.json'
const logoUri = 'https://cdn.tools.example/logo.png'
const [picture, other] = [aPng({ width: 48, height: 32 }), aPng({ width: 49, height: 32 })]

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (at, { maxBytes }) => {
      const found = published.get(at)
      if (found === undefined) return err({ reason: 'address_refused' })
      if (typeof found === 'number') return ok({ status: found, headers: {}, body: Buffer.from('') })
      // Called a picture of another kind, or none at all: only its octets count.
      if (Buffer.isBuffer(found))
        return found.length > maxBytes
          ? err({ reason: 'too_large' })
          : ok({ status: 200, headers: { 'content-type': 'image/svg+xml' }, body: found })
      const body = Buffer.from(JSON.stringify({ client_id: at, ...found }))
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body })
    },
  })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  published.set(logoUri, picture)
  await publish({})
  await call('PATCH', path, { preApproved: true })
  await call('DELETE', `${path}/logo`)
})

const path = `/tenants/acme/clients/${encodeURIComponent(url)}`
const logo = `${path}/logo`
/** What the client says from now on, when the copy of before has lapsed. */
async function publish(change: object) {
  published.set(url, { client_name: 'Tools', redirect_uris: ['https://tools.example/cb'], logo_uri: logoUri, ...change })
  now = addSeconds(now, 90_000)
  return resolveClient(broker.deps, (await broker.deps.configuration.find('acme')) as ResolvedTenant, url, 'authorize')
}
const look = async () => (await call('POST', `${logo}/look`)).body
const approve = (digest: string) => call('PUT', logo, { digest })
const read = async () => (await call('GET', logo)).body
const refusal = (reason: string, status: number) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })

it('is looked at without being kept, and approved by the digest of what was seen', async () => {
  const seen = await look()
  expect(seen).toMatchObject({ logoUri, mediaType: 'image/png', width: 48, height: 32, picture: picture.toString('base64') })
  expect(await call('GET', logo)).toMatchObject(refusal('not_found', 404))
  expect((await approve(seen.digest)).status).toBe(204)
  const { picture: kept, digest, shown } = await read()
  expect({ kept, digest, shown }).toEqual({ kept: picture.toString('base64'), digest: seen.digest, shown: true })
  const trail = await asOwner(
    fixture.ownerUrl,
    "SELECT detail ->> 'digest' AS digest FROM audit_events WHERE kind = 'client.logo_approved'",
  )
  expect(trail).toContainEqual({ digest: seen.digest })
})

it('is not approved where something else stands by now, and what was approved before stays', async () => {
  const { digest } = await look()
  await approve(digest)
  published.set(logoUri, other)
  const another = await look()
  published.set(logoUri, picture)
  expect(await approve(another.digest)).toMatchObject(refusal('client_logo_changed', 409))
  expect(await read()).toMatchObject({ digest, shown: true })
})

it('stays as it was approved when its publisher replaces it, and goes when she withdraws it', async () => {
  const { digest } = await look()
  await approve(digest)
  published.set(logoUri, other)
  await publish({})
  expect(await read()).toMatchObject({ digest, shown: true })
  expect((await call('DELETE', logo)).status).toBe(204)
  expect(await call('GET', logo)).toMatchObject(refusal('not_found', 404))
  expect(await call('DELETE', logo)).toMatchObject(refusal('not_found', 404))
})

it('is shown no more where the client names another address, is not approved any more, or is blocked; an address alone costs no approval', async () => {
  await approve((await look()).digest)
  await publish({ logo_uri: 'https://cdn.tools.example/new.png' })
  expect([await read(), (await call('GET', path)).body]).toMatchObject([{ shown: false }, { preApproved: true }])
  await publish({})
  expect(await read()).toMatchObject({ shown: true })
  await publish({ client_name: 'Another name' })
  expect(await read()).toMatchObject({ shown: false })
  await call('PATCH', path, { preApproved: true, blocked: true })
  expect(await read()).toMatchObject({ shown: false })
  await call('PATCH', path, { blocked: false })
  expect(await read()).toMatchObject({ shown: true })
})

describe('what is no picture is refused, whatever its publisher calls it', () => {
  it.each<{ what: string; found: Buffer | number | undefined; why: string }>([
    { what: 'an SVG', found: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), why: 'logo_not_a_picture' },
    { what: 'a page', found: Buffer.from('<!doctype html><script>alert(1)</script>'), why: 'logo_not_a_picture' },
    { what: 'a picture that is too wide', found: aPng({ width: 1025 }), why: 'logo_too_large' },
    { what: 'a picture of too many octets', found: Buffer.concat([picture, Buffer.alloc(131_072)]), why: 'logo_too_large' },
    { what: 'nothing', found: 404, why: 'logo_unreachable: status 404' },
    { what: 'an address inside our network', found: undefined, why: 'logo_unreachable: address_refused' },
  ])('$what', async ({ found, why }) => {
    if (found === undefined) published.delete(logoUri)
    else published.set(logoUri, found)
    const refused = {
      status: 424,
      body: { type: 'urn:drawbridge:error:client_logo_unusable', errors: [{ path: 'logoUri', message: why }] },
    }
    expect(await call('POST', `${logo}/look`)).toMatchObject(refused)
    expect(await approve('x')).toMatchObject(refused)
  })
})

it.each([undefined, 'http://tools.example/logo.png', 'data:image/png;base64,AAAA', 7])(
  'a client that says of its logo %s has none, and is a client all the same',
  async (logo_uri) => {
    expect((await publish({ logo_uri })).ok).toBe(true)
    expect((await call('GET', path)).body).toMatchObject({ logoUri: null })
    expect(await call('POST', `${logo}/look`)).toMatchObject(refusal('not_found', 404))
    expect(await approve('x')).toMatchObject(refusal('not_found', 404))
  },
)

it('of a client that registers itself is registered, and replaced with its registration', async () => {
  const register = (method: string, at: string, body: object, token?: string) =>
    fetch(at.replace(/^http:\/\/localhost:4400/, broker.url), {
      method,
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    }).then((response) => response.json() as Promise<Record<string, string>>)
  const metadata = { redirect_uris: ['https://tools.example/cb'], logo_uri: logoUri }
  const made = await register('POST', 'http://localhost:4400/t/acme/register', metadata)
  expect(made['logo_uri']).toBe(logoUri)
  const id = made['client_id'] ?? ''
  expect((await call('GET', `/tenants/acme/clients/${id}`)).body).toMatchObject({ logoUri })
  const replaced = await register(
    'PUT',
    made['registration_client_uri'] ?? '',
    { ...metadata, client_id: id, logo_uri: 'https://tools.example/2.png', client_secret: made['client_secret'] },
    made['registration_access_token'],
  )
  expect(replaced['logo_uri']).toBe('https://tools.example/2.png')
})
