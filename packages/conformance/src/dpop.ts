/** Tokens that are bound to a key: what a proof must be, and what it is good for. */
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { aCode, authorizeUrl, basic, codeForm, post, type Requirement, refusedWith, type Target } from './requirement.js'

type Key = { readonly privateKey: KeyObject; readonly publicKey: KeyObject }
const aKey = (): Key => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' })
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')
/** @spec RFC 7638 §3 */
const thumbprintOf = ({ publicKey }: Key): string => {
  const { crv, kty, x, y } = jwkOf(publicKey)
  return digest(JSON.stringify({ crv, kty, x, y }))
}

type Change = { readonly header?: object; readonly claims?: object; readonly signedBy?: KeyObject }
function aProof(url: string, key: Key, { header = {}, claims = {}, signedBy = key.privateKey }: Change = {}): string {
  const said = { jti: randomUUID(), htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), ...claims }
  const input = [{ typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(key.publicKey), ...header }, said]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${sign('sha256', Buffer.from(input), { key: signedBy, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const asMachine = (target: Target, proof: string) => {
  const form = { grant_type: 'client_credentials', resource: target.resource }
  return post(`${target.issuer}/token`, form, { ...basic(target.machine), dpop: proof })
}
const asPerson = async (target: Target, key: Key) => {
  const url = `${target.issuer}/token`
  return post(url, codeForm(target, await aCode(target)), { dpop: aProof(url, key) })
}
const refresh = (target: Target, token: unknown, proof?: string) =>
  post(
    `${target.issuer}/token`,
    { grant_type: 'refresh_token', refresh_token: String(token), client_id: target.client.id },
    proof === undefined ? {} : { dpop: proof },
  )
const confirmationIn = (token: unknown): unknown => JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString()).cnf

const now = () => Math.floor(Date.now() / 1000)
const badProofs: readonly [section: string, says: string, change: (key: Key) => Change][] = [
  ['RFC 9449 §4.3', 'takes no proof of another type', () => ({ header: { typ: 'JWT' } })],
  ['RFC 9449 §4.3', 'takes no proof by an algorithm that others can use, too', () => ({ header: { alg: 'HS256' } })],
  ['RFC 9449 §4.3', 'takes no proof that nobody signed', () => ({ header: { alg: 'none' } })],
  ['RFC 9449 §4.3', 'takes no proof that another key signed', () => ({ signedBy: aKey().privateKey })],
  ['RFC 9449 §4.3', 'takes no proof that holds the private key', (key) => ({ header: { jwk: jwkOf(key.privateKey) } })],
  ['RFC 9449 §4.3', 'takes no proof without a key', () => ({ header: { jwk: undefined } })],
  ['RFC 9449 §4.3', 'takes no proof without an id', () => ({ claims: { jti: undefined } })],
  ['RFC 9449 §4.3', 'takes no proof of another method', () => ({ claims: { htm: 'GET' } })],
  ['RFC 9449 §4.3', 'takes no proof of another address', () => ({ claims: { htu: 'https://evil.example/token' } })],
  ['RFC 9449 §4.3', 'takes no old proof', () => ({ claims: { iat: now() - 3600 } })],
  ['RFC 9449 §4.3', 'takes no proof of later', () => ({ claims: { iat: now() + 3600 } })],
]

export const dpopRequirements: readonly Requirement[] = [
  ...badProofs.map(
    ([section, says, change]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async (target) => {
        const key = aKey()
        refusedWith(await asMachine(target, aProof(`${target.issuer}/token`, key, change(key))), ['invalid_dpop_proof'])
      },
    }),
  ),
  {
    section: 'RFC 9449 §4.3',
    level: 'MUST',
    says: 'takes no two proofs in one request',
    ask: async (target) => {
      const url = `${target.issuer}/token`
      refusedWith(await asMachine(target, `${aProof(url, aKey())}, ${aProof(url, aKey())}`), ['invalid_dpop_proof'])
    },
  },
  {
    section: 'RFC 9449 §4.3',
    level: 'SHOULD',
    says: 'compares addresses as RFC 3986 normalizes them, without query and fragment, and paths by case',
    ask: async (target) => {
      const withHtu = (htu: string) => asMachine(target, aProof(`${target.issuer}/token`, aKey(), { claims: { htu } }))
      const issuer = target.issuer.replace(/^http:\/\/[^/]+/, (origin) => origin.toUpperCase())
      assert.equal((await withHtu(`${issuer}/./token?a=b#c`)).status, 200)
      refusedWith(await withHtu(`${issuer}/Token`), ['invalid_dpop_proof'])
    },
  },
  {
    section: 'RFC 9449 §11.1',
    level: 'SHOULD',
    says: 'believes a proof once',
    ask: async (target) => {
      const proof = aProof(`${target.issuer}/token`, aKey())
      assert.equal((await asMachine(target, proof)).status, 200)
      refusedWith(await asMachine(target, proof), ['invalid_dpop_proof'])
    },
  },
  {
    section: 'RFC 9449 §5',
    level: 'MUST',
    says: 'calls a bound token DPoP, and binds it to the key of the proof',
    ask: async (target) => {
      const key = aKey()
      const { status, json } = await asPerson(target, key)
      assert.equal(status, 200)
      assert.equal(json['token_type'], 'DPoP')
      assert.deepEqual(confirmationIn(json['access_token']), { jkt: thumbprintOf(key) })
    },
  },
  {
    section: 'RFC 9449 §5',
    level: 'MUST',
    says: 'binds the refresh token of a public client to the key',
    ask: async (target) => {
      const key = aKey()
      const url = `${target.issuer}/token`
      const { json } = await asPerson(target, key)
      refusedWith(await refresh(target, json['refresh_token']), ['invalid_grant'])
      refusedWith(await refresh(target, json['refresh_token'], aProof(url, aKey())), ['invalid_grant'])
      assert.equal((await refresh(target, json['refresh_token'], aProof(url, key))).json['token_type'], 'DPoP')
    },
  },
  {
    section: 'RFC 9449 §6.2',
    level: 'MUST',
    says: 'says at introspection by which key a token is bound',
    ask: async (target) => {
      const key = aKey()
      const { json } = await asPerson(target, key)
      const told = await post(`${target.issuer}/introspect`, { token: String(json['access_token']) }, basic(target.resourceCredential))
      assert.deepEqual([told.json['token_type'], told.json['cnf']], ['DPoP', { jkt: thumbprintOf(key) }])
    },
  },
  {
    section: 'RFC 9449 §7.1',
    level: 'MUST',
    says: 'takes a bound token at userinfo with the proof of its key for this use alone, and as no bearer token',
    ask: async (target) => {
      const key = aKey()
      const url = `${target.issuer}/userinfo`
      const back = new URL(await target.signIn(authorizeUrl(target, { scope: 'openid' })))
      const form = codeForm(target, back.searchParams.get('code') ?? '')
      const { json } = await post(`${target.issuer}/token`, form, { dpop: aProof(`${target.issuer}/token`, key) })
      const token = String(json['access_token'])
      const claims = { htm: 'GET', ath: digest(token) }
      const ask = async (scheme: string, proof?: string) => {
        const headers = { authorization: `${scheme} ${token}`, ...(proof === undefined ? {} : { dpop: proof }) }
        const answered = await fetch(url, { headers })
        const challenge = answered.headers.get('www-authenticate') ?? ''
        return [answered.status, /^DPoP .*algs="/.test(challenge), /error="(\w+)"/.exec(challenge)?.[1]]
      }
      const honest = aProof(url, key, { claims })
      assert.deepEqual(await ask('Bearer'), [401, true, 'invalid_token'])
      assert.deepEqual(await ask('DPoP', aProof(url, aKey(), { claims })), [401, true, 'invalid_token'])
      assert.deepEqual(await ask('DPoP', aProof(url, key, { claims: { htm: 'GET' } })), [401, true, 'invalid_dpop_proof'])
      assert.deepEqual(await ask('DPoP', honest), [200, false, undefined])
      assert.deepEqual(await ask('DPoP', honest), [401, true, 'invalid_dpop_proof'])
    },
  },
  {
    section: 'RFC 9449 §8',
    level: 'MUST',
    says: 'tells the nonce to use where it does not take the one of a proof',
    ask: async (target) => {
      const answered = await asMachine(target, aProof(`${target.issuer}/token`, aKey(), { claims: { nonce: 'made-up' } }))
      refusedWith(answered, ['use_dpop_nonce'])
      const nonce = answered.headers.get('dpop-nonce') ?? ''
      assert.match(nonce, /^[\x21\x23-\x5b\x5d-\x7e]+$/)
      assert.equal((await asMachine(target, aProof(`${target.issuer}/token`, aKey(), { claims: { nonce } }))).status, 200)
    },
  },
  {
    section: 'RFC 9449 §10',
    level: 'MUST',
    says: 'redeems a code that was asked for with a key for whoever proves that key alone',
    ask: async (target) => {
      const key = aKey()
      const url = `${target.issuer}/token`
      const back = new URL(await target.signIn(authorizeUrl(target, { dpop_jkt: thumbprintOf(key) })))
      const form = codeForm(target, back.searchParams.get('code') ?? '')
      refusedWith(await post(url, form), ['invalid_grant'])
      refusedWith(await post(url, form, { dpop: aProof(url, aKey()) }), ['invalid_grant'])
      assert.equal((await post(url, form, { dpop: aProof(url, key) })).status, 200)
    },
  },
]
