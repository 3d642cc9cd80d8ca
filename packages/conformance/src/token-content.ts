/** What access tokens and ID tokens say, and how they are signed: what resource servers and clients judge them by. */
import assert from 'node:assert/strict'
import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import {
  authorizeUrl,
  basic,
  claimsOf,
  codeForm,
  isActive,
  type Parameters,
  post,
  type Requirement,
  refusedToClient,
  someTokens,
  type Target,
} from './requirement.js'

type Json = Readonly<Record<string, unknown>>
const headerOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')) as Json
const jsonAt = async (url: string): Promise<Json> => (await (await fetch(url)).json()) as Json
const metadataOf = ({ issuer }: Target): Promise<Json> => jsonAt(`${issuer}/.well-known/openid-configuration`)

/** Every algorithm that the broker signs by, without a library of its own. RFC 7518 §3.1 */
const hashes: Readonly<Record<string, string>> = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256', PS256: 'sha256' }

/** By a key that the issuer publishes, under the algorithm of that key. */
async function isSignedByPublished(target: Target, token: string): Promise<void> {
  const { alg, kid } = headerOf(token)
  const { jwks_uri: at } = await metadataOf(target)
  const keys = (await jsonAt(String(at)))['keys'] as readonly JsonWebKey[]
  const key = keys.find((each) => each['kid'] === kid)
  assert.ok(key !== undefined, 'no published key has its kid')
  assert.ok(key['alg'] === undefined || key['alg'] === alg)
  const [header, claims, signature = ''] = token.split('.')
  const hash = hashes[String(alg)]
  assert.ok(hash !== undefined, `signed by ${String(alg)}`)
  const by = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }
  assert.ok(verify(hash, Buffer.from(`${header}.${claims}`), by, Buffer.from(signature, 'base64url')), 'the signature does not hold')
}

type OpenIdTokens = { readonly idToken: string; readonly accessToken: string; readonly refreshToken: string }
async function openid(target: Target, change: Parameters = {}): Promise<OpenIdTokens> {
  const back = new URL(await target.signIn(authorizeUrl(target, { scope: 'openid', ...change })))
  const { status, json } = await post(`${target.issuer}/token`, codeForm(target, back.searchParams.get('code') ?? ''))
  assert.equal(status, 200)
  return { idToken: String(json['id_token']), accessToken: String(json['access_token']), refreshToken: String(json['refresh_token']) }
}

const seconds = (): number => Math.floor(Date.now() / 1000)
const skewSeconds = 60

export const accessTokenRequirements: readonly Requirement[] = [
  {
    section: 'RFC 9068 §2.1',
    level: 'MUST',
    says: 'types an access token as one, and signs it by a key that it publishes',
    ask: async (target) => {
      const { accessToken } = await someTokens(target)
      assert.match(String(headerOf(accessToken)['typ']), /^(application\/)?at\+jwt$/i)
      await isSignedByPublished(target, accessToken)
    },
  },
  {
    section: 'RFC 9068 §2.2',
    level: 'MUST',
    says: 'says in an access token by whom, for whom, of whom, to which client, from when until when it is, and which one it is',
    ask: async (target) => {
      const [first, second] = [claimsOf((await someTokens(target)).accessToken), claimsOf((await someTokens(target)).accessToken)]
      assert.deepEqual([first['iss'], first['client_id'], [first['aud']].flat()], [target.issuer, target.client.id, [target.resource]])
      assert.ok(typeof first['sub'] === 'string' && first['sub'] !== '' && first['sub'] !== target.client.id)
      assert.ok(Number(first['iat']) <= seconds() + skewSeconds && Number(first['exp']) > seconds())
      assert.ok(typeof first['jti'] === 'string' && first['jti'] !== second['jti'])
    },
  },
  {
    section: 'RFC 9068 §2.2',
    level: 'SHOULD',
    says: 'names in a token that a client has in its own name the client as the subject',
    ask: async (target) => {
      const form = { grant_type: 'client_credentials', resource: target.resource }
      const { status, json } = await post(`${target.issuer}/token`, form, basic(target.machine))
      assert.equal(status, 200)
      const { sub, client_id: id } = claimsOf(String(json['access_token']))
      assert.deepEqual([sub, id], [target.machine.id, target.machine.id])
    },
  },
  {
    section: 'RFC 9068 §2.2.3',
    level: 'SHOULD',
    says: 'says in an access token the scopes that it told the client',
    ask: async (target) => {
      const back = new URL(await target.signIn(authorizeUrl(target)))
      const { json } = await post(`${target.issuer}/token`, codeForm(target, back.searchParams.get('code') ?? ''))
      const { scope } = claimsOf(String(json['access_token']))
      assert.ok(typeof scope === 'string' && scope !== '')
      assert.deepEqual(scope.split(' ').sort(), String(json['scope']).split(' ').sort())
    },
  },
  {
    section: 'RFC 9470 §6.1',
    level: 'SHOULD',
    says: 'says in the token, and at introspection, when and how the person signed in, where a client asked for a recent sign-in',
    ask: async (target) => {
      const { accessToken: token } = await openid(target, { max_age: '600' })
      const { auth_time: at } = claimsOf(token)
      assert.ok(Number(at) <= seconds() + skewSeconds && Number(at) >= seconds() - 600 - skewSeconds, String(at))
      const { json } = await post(`${target.issuer}/introspect`, { token }, basic(target.resourceCredential))
      assert.equal(json['active'], true)
      for (const name of ['auth_time', 'acr', 'amr']) assert.deepEqual(json[name], claimsOf(token)[name], name)
    },
  },
]

