/** Tokens that are bound to a key, through HTTP on a real database: what is issued, to whom, and every trick by which a proof is refused. RFC 9449. */
import { instant } from '@drawbridge/core/instant'
import { type OAuthErrorReason, oauthErrors } from '@drawbridge/core/oauth/error'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey, type ProofOver } from '@drawbridge/testkit/a-dpop-key'
import { aGrant, aRedirectUri, aVerifier, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { dpopAttacks } from '@drawbridge/testkit/dpop-attacks'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant
let broker: TestBroker
let other: TestBroker
let call: Call
let key: ADpopKey
const refusals = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  const clock = { now: () => now }
  broker = await aBroker(fixture.database, { clock, metrics: refusals.metrics })
  // A second process of the same installation.
  other = await aBroker(fixture.database, { clock })
  call = anAdmin(broker)
  key = await aDpopKey()
  for (const tenant of [acme, globex]) await aTokenKey(fixture, broker, tenant)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, 'robot', 'preregistered', 'Robot', '{http://127.0.0.1/callback}', '{authorization_code,refresh_token,client_credentials}', 'client_secret_post', $3, '{read,write}', $4)`,
    [acme.tenantId, acme.issuerId, hashOf('secret'), new Date(now)],
  )
  for (const name of ['read', 'write'])
    await asOwner(
      fixture.ownerUrl,
      'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)',
      [...[acme.tenantId, acme.resourceId, name]],
    )
})
afterAll(async () => {
  await broker?.close()
  await other?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await demand({})
  refusals.take()
})

/** Read at once by both processes. */
const rulesOf = (change: object) => ({ boundTokensDemanded: false, nonceDemanded: false, ...change })
async function demand(change: object): Promise<void> {
  await call('PUT', '/tenants/acme/dpop', rulesOf(change))
  for (const { deps } of [broker, other]) deps.configuration.invalidate()
}

type Answered = { readonly status: number; readonly body: Record<string, string>; readonly nonce: string | null }
type Sent = { readonly proof?: string | undefined; readonly at?: TestBroker; readonly tenant?: ATenant }

async function post(form: Record<string, string>, { proof, at = broker, tenant = acme }: Sent = {}): Promise<Answered> {
  const response = await fetch(`${at.url}/t/${tenant.slug}/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: tenant.clientId, ...form }),
    headers: proof === undefined ? {} : { dpop: proof },
  })
  return { status: response.status, body: (await response.json()) as Record<string, string>, nonce: response.headers.get('dpop-nonce') }
}
const targetAt = (tenant = acme) => ({ method: 'POST', url: `${broker.deps.settings.publicUrl}/t/${tenant.slug}/token`, now })
const prove = (over: ProofOver = {}, by = key) => by.prove(targetAt(), over)
const codeForm = (code: string) => ({ grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier })
const refreshForm = (token: string) => ({ grant_type: 'refresh_token', refresh_token: token })
const robotForm = () => ({ grant_type: 'client_credentials', client_id: 'robot', client_secret: 'secret', resource: acme.resource })
const aCode = async (dpopKey?: string): Promise<string> => (await aGrant(fixture, acme, { now, ...(dpopKey ? { dpopKey } : {}) })).code
const redeem = async (sent: Sent = {}, code?: string) => post(codeForm(code ?? (await aCode())), sent)
const bound = async (): Promise<Record<string, string>> => (await redeem({ proof: await prove() })).body
const refresh = (token: string | undefined, sent: Sent = {}) => post(refreshForm(token ?? ''), sent)
const boundKeyOf = (token: string | undefined) => (decodeJwt(token ?? '')['cnf'] as { jkt: string } | undefined)?.jkt

/** Refused for this reason, told by the catalogue's words for it and no others. */
function expectRefused({ status, body }: Answered, reason: OAuthErrorReason): void {
  expect(refusals.take().at(-1)).toBe(reason)
  const { code, say, status: expected } = oauthErrors[reason]
  expect({ status, body }).toEqual({ status: expected, body: { error: code, error_description: say } })
}

