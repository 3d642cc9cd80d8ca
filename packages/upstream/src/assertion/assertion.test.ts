/** What a trust may say, whose assertion a text claims to be, and what no text can bring about. */
import { generateKeyPairSync } from 'node:crypto'
import { instant, toSeconds } from '@drawbridge/core/instant'
import { err } from '@drawbridge/core/result'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { keysOfParty } from '../oidc/party-signature.js'
import { type AssertionTrust, parseAssertionTrust } from './trust.js'
import { assertionLimits, claimedTrust, verifyAssertion } from './verify-assertion.js'

const now = instant(1_800_000_000_000)
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k' }
const issuer = 'https://idp.example'
const jwks = { keys: [jwk] }
const trustOf = (change: Record<string, unknown> = {}): AssertionTrust => {
  const parsed = parseAssertionTrust({ issuer, jwks, ...change })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value
}
const nothingIsFetched = () => Promise.resolve(err({ reason: 'fetch_refused' as never }))
const verify = (assertion: string, trust = trustOf()) =>
  verifyAssertion(nothingIsFetched as never, trust, {
    ...{
      assertion,
      connectionId: 'c' as never,
      audience: 'https://us.example/t/acme',
      tokenEndpoint: 'https://us.example/t/acme/token',
      audTenant: { is: 'acme', demanded: false },
      now,
    },
  })
const claims = {
  ...{ iss: issuer, sub: 'ada', aud: 'https://us.example/t/acme', client_id: 'agent', jti: 'j' },
  ...{ iat: toSeconds(now), exp: toSeconds(now) + 60 },
}
const sign = (change: Record<string, unknown> = {}, header: Record<string, string> = {}) =>
  signForeignJwt(
    { algorithm: 'ES256', privateKey: pair.privateKey },
    { kid: 'k', typ: 'oauth-id-jag+jwt', ...header },
    { ...claims, ...change },
  )

describe('a trust', () => {
  it('demands an ID-JAG, once, of a confidential client, unless it says otherwise', () => {
    expect(trustOf()).toMatchObject({
      ...{ profile: 'id-jag', jtiReuse: false, publicClients: false, mostLifeSeconds: 300, freshnessEvidence: 'auth_time' },
      ...{ tenant: undefined, peopleOf: undefined },
    })
  })

  test.each([
    { what: 'an unknown member', change: { issur: 'x' }, member: 'configuration' },
    { what: 'keys and an address of keys', change: { jwksUri: `${issuer}/keys` }, member: 'jwks' },
    { what: 'neither', change: { jwks: undefined }, member: 'jwks' },
    { what: 'a private key', change: { jwks: { keys: [pair.privateKey.export({ format: 'jwk' })] } }, member: 'jwks' },
    { what: 'a shared secret', change: { jwks: { keys: [jwk, { kty: 'oct', k: 'AAAA' }] } }, member: 'jwks' },
    { what: 'an algorithm of shared secrets', change: { algorithms: ['HS256'] }, member: 'algorithms.0' },
    { what: 'other assertions of nobody in particular', change: { profile: 'rfc7523' }, member: 'clients' },
    { what: 'an issuer of everybody', change: { issuer: 'https://accounts.google.com' }, member: 'tenant' },
    { what: 'assertions that live for a day', change: { mostLifeSeconds: 86_400 }, member: 'mostLifeSeconds' },
    {
      what: 'two names of a person',
      change: { peopleOf: { connection: crypto.randomUUID(), key: 'sub' }, stableIdAttribute: 'oid' },
      member: 'peopleOf',
    },
    { what: 'a mapping that writes what it must not', change: { mapping: { claims: { acr: { from: ['x'] } } } }, member: 'mapping' },
  ])('is refused with $what', ({ change, member }) => {
    const parsed = parseAssertionTrust({ issuer, jwks, ...change })
    expect(parsed).toMatchObject({ ok: false, error: { reason: 'connection_configuration_invalid', detail: { member } } })
  })

  test.each([{ issuer: 'http://idp.example' }, { jwks: undefined, jwksUri: 'ftp://idp.example' }, { issuer: 'https://a:b@idp.example' }])(
    'is refused with an address that is not safe: %j',
    (change) => {
      expect(parseAssertionTrust({ issuer, jwks, ...change })).toMatchObject({ ok: false, error: { reason: 'connection_url_insecure' } })
    },
  )

  it('is read or refused, whatever it says', () => {
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom('issuer', 'jwks', 'jwksUri', 'clients', 'tenant', 'mapping', 'peopleOf') }), (value) => {
        expect(typeof parseAssertionTrust(value).ok).toBe('boolean')
      }),
    )
  })

  it('of keys that cannot be fetched has none', async () => {
    expect(await keysOfParty(nothingIsFetched as never, trustOf({ jwks: undefined, jwksUri: `${issuer}/keys` }), now)).toBeUndefined()
    expect(await keysOfParty(nothingIsFetched as never, trustOf(), now)).toHaveLength(1)
  })
})

