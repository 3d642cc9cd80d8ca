/** Clients that know people by a sub of their own sector (OIDC Core §8.1), through the whole flow. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { aBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import type { TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { asOwner } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { subjectToldTo } from '../clients/subject-of-client.js'

let now: Instant = instant(Date.now())
let at: SigningIn
const told = toldRefusals()
/** What stands at the address that is asked. */
let published: unknown
const asked: string[] = []

beforeAll(async () => {
  at = await aSigningIn(() => now, {
    metrics: told.metrics,
    fetchSafely: async (url) => {
      asked.push(url)
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(published)) })
    },
  })
})
afterAll(() => at.close())
beforeEach(() => {
  now = addSeconds(now, 100_000)
})

const owner = <Row = Record<string, unknown>>(sql: string, ...more: readonly unknown[]) =>
  asOwner<Row>(at.fixture.ownerUrl, sql, [at.acme.tenantId, ...more])
let made = 0
type Body = Record<string, unknown>
async function admin(method: string, path: string, body?: object): Promise<{ status: number; body: Body }> {
  const response = await fetch(`${at.broker.url}/admin/v1/tenants/acme${path}`, {
    method,
    headers: { authorization: `Bearer ${at.broker.adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}
/** Known by an admin, like the one that the tests have, and with a sector of its own unless it is told one. */
async function aClient(sector: string | null = `client:${made}`): Promise<ClientId> {
  made += 1
  const id = `client-${made}` as ClientId
  await owner(
    `INSERT INTO clients SELECT (jsonb_populate_record(c, jsonb_build_object('client_id', $2::text, 'sector_identifier', $3::text))).* FROM clients c
     WHERE tenant_id = $1 AND client_id = $4`,
    id,
    sector,
    at.acme.clientId,
  )
  return id
}
type Tokens = TokenAnswer & { readonly id_token: string }
async function signIn(clientId: ClientId, sub = 'ada'): Promise<Tokens> {
  at.idp.says = { sub, groups: ['staff'], amr: ['pwd', 'otp'] }
  const browser = at.browser()
  const url = anAuthorizeUrl(at.issuer, { ...at.acme, clientId }, { scope: 'openid read' })
  const home = await browser.comeHome(await browser.visit(url), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return (await at.client.post('token', { ...form, client_id: clientId, resource: at.acme.resource })) as Tokens
}
const knownAs = ({ id_token: token }: Tokens) => decodeJwt(token).sub
async function userinfo({ access_token: token }: Tokens) {
  const answer = await fetch(`${at.broker.url}/t/acme/userinfo`, { headers: { authorization: `Bearer ${token}` } })
  return (await answer.json()) as Body
}

describe('a client with a sector of its own', () => {
  it('knows a person by the same sub at each sign-in and at userinfo, and by another than everybody is told', async () => {
    const [id, everybody] = [await aClient(), await aClient(null)]
    const [first, again, public_] = [await signIn(id), await signIn(id), await signIn(everybody)]
    expect(knownAs(first)).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(knownAs(again)).toBe(knownAs(first))
    expect(knownAs(first)).not.toBe(knownAs(public_))
    expect(await userinfo(first)).toEqual({ sub: knownAs(first) })
    expect(await userinfo(public_)).toEqual({ sub: knownAs(public_) })
  })
  it('and another of another sector cannot find out that they speak of the same person; of one sector they can', async () => {
    const sectors = ['a.example', 'b.example', 'a.example']
    const subs = []
    for (const sector of sectors) subs.push(knownAs(await signIn(await aClient(sector))))
    expect(subs[2]).toBe(subs[0])
    expect(subs[1]).not.toBe(subs[0])
  })
  it('knows two people by two subs', async () => {
    const id = await aClient()
    expect(knownAs(await signIn(id))).not.toBe(knownAs(await signIn(id, 'ben')))
  })
  it('brings resource servers the sub that everybody is told, by which notices name her', async () => {
    const [id, everybody] = [await aClient(), await aClient(null)]
    const [own, others] = [await signIn(id), await signIn(everybody)]
    const { sub } = decodeJwt(own.access_token)
    expect(sub).toBe(decodeJwt(others.access_token).sub)
    expect(await at.client.introspect(own.access_token)).toMatchObject({ active: true, sub })
    expect(await owner('SELECT 1 FROM subjects WHERE tenant_id = $1 AND id::text = $2', sub)).toHaveLength(1)
  })
  it('goes on with a refresh, and its new access token tells userinfo the same', async () => {
    const id = await aClient()
    const tokens = await signIn(id)
    const fresh = await at.client.post('token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: id })
    expect(await userinfo(fresh as Tokens)).toEqual({ sub: knownAs(tokens) })
    expect(knownAs(fresh as Tokens)).toBe(knownAs(tokens))
  })
})

describe('the key behind it', () => {
  it('is made once, when many brokers need the first at once, and rests sealed', async () => {
    await owner('DELETE FROM pairwise_keys WHERE tenant_id = $1')
    const brokers = await Promise.all([1, 2, 3].map(() => aBroker(at.fixture.database, { clock: { now: () => now } })))
    try {
      const subs = await Promise.all(
        [...brokers, ...brokers].map(async ({ deps }) => {
          const tenant = await deps.configuration.find('acme')
          if (!tenant) throw new Error('no tenant')
          return subjectToldTo(deps, tenant, { sectorIdentifier: 'a.example' }, 'ada')
        }),
      )
      expect(new Set(subs).size).toBe(1)
      at.broker.deps.configuration.invalidate()
      const tenant = await at.broker.deps.configuration.find('acme')
      const key = tenant?.pairwiseKey()
      expect(key).toHaveLength(32)
      const rows = await owner<{ sealed: Buffer }>('SELECT sealed_key AS sealed FROM pairwise_keys WHERE tenant_id = $1')
      expect(rows).toHaveLength(1)
      expect(rows[0]?.sealed.includes(key as Buffer)).toBe(false)
    } finally {
      for (const broker of brokers) await broker.close()
    }
  })
})

describe('what a client registers', () => {
  const register = async (body: object) => {
    const response = await fetch(`${at.broker.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'none', ...body }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, string> }
  }
  const byDefault = async (pairwiseByDefault: boolean) => {
    expect((await admin('PUT', '/subject-types', { pairwiseByDefault })).status).toBe(200)
    expect((await admin('GET', '/subject-types')).body).toEqual({ pairwiseByDefault })
  }
  const sectorOf = async (id: unknown) => (await admin('GET', `/clients/${String(id)}`)).body['sectorIdentifier']

  it('is public by itself, and pairwise by its own word, which the answer says', async () => {
    expect(await register({})).toMatchObject({ status: 201, body: { subject_type: 'public' } })
    const { body } = await register({ subject_type: 'pairwise' })
    expect([body['subject_type'], await sectorOf(body['client_id'])]).toEqual(['pairwise', 'app.example'])
    expect((await register({ subject_type: 'secret' })).status).toBe(400)
  })
  it('is pairwise where the tenant wants that, whatever it says; an admin may register another, and who was known stays as he is', async () => {
    const before = await register({})
    await byDefault(true)
    try {
      for (const said of [{}, { subject_type: 'public' }]) expect((await register(said)).body['subject_type']).toBe('pairwise')
      const create = async (more: object) =>
        (await admin('POST', '/clients', { name: 'Agent', redirectUris: ['https://agent.example/cb'], ...more })).body
      expect(await create({})).toMatchObject({ subjectType: 'pairwise', sectorIdentifier: 'agent.example' })
      expect(await create({ subjectType: 'public' })).toMatchObject({ subjectType: 'public', sectorIdentifier: null })
      const replaced = await fetch(`${at.broker.url}/t/acme/register/${before.body['client_id']}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${before.body['registration_access_token']}` },
        body: JSON.stringify({
          client_id: before.body['client_id'],
          redirect_uris: ['https://app.example/cb'],
          token_endpoint_auth_method: 'none',
        }),
      })
      expect(await replaced.json()).toMatchObject({ subject_type: 'public' })
    } finally {
      await byDefault(false)
    }
  })
  it('names a sector_identifier_uri at its own host alone, which lists all of its redirect URIs', async () => {
    const uri = 'https://app.example/sector.json'
    published = ['https://app.example/cb', 'https://app.example/other']
    const { status, body } = await register({ subject_type: 'pairwise', sector_identifier_uri: uri })
    expect([status, body['sector_identifier_uri'], await sectorOf(body['client_id'])]).toEqual([201, uri, 'app.example'])
    const before = asked.length
    for (const other of ['https://victim.example/sector.json', 'http://app.example/sector.json', 'https://app.example/sector.json#x'])
      expect(await register({ sector_identifier_uri: other })).toMatchObject({ status: 400, body: { error: 'invalid_client_metadata' } })
    expect(asked).toHaveLength(before)
    for (const bad of [['https://app.example/other'], { uris: [] }, 'https://app.example/cb']) {
      published = bad
      told.take()
      expect(await register({ sector_identifier_uri: uri })).toMatchObject({ status: 400, body: { error: 'invalid_client_metadata' } })
      expect(told.take()).toEqual(['registration_sector_identifier'])
    }
  })
  it('shares a sector over several hosts where an admin registers it', async () => {
    const uris = ['https://one.example/cb', 'https://two.example/cb']
    published = uris
    const create = (redirectUris: readonly string[]) =>
      admin('POST', '/clients', {
        name: 'Suite',
        redirectUris,
        subjectType: 'pairwise',
        sectorIdentifierUri: 'https://suite.example/uris.json',
      })
    expect((await create(uris)).body).toMatchObject({
      sectorIdentifier: 'suite.example',
      sectorIdentifierUri: 'https://suite.example/uris.json',
    })
    const refused = await create([...uris, 'https://three.example/cb'])
    expect([refused.status, refused.body['type']]).toEqual([400, 'urn:drawbridge:error:sector_identifier_unusable'])
  })
  it('says it in a document, too, and has a sector of its own there', async () => {
    const id = 'https://docs.example/client.json'
    published = { client_id: id, client_name: 'Tools', redirect_uris: [aWebRedirectUri], subject_type: 'pairwise' }
    await at.browser().visit(anAuthorizeUrl(at.issuer, { ...at.acme, clientId: id as ClientId }, { scope: 'openid read' }))
    expect(await sectorOf(encodeURIComponent(id))).toBe(`client:${id}`)
  })
})

it('an issuer says that it knows both types', async () => {
  const metadata = (await (await fetch(`${at.broker.url}/t/acme/.well-known/openid-configuration`)).json()) as Body
  expect(metadata['subject_types_supported']).toEqual(['public', 'pairwise'])
})