describe('what is issued to whoever proves a key (RFC 9449 §5, §6)', () => {
  it('is bound to the key: access token, its type, and what introspection says', async () => {
    const { body } = await redeem({ proof: await prove() })
    expect(body['token_type']).toBe('DPoP')
    expect(boundKeyOf(body['access_token'])).toBe(key.thumbprint)
    const told = await aTokenClient(broker, acme).introspect(body['access_token'] ?? '')
    expect(told).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: key.thumbprint } })
  })

  it('is a bearer token without a proof', async () => {
    const { body } = await redeem()
    expect(body['token_type']).toBe('Bearer')
    expect(boundKeyOf(body['access_token'])).toBeUndefined()
    expect(await aTokenClient(broker, acme).introspect(body['access_token'] ?? '')).toMatchObject({ token_type: 'Bearer' })
  })

  it.each(['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'])('takes a key for %s', async (algorithm) => {
    const made = await aDpopKey(algorithm)
    const { body } = await redeem({ proof: await prove({}, made) })
    expect(boundKeyOf(body['access_token'])).toBe(made.thumbprint)
  })

  it('takes an RSA key of 4096 bits', async () => {
    const made = await aDpopKey('PS256', { modulusLength: 4096 })
    expect((await redeem({ proof: await prove({}, made) })).status).toBe(200)
  })

  it('is given to a client in its own name, too, bound to its key', async () => {
    const { body } = await post(robotForm(), { proof: await prove() })
    expect(body['token_type']).toBe('DPoP')
    expect(boundKeyOf(body['access_token'])).toBe(key.thumbprint)
  })

  it.each([
    ['scheme and host in capitals', (url: string) => url.replace('http://localhost', 'HTTP://LOCALHOST')],
    ['a query and a fragment', (url: string) => `${url}?a=b#c`],
    ['a dot segment', (url: string) => url.replace('/token', '/x/../token')],
  ])('takes an address that is the same by RFC 3986 §6.2: with %s', async (_, change) => {
    expect((await redeem({ proof: await prove({ claims: { htu: change(targetAt().url) } }) })).status).toBe(200)
  })
})

describe('a proof is refused, and nothing used up,', () => {
  it.each(dpopAttacks)('when $when', async ({ header, reason }) => {
    const code = await aCode()
    expectRefused(await redeem({ proof: await header({ key, ...targetAt() }) }, code), reason as OAuthErrorReason)
    expect((await redeem({ proof: await prove() }, code)).status).toBe(200)
  })

  it('when two came in two headers, as the wire has them', async () => {
    const [code, one, two] = [await aCode(), await prove(), await prove()]
    const headers = new Headers([
      ['dpop', one],
      ['dpop', two],
    ])
    const body = new URLSearchParams({ client_id: acme.clientId, ...codeForm(code) })
    const response = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body, headers })
    expect(await response.json()).toMatchObject({ error: 'invalid_dpop_proof' })
    expect(refusals.take()).toEqual(['dpop_proof_malformed'])
  })

  it('whatever the Host header says of where it was sent', async () => {
    const proof = await key.prove({ ...targetAt(), url: `${broker.url}/t/acme/token` })
    expectRefused(await redeem({ proof }), 'dpop_proof_of_other_request')
  })

  it('when it is of the token endpoint of another tenant', async () => {
    expectRefused(await redeem({ proof: await key.prove(targetAt(globex)) }), 'dpop_proof_of_other_request')
  })
})