describe('whose an assertion claims to be', () => {
  const trusts = [
    { trust: trustOf({ tenant: 'acme' }) },
    { trust: trustOf({ tenant: 'globex' }) },
    { trust: trustOf({ issuer: 'https://b.example', tenant: 'acme' }) },
    { trust: trustOf({ issuer: 'https://b.example' }) },
  ]
  test.each([
    { what: 'the one of its company', said: { tenant: 'globex' }, found: 1 },
    { what: 'the first of its issuer, which refuses it, where its company is none of them', said: { tenant: 'x' }, found: 0 },
    { what: 'that of no company, where its company is none of the others', said: { iss: 'https://b.example', tenant: 'x' }, found: 3 },
    { what: 'the one of its issuer', said: { iss: 'https://b.example' }, found: 3 },
    { what: 'nobody', said: { iss: 'https://c.example' }, found: -1 },
  ])('$what', ({ said, found }) => {
    expect(trusts.indexOf(claimedTrust(sign(said), trusts) as never)).toBe(found)
  })
})

describe('an assertion', () => {
  it('is believed with what it says, and is remembered until it is too old for itself', async () => {
    expect(await verify(sign({ scope: 'read openid', resource: 'https://mcp.example', acr: 'a', amr: ['pwd', 7] }))).toMatchObject({
      ok: true,
      value: { sub: 'ada', clientId: 'agent', scopes: ['read'], resource: 'https://mcp.example', acr: 'a', amr: ['pwd'] },
    })
    const ends = instant((toSeconds(now) + 60 + assertionLimits.skewSeconds + 1) * 1000)
    expect(await verify(sign())).toMatchObject({ ok: true, value: { replayableUntil: ends, authTime: undefined, scopes: undefined } })
  })

  test.each([
    {
      what: 'one second before its end and the skew',
      at: { exp: toSeconds(now) - assertionLimits.skewSeconds + 1, iat: toSeconds(now) - 200 },
      ok: true,
    },
    { what: 'at its end and the skew', at: { exp: toSeconds(now) - assertionLimits.skewSeconds, iat: toSeconds(now) - 200 }, ok: false },
    { what: 'made within the skew from now', at: { iat: toSeconds(now) + assertionLimits.skewSeconds }, ok: true },
    { what: 'as long as allowed', at: { exp: toSeconds(now) + 300 }, ok: true },
    { what: 'a second longer', at: { exp: toSeconds(now) + 301 }, ok: false },
  ])('$what is believed=$ok', async ({ at, ok }) => {
    expect((await verify(sign(at))).ok).toBe(ok)
  })

  it('of another algorithm than the trust names is refused', async () => {
    expect(await verify(sign(), trustOf({ algorithms: ['RS256'] }))).toMatchObject({ ok: false, error: { detail: { rule: 'algorithm' } } })
  })

  it('is judged whatever the text, and none that was not signed is believed', async () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
      fc
        .record({ ...Object.fromEntries(Object.keys(claims).map((name) => [name, fc.jsonValue()])) })
        .map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
    )
    const [header = '', body = '', signature = ''] = sign().split('.')
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(header), part), part, fc.oneof(fc.constant(signature), part), async (one, two, three) => {
        const verdict = await verify(`${one}.${two}.${three}`)
        expect(verdict.ok).toBe(one === header && two === body && three === signature)
      }),
    )
  })
})