export const idTokenRequirements: readonly Requirement[] = [
  {
    section: 'OpenID Connect Core 1.0 §2',
    level: 'MUST',
    says: 'says in an ID token by whom, of whom, for which client and until when it is',
    ask: async (target) => {
      const { iss, sub, aud, azp, iat, exp } = claimsOf((await openid(target)).idToken)
      assert.deepEqual([iss, [aud].flat()], [target.issuer, [target.client.id]])
      assert.ok(azp === undefined || azp === target.client.id)
      assert.ok(typeof sub === 'string' && sub.length > 0 && sub.length <= 255 && /^[\x20-\x7e]+$/.test(sub))
      assert.ok(Number(iat) <= seconds() + skewSeconds && Number(exp) > seconds())
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §3.1.3.7',
    level: 'MUST',
    says: 'signs an ID token by a key that it publishes, under an algorithm that its metadata lists',
    ask: async (target) => {
      const { idToken } = await openid(target)
      const listed = (await metadataOf(target))['id_token_signing_alg_values_supported']
      assert.ok(Array.isArray(listed) && listed.includes(headerOf(idToken)['alg']) && !listed.includes('none'))
      await isSignedByPublished(target, idToken)
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §3.1.3.7',
    level: 'MUST',
    says: 'says in an ID token the nonce of its request as it was, and none where there was none',
    ask: async (target) => {
      const nonce = 'n-0S6_WzA2Mj~.=+ü'
      assert.equal(claimsOf((await openid(target, { nonce })).idToken)['nonce'], nonce)
      assert.ok(!Object.hasOwn(claimsOf((await openid(target)).idToken), 'nonce'))
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §3.1.3.6',
    level: 'MUST',
    says: 'binds an ID token to the access token beside it, where it says to which',
    ask: async (target) => {
      const { idToken, accessToken } = await openid(target)
      const hash = createHash(hashes[String(headerOf(idToken)['alg'])] ?? '')
        .update(accessToken)
        .digest()
      assert.equal(claimsOf(idToken)['at_hash'], hash.subarray(0, hash.length / 2).toString('base64url'))
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §12.2',
    level: 'MUST',
    says: 'says at a refresh, in an ID token, of the same person, to the same client, as of the same sign-in, what it said before, and no nonce',
    ask: async (target) => {
      const first = await openid(target, { max_age: '600', nonce: 'n-0S6_WzA2Mj' })
      const form = { grant_type: 'refresh_token', refresh_token: first.refreshToken, client_id: target.client.id }
      const { status, json } = await post(`${target.issuer}/token`, form)
      assert.equal(status, 200)
      const [before, after] = [claimsOf(first.idToken), claimsOf(String(json['id_token']))]
      for (const name of ['iss', 'sub', 'aud', 'azp', 'auth_time']) assert.deepEqual(after[name], before[name], name)
      assert.ok(typeof after['sub'] === 'string' && typeof after['auth_time'] === 'number')
      assert.ok(Number(after['iat']) >= Number(before['iat']) && !Object.hasOwn(after, 'nonce'))
      await isSignedByPublished(target, String(json['id_token']))
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §2',
    level: 'MUST',
    says: 'says in an ID token when the person signed in, where a client asked for a recent sign-in',
    ask: async (target) => {
      const { auth_time: at } = claimsOf((await openid(target, { max_age: '600' })).idToken)
      assert.ok(Number(at) <= seconds() + skewSeconds && Number(at) >= seconds() - 600 - skewSeconds, String(at))
    },
  },
  {
    section: 'OpenID Connect Core 1.0 §3.1.2.1',
    level: 'MUST',
    says: 'gives an ID token to a client that asked for openid alone, and takes none for an access token',
    ask: async (target) => {
      const back = new URL(await target.signIn(authorizeUrl(target)))
      const { json } = await post(`${target.issuer}/token`, codeForm(target, back.searchParams.get('code') ?? ''))
      assert.ok(!Object.hasOwn(json, 'id_token'))
      const { idToken, accessToken } = await openid(target)
      assert.equal(await isActive(target, target.issuer, idToken), false)
      const asked = await fetch(`${target.issuer}/userinfo`, { headers: { authorization: `Bearer ${idToken}` } })
      assert.equal(asked.status, 401)
      assert.notEqual(idToken, accessToken)
    },
  },
]

export const signOutRequirements: readonly Requirement[] = [
  {
    section: 'OpenID Connect Core 1.0 §3.1.2.2',
    level: 'MUST NOT',
    says: 'answers a request for one person by the session of another, and answers one for her by her own',
    ask: async (target) => {
      const open = target.browser()
      const { idToken } = await openid({ ...target, signIn: open })
      const silently = (hint?: string) => authorizeUrl(target, { prompt: 'none', scope: 'openid', id_token_hint: hint })
      const codeOf = async (hint?: string) => new URL(await open(silently(hint))).searchParams
      assert.ok((await codeOf()).has('code'))
      assert.ok((await codeOf(idToken)).has('code'))
      const somebody = `e30.${Buffer.from(JSON.stringify({ sub: 'somebody-else' })).toString('base64url')}.c2ln`
      assert.equal((await codeOf(somebody)).get('error'), 'login_required')
    },
  },
  {
    section: 'OpenID Connect RP-Initiated Logout 1.0 §2',
    level: 'MUST',
    says: 'takes a request to sign out by GET and by POST at the address of its metadata, and with the ID token of this session ends it',
    ask: async (target) => {
      const { end_session_endpoint: address } = await metadataOf(target)
      assert.equal(address, `${target.issuer}/logout`)
      const open = target.browser()
      const { idToken } = await openid({ ...target, signIn: open })
      const silently = authorizeUrl(target, { prompt: 'none' })
      assert.ok(new URL(await open(silently)).searchParams.has('code'))
      await open(`${String(address)}?${new URLSearchParams({ id_token_hint: idToken }).toString()}`)
      assert.equal(new URL(await open(silently)).searchParams.get('error'), 'login_required')
      const posted = await fetch(String(address), {
        method: 'POST',
        body: new URLSearchParams({ id_token_hint: idToken }),
        redirect: 'manual',
      })
      assert.ok(posted.status < 400, String(posted.status))
    },
  },
  {
    section: 'OpenID Connect RP-Initiated Logout 1.0 §2',
    level: 'SHOULD',
    says: 'asks the person where the request has no ID token of her session, and has not signed her out before she says yes',
    ask: async (target) => {
      const open = target.browser()
      await openid({ ...target, signIn: open })
      await open(`${target.issuer}/logout`)
      assert.ok(new URL(await open(authorizeUrl(target, { prompt: 'none' }))).searchParams.has('code'))
      await refusedToClient(target, authorizeUrl(target, { prompt: 'none' }), ['login_required'])
    },
  },
  {
    section: 'OpenID Connect RP-Initiated Logout 1.0 §3',
    level: 'MUST NOT',
    says: 'leads from a sign-out to an address that the client did not register',
    ask: async (target) => {
      const open = target.browser()
      const { idToken } = await openid({ ...target, signIn: open })
      const asked = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: 'https://evil.example/', state: 's' })
      const url = await open(`${target.issuer}/logout?${asked.toString()}`)
      assert.ok(!url.startsWith('https://evil.example'), url)
      assert.equal(new URL(await open(authorizeUrl(target, { prompt: 'none' }))).searchParams.get('error'), 'login_required')
    },
  },
  {
    section: 'OpenID Connect Back-Channel Logout 1.0 §2.1',
    level: 'SHOULD',
    says: 'says that it tells clients of logouts, and of which session',
    ask: async (target) => {
      const document = await metadataOf(target)
      assert.deepEqual([document['backchannel_logout_supported'], document['backchannel_logout_session_supported']], [true, true])
      assert.equal(typeof claimsOf((await openid(target)).idToken)['sid'], 'string')
    },
  },
  {
    section: 'OpenID Connect Back-Channel Logout 1.0 §2.8',
    level: 'MUST',
    says: 'answers 400 to a logout token that no provider of a company signed, and keeps the answer out of caches',
    ask: async ({ issuer }) => {
      const url = `${issuer}/oidc/00000000-0000-4000-8000-000000000000/backchannel-logout`
      for (const token of [undefined, 'x', 'e30.e30.c2ln']) {
        const { status, headers } = await post(url, { logout_token: token })
        assert.equal(status, 400)
        assert.match(headers.get('cache-control') ?? '', /no-store/)
      }
    },
  },
]