describe('a proof is believed once (RFC 9449 §11.1)', () => {
  it('at each grant type, and the second request uses nothing up', async () => {
    const { refresh_token: token } = await bound()
    const proof = await prove()
    expect((await post(robotForm(), { proof })).status).toBe(200)
    expectRefused(await post(robotForm(), { proof }), 'dpop_proof_replayed')
    const code = await aCode()
    expectRefused(await redeem({ proof }, code), 'dpop_proof_replayed')
    expectRefused(await refresh(token, { proof }), 'dpop_proof_replayed')
    expect((await redeem({ proof: await prove() }, code)).status).toBe(200)
    expect((await refresh(token, { proof: await prove() })).status).toBe(200)
  })

  it('by twenty at once at two processes: one is answered, whatever they ask for', async () => {
    const proof = await prove()
    const codes = await Promise.all(Array.from({ length: 10 }, () => aCode()))
    const answers = await Promise.all([
      ...codes.map((code, n) => redeem({ proof, at: n % 2 ? broker : other }, code)),
      ...codes.map((_, n) => post(robotForm(), { proof, at: n % 2 ? broker : other })),
    ])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body['error'] === 'invalid_dpop_proof')).toHaveLength(19)
  })

  it('also by those who refresh one token at once: one rotates, the others are refused, and the family lives', async () => {
    const { refresh_token: token } = await bound()
    const proof = await prove()
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => refresh(token, { proof, at: n % 2 ? broker : other })))
    const good = answers.filter(({ status }) => status === 200)
    expect(good).toHaveLength(1)
    expect((await refresh(good[0]?.body['refresh_token'], { proof: await prove() })).status).toBe(200)
  })

  it('and its id is stored as a hash, with its end', async () => {
    await redeem({ proof: await prove({ claims: { jti: 'only-once' } }) })
    const rows = await asOwner<{ id: string; seconds: number }>(
      fixture.ownerUrl,
      `SELECT id_hash::text AS id, round(extract(epoch FROM expires_at - $1))::int AS seconds FROM replays WHERE kind = 'dpop_proof' AND id_hash = $2`,
      [new Date(Math.floor(now / 1000) * 1000), hashOf(JSON.stringify([key.thumbprint, 'only-once']))],
    )
    expect(rows).toEqual([{ id: expect.not.stringContaining('only-once'), seconds: 120 }])
  })

  it('of its own key: what another key called its proof stands in nobody’s way', async () => {
    const another = await aDpopKey()
    expect((await redeem({ proof: await prove({ claims: { jti: 'same' } }, another) })).status).toBe(200)
    expect((await redeem({ proof: await prove({ claims: { jti: 'same' } }) })).status).toBe(200)
  })
})

