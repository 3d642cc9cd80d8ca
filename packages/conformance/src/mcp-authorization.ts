/** What MCP asks of an authorization server beside what the specifications do that it is made of. */
import assert from 'node:assert/strict'
import {
  aCode,
  asksThePerson,
  authorizeUrl,
  basic,
  claimsOf,
  codeForm,
  post,
  type Requirement,
  refusedOnPage,
  refusedToClient,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const section = (title: string): string => `MCP authorization 2026-07-28, ${title}`
const metadataOf = async ({ issuer }: Target): Promise<Readonly<Record<string, unknown>>> =>
  (await fetch(`${issuer}/.well-known/openid-configuration`)).json() as Promise<Readonly<Record<string, unknown>>>
const asWorded = (target: Target): Target => ({ ...target, client: target.worded })
/** The page on which a client that nobody approved is announced. */
const noticeOf = (target: Target, redirectUri: string) => {
  const { clientId } = target.publish({ members: { client_name: 'Announced', redirect_uris: [redirectUri] } })
  return asksThePerson(target, authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))
}
/** An hour, as of many servers; ours are shorter. */
const mostLifeSeconds = 3600

export const mcpAuthorizationRequirements: readonly Requirement[] = [
  {
    section: section('Overview'),
    level: 'MUST',
    says: 'serves public clients, and confidential ones by their proof alone, each with a challenge',
    ask: async (target) => {
      await someTokens(target)
      const worded = asWorded(target)
      const form = codeForm(worded, await aCode(worded))
      refusedWith(await post(`${target.issuer}/token`, form), ['invalid_client'])
      refusedWith(await post(`${target.issuer}/token`, form, basic({ ...target.worded, secret: 'wrong' })), ['invalid_client'])
      assert.equal((await post(`${target.issuer}/token`, form, basic(target.worded))).status, 200)
      for (const each of [target, worded])
        await refusedToClient(each, authorizeUrl(each, { code_challenge: undefined, code_challenge_method: undefined }), [
          'invalid_request',
        ])
    },
  },
  {
    section: section('Authorization Response Issuer'),
    level: 'MUST',
    says: 'names itself, as its metadata do, beside a code and beside a refusal, and says that it does',
    ask: async (target) => {
      const { issuer, authorization_response_iss_parameter_supported: isSaid } = await metadataOf(target)
      assert.equal(isSaid, true)
      assert.equal(new URL(await target.signIn(authorizeUrl(target))).searchParams.get('iss'), issuer)
      await refusedToClient({ ...target, issuer: String(issuer) }, authorizeUrl(target, { scope: 'no-such-scope' }), ['invalid_scope'])
    },
  },
  {
    section: section('Communication Security'),
    level: 'MUST',
    says: 'sends nobody to a web host by plain http, whatever a client says of itself',
    ask: async (target) => {
      const redirectUri = 'http://client.example/callback'
      const { clientId } = target.publish({ members: { redirect_uris: [redirectUri] } })
      await refusedOnPage(authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))
    },
  },
  {
    section: section('Open Redirection'),
    level: 'SHOULD',
    says: 'sends nobody to a web host that nobody vouched for without a click, also to say no',
    ask: async (target) => {
      const wrong = { response_type: 'token' }
      await refusedToClient(target, authorizeUrl(target, wrong), ['unsupported_response_type'])
      const { clientId, redirectUri } = target.publish()
      await refusedOnPage(authorizeUrl(target, { ...wrong, client_id: clientId, redirect_uri: redirectUri }))
    },
  },
  {
    section: section('Token Theft'),
    level: 'SHOULD',
    says: 'gives access tokens that end within the hour, and says when',
    ask: async (target) => {
      const { json } = await post(`${target.issuer}/token`, codeForm(target, await aCode(target)))
      const { exp, iat } = claimsOf(String(json['access_token']))
      assert.ok(Number(json['expires_in']) > 0 && Number(json['expires_in']) <= mostLifeSeconds, String(json['expires_in']))
      assert.ok(Number(exp) - Number(iat) <= mostLifeSeconds)
    },
  },
  {
    section: section('Token Theft'),
    level: 'MUST',
    says: 'gives a public client another refresh token for each, and takes none back once its successor was used',
    ask: async (target) => {
      const refresh = (token: string) =>
        post(`${target.issuer}/token`, { grant_type: 'refresh_token', refresh_token: token, client_id: target.client.id })
      const { refreshToken: first } = await someTokens(target)
      const second = String((await refresh(first)).json['refresh_token'])
      assert.notEqual(second, first)
      assert.equal((await refresh(second)).status, 200)
      refusedWith(await refresh(first), ['invalid_grant'])
    },
  },
  {
    section: section('Token Audience Binding and Validation'),
    level: 'MUST',
    says: 'binds a token to the resource that was asked for, and forgives it a slash',
    ask: async (target) => {
      const { accessToken } = await someTokens(target)
      assert.deepEqual([claimsOf(accessToken)['aud']].flat(), [target.resource])
      const written = target.resource.endsWith('/') ? target.resource.slice(0, -1) : `${target.resource}/`
      const { accessToken: same } = await someTokens({ ...target, resource: written })
      assert.deepEqual([claimsOf(same)['aud']].flat(), [target.resource])
    },
  },
  {
    section: section('Scope Selection'),
    level: 'SHOULD',
    says: 'gives a client that asks for no scope those that are meant for that',
    ask: async (target) => {
      assert.equal(new URL(authorizeUrl(target)).searchParams.get('scope'), null)
      assert.notEqual(claimsOf((await someTokens(target)).accessToken)['scope'] ?? '', '')
    },
  },
  {
    section: section('Client ID Metadata Documents, Security'),
    level: 'MUST',
    says: 'shows the person to which host her answer goes, and who published the client',
    ask: async (target) => {
      const { clientId, redirectUri } = target.publish({ members: { client_name: 'Announced' } })
      const { text } = await asksThePerson(target, authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))
      for (const shown of ['Announced', new URL(redirectUri).host, new URL(clientId).host]) assert.ok(text.includes(shown), shown)
    },
  },
  ...['http://127.0.0.1/callback', 'http://localhost:8976/callback'].map(
    (redirectUri): Requirement => ({
      section: section('Client ID Metadata Documents, Localhost Redirect URI Risks'),
      level: 'SHOULD',
      says: `warns a person whose answer would go to ${redirectUri}, where any program can take it, and nobody else`,
      ask: async (target) => {
        const warning = /own (computer|device|machine)/
        assert.match((await noticeOf(target, redirectUri)).text, warning)
        assert.doesNotMatch((await noticeOf(target, 'https://announced.example/callback')).text, warning)
      },
    }),
  ),
  {
    section: section('Client ID Metadata Documents, Localhost Redirect URI Risks'),
    level: 'SHOULD',
    says: 'warns of a program on her machine that calls itself a client which is at a web host as well',
    ask: async (target) => {
      const uris = ['http://127.0.0.1/callback', 'https://announced.example/callback']
      const { clientId } = target.publish({ members: { redirect_uris: uris } })
      const shown = async (redirectUri: string | undefined) =>
        (await asksThePerson(target, authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))).text
      const [onHerMachine, atItsHost] = [await shown(uris[0]), await shown(uris[1])]
      assert.match(onHerMachine, /own (computer|device|machine)/)
      assert.doesNotMatch(atItsHost, /own (computer|device|machine)/)
    },
  },
  {
    section: section('Confused Deputy Problem'),
    level: 'MUST',
    says: 'asks the person about a client that nobody approved before it sends her anywhere',
    ask: async (target) => {
      const { clientId, redirectUri } = target.publish()
      const { url } = await asksThePerson(target, authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))
      assert.equal(new URL(url).origin, new URL(target.issuer).origin)
    },
  },
  {
    section: section('Confused Deputy Problem'),
    level: 'MUST',
    says: 'keeps its cookies from scripts and from requests of other sites',
    ask: async (target) => {
      const { clientId, redirectUri } = target.publish()
      const { cookies } = await asksThePerson(target, authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri }))
      assert.ok(cookies.length > 0)
      for (const cookie of cookies) {
        assert.match(cookie, /; HttpOnly(;|$)/i)
        assert.match(cookie, /; SameSite=(Lax|Strict)(;|$)/i)
      }
    },
  },
]
