/** Whose statements a tenant may believe, and which of them are any. */
import { generateKeyPairSync } from 'node:crypto'
import { instant, toSeconds } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { fetchPauseSeconds } from '../oidc/party-signature.js'
import { parseSoftwareStatements, softwareStatementsFromJson } from './statement-issuers.js'
import { verifyStatement } from './verify-statement.js'

const now = instant(1_800_000_000_000)
const issuer = 'https://publisher.example'
const us = 'https://us.example/t/acme'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k' }
const trusts = (change: object = {}) => {
  const parsed = parseSoftwareStatements({ required: false, issuers: [{ issuer, jwks: { keys: [jwk] }, ...change }] })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value.issuers
}
const sign = (claims: object = {}, header: object = {}, { privateKey } = pair) =>
  signForeignJwt({ algorithm: 'ES256', privateKey }, { kid: 'k', typ: 'JWT', ...header } as never, {
    ...{ iss: issuer, software_id: 'reader', redirect_uris: ['https://reader.example/callback'] },
    ...claims,
  })
const nothingIsFetched = async () => err({ reason: 'unreachable' as never })
const verify = (text: string, trusted = trusts(), fetchSafely: unknown = nothingIsFetched, when = now) =>
  verifyStatement(fetchSafely as never, trusted, { text, audiences: [us, `${us}/register`], now: when })

describe('the issuers of a tenant', () => {
  test.each([
    { what: 'nothing chosen', json: undefined, is: { required: false, issuers: [] } },
    { what: 'nonsense', json: { required: 'no' }, is: { required: true, issuers: [] } },
    {
      what: 'keys that are none any more',
      json: { required: false, issuers: [{ issuer, jwks: { keys: [{}] } }] },
      is: { required: true, issuers: [] },
    },
  ])('are by $what so, that nothing is opened by a mistake', ({ json, is }) => {
    expect(softwareStatementsFromJson(json)).toEqual(is)
  })

  const one = { issuer, jwks: { keys: [jwk] } }
  test.each([
    { what: 'an unknown member', json: { required: false, issuers: [], more: 1 }, path: '' },
    { what: 'no word on whether one is needed', json: { issuers: [] }, path: 'required' },
    { what: 'a demand that nobody can meet', json: { required: true, issuers: [] }, path: 'issuers' },
    { what: 'no keys', json: { required: false, issuers: [{ issuer }] }, path: 'issuers.0.jwks' },
    { what: 'keys twice', json: { required: false, issuers: [{ ...one, jwksUri: 'https://x.example' }] }, path: 'issuers.0.jwks' },
    {
      what: 'a private key',
      json: { required: false, issuers: [{ issuer, jwks: { keys: [pair.privateKey.export({ format: 'jwk' })] } }] },
      path: 'issuers.0.jwks',
    },
    {
      what: 'keys at no secure address',
      json: { required: false, issuers: [{ issuer, jwksUri: 'http://publisher.example' }] },
      path: 'issuers.0.jwksUri',
    },
    { what: 'shared secrets', json: { required: false, issuers: [{ ...one, algorithms: ['HS256'] }] }, path: 'issuers.0.algorithms.0' },
    { what: 'one issuer twice', json: { required: false, issuers: [one, one] }, path: 'issuers.1.issuer' },
  ])('are refused with $what', ({ json, path }) => {
    expect(parseSoftwareStatements(json)).toMatchObject({ ok: false, error: { path } })
  })
})