describe('a refresh token of a public client is bound to the key (RFC 9449 §5)', () => {
  it('so a thief without the key gets nothing, and cannot have its family killed either', async () => {
    const { refresh_token: token } = await bound()
    const { body } = await refresh(token, { proof: await prove() })
    const thief = await aDpopKey()
    now = instant(now + 60_000)
    for (const stolen of [token, body['refresh_token']]) {
      expectRefused(await refresh(stolen), 'refresh_token_of_other_key')
      expectRefused(await refresh(stolen, { proof: await prove({}, thief) }), 'refresh_token_of_other_key')
    }
    expect((await refresh(body['refresh_token'], { proof: await prove() })).body['token_type']).toBe('DPoP')
  })

  it('and its successor inside the grace is told to the same key alone', async () => {
    const { refresh_token: token } = await bound()
    const first = await refresh(token, { proof: await prove() })
    expect((await refresh(token, { proof: await prove() })).body['refresh_token']).toBe(first.body['refresh_token'])
    expectRefused(await refresh(token, { proof: await prove({}, await aDpopKey()) }), 'refresh_token_of_other_key')
    expectRefused(await refresh(token), 'refresh_token_of_other_key')
  })

  it('from the first refresh with a proof on, where it was not before', async () => {
    const { body } = await redeem()
    const upgraded = await refresh(body['refresh_token'], { proof: await prove() })
    expect(upgraded.body['token_type']).toBe('DPoP')
    expectRefused(await refresh(upgraded.body['refresh_token']), 'refresh_token_of_other_key')
  })

  it('and dies with its grant, whoever has the key', async () => {
    const tokens = await bound()
    await fetch(`${broker.url}/t/acme/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token: tokens['refresh_token'] ?? '', client_id: acme.clientId }),
    })
    expectRefused(await refresh(tokens['refresh_token'], { proof: await prove() }), 'grant_revoked')
    expect(await aTokenClient(broker, acme).introspect(tokens['access_token'] ?? '')).toEqual({ active: false })
  })

  it('while a client that proves itself may change its key', async () => {
    const robot = { ...acme, clientId: 'robot' as ATenant['clientId'] }
    const { code } = await aGrant(fixture, robot, { now })
    const by = { client_id: 'robot', client_secret: 'secret' }
    const { body } = await post({ ...codeForm(code), ...by }, { proof: await prove() })
    const newKey = await aDpopKey()
    const refreshed = await post({ ...refreshForm(body['refresh_token'] ?? ''), ...by }, { proof: await prove({}, newKey) })
    expect(boundKeyOf(refreshed.body['access_token'])).toBe(newKey.thumbprint)
  })
})

describe('a code that was asked for with dpop_jkt (RFC 9449 §10)', () => {
  it('is redeemed by whoever proves that key, and by nobody else', async () => {
    const code = await aCode(key.thumbprint)
    expectRefused(await redeem({}, code), 'code_of_other_key')
    expectRefused(await redeem({ proof: await prove({}, await aDpopKey()) }, code), 'code_of_other_key')
    expect((await redeem({ proof: await prove() }, code)).status).toBe(200)
  })

  it.each(['short', 'x'.repeat(44), `${'x'.repeat(42)}=`])('is not even begun for what is no thumbprint: %s', async (thumbprint) => {
    const query = new URLSearchParams({
      ...{ response_type: 'code', client_id: acme.clientId, redirect_uri: aRedirectUri, resource: acme.resource, state: 's' },
      ...{ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', dpop_jkt: thumbprint },
    })
    await fetch(`${broker.url}/t/acme/authorize?${query}`, { redirect: 'manual' })
    expect(refusals.take()).toEqual(['authorization_parameter_malformed'])
  })
})

describe('a nonce (RFC 9449 §8)', () => {
  it('is neither demanded nor told where nobody chose so', async () => {
    expect((await redeem({ proof: await prove() })).nonce).toBeNull()
  })

  it('is told with the refusal where it is demanded, is good at any process, and comes with each answer', async () => {
    await demand({ nonceDemanded: true })
    const code = await aCode()
    const asked = await redeem({ proof: await prove() }, code)
    expectRefused(asked, 'dpop_nonce_missing')
    expect(asked.nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{20,}$/)
    const answered = await redeem({ proof: await prove({ claims: { nonce: asked.nonce } }), at: other }, code)
    expect(answered).toMatchObject({ status: 200, nonce: asked.nonce })
    expect((await redeem()).nonce).toBeNull()
  })

  it('is good in its epoch and the next, and for no longer', async () => {
    await demand({ nonceDemanded: true })
    const { nonce } = await redeem({ proof: await prove() })
    const told = now
    now = instant(Math.floor(told / 300_000) * 300_000 + 599_000)
    expect((await redeem({ proof: await prove({ claims: { nonce } }) })).status).toBe(200)
    now = instant(now + 1000)
    const late = await redeem({ proof: await prove({ claims: { nonce } }) })
    expectRefused(late, 'dpop_nonce_missing')
    expect(late.nonce).not.toBe(nonce)
  })

  it('of another tenant, or of nobody, is worth nothing, also where none is demanded', async () => {
    await call('PUT', '/tenants/globex/dpop', rulesOf({ nonceDemanded: true }))
    broker.deps.configuration.invalidate()
    const form = { ...codeForm('dbc_none'), client_id: globex.clientId }
    const { nonce } = await post(form, { tenant: globex, proof: await key.prove(targetAt(globex)) })
    expect(nonce).not.toBeNull()
    for (const wrong of [nonce, 'none', `1.${'A'.repeat(43)}`, `9.${'A'.repeat(43)}`]) {
      const answered = await redeem({ proof: await prove({ claims: { nonce: wrong } }) })
      expectRefused(answered, 'dpop_nonce_missing')
      expect(answered.nonce).not.toBeNull()
    }
    expectRefused(await redeem({ proof: await prove({ claims: { nonce: 5 } }) }), 'dpop_proof_malformed')
  })
})

describe('a proof is demanded', () => {
  it.each(['boundTokensDemanded', 'nonceDemanded'])('no less because somebody left %s out', async (member) => {
    const { [member]: _, ...rest } = rulesOf({}) as Record<string, boolean>
    const refusedRules = await call('PUT', '/tenants/acme/dpop', rest)
    expect(refusedRules).toMatchObject({ status: 400, body: { errors: [{ path: member }] } })
    expect((await call('GET', '/tenants/acme/dpop')).body).toEqual(rulesOf({}))
  })

  const withoutProof = async () => expectRefused(await redeem(), 'dpop_proof_missing')

  it('of every client where the tenant demands it, at every grant type', async () => {
    const { refresh_token: token } = (await redeem()).body
    await demand({ boundTokensDemanded: true })
    await withoutProof()
    expectRefused(await refresh(token), 'dpop_proof_missing')
    expectRefused(await post(robotForm()), 'dpop_proof_missing')
    expect((await post(robotForm(), { proof: await prove() })).status).toBe(200)
    expect((await refresh(token, { proof: await prove() })).body['token_type']).toBe('DPoP')
  })

  it('as soon as the rule is committed, by a process that has not heard of it', async () => {
    await redeem()
    await call('PUT', '/tenants/acme/dpop', rulesOf({ boundTokensDemanded: true }))
    await withoutProof()
    await demand({})
    expect((await post(robotForm())).status).toBe(200)
    await call('PUT', '/tenants/acme/dpop', rulesOf({ boundTokensDemanded: true }))
    expectRefused(await post(robotForm()), 'dpop_proof_missing')
  })

  it('of a client that said so when it was registered, by itself or by an admin', async () => {
    const { body } = await call('POST', '/tenants/acme/clients', {
      ...{ clientId: 'careful', name: 'Careful', redirectUris: [aRedirectUri], dpopBoundAccessTokens: true },
    })
    expect(body.dpopBoundAccessTokens).toBe(true)
    const careful = { ...acme, clientId: 'careful' as ATenant['clientId'] }
    const { code } = await aGrant(fixture, careful, { now })
    expectRefused(await post({ ...codeForm(code), client_id: 'careful' }), 'dpop_proof_missing')
    const { status } = await post({ ...codeForm(code), client_id: 'careful' }, { proof: await prove() })
    expect(status).toBe(200)
    const changed = await call('PATCH', '/tenants/acme/clients/careful/registration', { dpopBoundAccessTokens: false })
    expect(changed.body.dpopBoundAccessTokens).toBe(false)
    const registered = await fetch(`${broker.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [aRedirectUri], token_endpoint_auth_method: 'none', dpop_bound_access_tokens: true }),
    })
    const told = (await registered.json()) as Record<string, unknown>
    expect(told['dpop_bound_access_tokens']).toBe(true)
    const itself = { ...acme, clientId: told['client_id'] as ATenant['clientId'] }
    const waiting = await aGrant(fixture, itself, { now })
    expectRefused(await post({ ...codeForm(waiting.code), client_id: itself.clientId }), 'dpop_proof_missing')
  })
})

it('the metadata name the algorithms of proofs, and browsers of other origins may send one and read the nonce (RFC 9449 §5.1)', async () => {
  const metadata = await fetch(`${broker.url}/.well-known/oauth-authorization-server/t/acme`)
  expect(await metadata.json()).toMatchObject({ dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] })
  const preflight = await fetch(`${broker.url}/t/acme/token`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'dpop' },
  })
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/\bdpop\b/)
  const answered = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', headers: { origin: 'https://app.example' } })
  expect(answered.headers.get('access-control-expose-headers')).toMatch(/\bdpop-nonce\b/)
})

it('reads what the store holds of a tenant’s rules strictly: what is not readable demands everything', async () => {
  await asOwner(fixture.ownerUrl, `UPDATE tenants SET dpop = '{"boundTokensDemanded": "perhaps"}' WHERE id = $1`, [acme.tenantId])
  broker.deps.configuration.invalidate()
  expectRefused(await redeem(), 'dpop_proof_missing')
})