describe('a statement', () => {
  it('of a trusted issuer holds, with what it says, as often as it comes', async () => {
    const text = sign()
    for (let round = 0; round < 2; round += 1)
      expect(await verify(text)).toMatchObject({ ok: true, value: { text, issuer, softwareId: 'reader', mayApprove: false } })
    expect(await verify(text, trusts({ approves: true }))).toMatchObject({ ok: true, value: { mayApprove: true } })
  })

  test.each<{ what: string; claims?: object; header?: object }>([
    { what: 'without a type', header: { typ: undefined } },
    { what: 'of the type of its own', header: { typ: 'software-statement+jwt' } },
    { what: 'for us', claims: { aud: us } },
    { what: 'for us among others, by the address of registration', claims: { aud: ['https://other.example', `${us}/register`] } },
    { what: 'with times that fit', claims: { iat: toSeconds(now), nbf: toSeconds(now) - 9, exp: toSeconds(now) + 9 } },
    { what: 'without the id of its software', claims: { software_id: undefined } },
  ])('may be one $what', async ({ claims, header }) => {
    expect(await verify(sign(claims, header))).toMatchObject({ ok: true })
  })

  test.each<{ what: string; claims?: object; header?: object; rule: string }>([
    { what: 'of another type: an access token', header: { typ: 'at+jwt' }, rule: 'typ' },
    { what: 'of another type: an ID-JAG', header: { typ: 'oauth-id-jag+jwt' }, rule: 'typ' },
    { what: 'that is an ID token', claims: { nonce: 'n' }, rule: 'kind' },
    { what: 'that is an event', claims: { events: {} }, rule: 'kind' },
    { what: 'that says nothing of a client', claims: { redirect_uris: undefined, software_id: undefined, sub: 'ada' }, rule: 'kind' },
    { what: 'for somebody else', claims: { aud: 'https://other.example' }, rule: 'aud' },
    { what: 'for nobody', claims: { aud: [] }, rule: 'aud' },
    { what: 'that has ended', claims: { exp: toSeconds(now) - 60 }, rule: 'exp' },
    { what: 'that ends at no time', claims: { exp: 'never' }, rule: 'exp' },
    { what: 'of later', claims: { nbf: toSeconds(now) + 61 }, rule: 'nbf' },
    { what: 'made tomorrow', claims: { iat: toSeconds(now) + 61 }, rule: 'iat' },
    { what: 'without an issuer', claims: { iss: undefined }, rule: 'iss' },
    { what: 'about software without a name', claims: { software_id: '' }, rule: 'software_id' },
    { what: 'whose header demands something', header: { crit: ['exp'] }, rule: 'critical_header' },
    { what: 'that brings its own key', header: { jwk }, rule: 'embedded_key' },
  ])('is invalid $what', async ({ claims, header, rule }) => {
    expect(await verify(sign(claims, header))).toMatchObject({
      ok: false,
      error: { reason: 'registration_statement_invalid', detail: { rule } },
    })
  })

  it('is invalid that a stranger signed, that was changed, or that is none', async () => {
    const [header, , signature] = sign().split('.')
    const changed = `${header}.${Buffer.from(JSON.stringify({ iss: issuer, software_id: 'evil' })).toString('base64url')}.${signature}`
    for (const text of [sign({}, {}, stranger), changed, `${header}.${signature}`, '', 'a.b.c', `${sign()}x`, 'a'.repeat(20_000)])
      expect(await verify(text)).toMatchObject({ ok: false, error: { reason: 'registration_statement_invalid' } })
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${sign().split('.')[1]}.`
    expect(await verify(unsigned)).toMatchObject({ error: { detail: { rule: 'algorithm' } } })
  })

  it('is not approved of another issuer, or about other software', async () => {
    expect(await verify(sign({ iss: `${issuer}/` }))).toMatchObject({
      error: { reason: 'registration_statement_unapproved', detail: { rule: 'iss' } },
    })
    const some = trusts({ softwareIds: ['writer'] })
    for (const software_id of ['reader', undefined])
      expect(await verify(sign({ software_id }), some)).toMatchObject({
        error: { reason: 'registration_statement_unapproved', detail: { rule: 'software_id' } },
      })
    expect(await verify(sign({ software_id: 'writer' }), some)).toMatchObject({ ok: true })
    // Who cannot sign learns nothing of which software is allowed.
    expect(await verify(sign({ software_id: 'reader' }, {}, stranger), some)).toMatchObject({
      error: { reason: 'registration_statement_invalid' },
    })
  })

  it('waits for keys at an address that cannot be read, and nobody has us ask again at once', async () => {
    const asked: string[] = []
    let body: unknown
    const fetchSafely = async (url: string) => {
      asked.push(url)
      return ok({ status: body === undefined ? 503 : 200, headers: {}, body: Buffer.from(JSON.stringify(body ?? {})) })
    }
    const trusted = trusts({ jwks: undefined, jwksUri: `${issuer}/keys` })
    const awaited = {
      ok: false,
      error: { reason: 'registration_statement_keys_awaited', detail: { retryAfterSeconds: fetchPauseSeconds } },
    }
    expect(await verify(sign(), trusted, fetchSafely)).toMatchObject(awaited)
    body = { keys: [jwk] }
    expect(await verify(sign(), trusted, fetchSafely)).toMatchObject(awaited)
    expect(asked).toHaveLength(1)
    expect(await verify(sign(), trusted, fetchSafely, instant(now + 31_000))).toMatchObject({ ok: true })
    expect(asked).toEqual([`${issuer}/keys`, `${issuer}/keys`])
  })

  it('is verified or refused, whatever the text', async () => {
    await fc.assert(fc.asyncProperty(fc.string(), async (text) => typeof (await verify(text)).ok === 'boolean'))
  })
})
