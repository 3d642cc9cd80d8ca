/**
 * Two strict client libraries against the whole broker, at the issuer of a company and at the front issuer: what they check in an answer (types, signatures,
 * issuers, states), an answer of ours has.
 */
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, redirectUri, registerAt, webRedirectUri } from './a-client.js'
import { aClientAt, adminPathOf, aMachineAt, approve, companyAt, issuerOf, namedTenant } from './a-place.js'
import { aKeyPair, aStrictWorld, insecure, type Known, type StrictPlace, type StrictWorld, ways } from './a-strict-client.js'

const places = ['acme', 'front for acme'] as const
let world: StrictWorld
beforeAll(async () => {
  world = await aStrictWorld(places)
}, 120_000)
afterAll(() => world?.stop(), 60_000)

describe.each(places)('at %s', (place) => {
  let at: StrictPlace
  let issuer = ''
  let resource = ''
  beforeAll(() => {
    at = world.at(place)
    issuer = at.issuer
    resource = at.resource
  })
  const admin = (method: string, path: string, body?: unknown) => world.product.admin(method, `${adminPathOf(place)}${path}`, body)

  describe('discovery', () => {
    const pathOf = ({ pathname }: URL) => (pathname === '/' ? '' : pathname)
    const forms = {
      'OpenID Connect Discovery §4': (url: URL) => `${url.origin}${pathOf(url)}/.well-known/openid-configuration`,
      'RFC 8414 §3': (url: URL) => `${url.origin}/.well-known/oauth-authorization-server${pathOf(url)}`,
      'RFC 8414 §5': (url: URL) => `${url.origin}/.well-known/openid-configuration${pathOf(url)}`,
    }
    it.each(Object.entries(forms))('%s is believed', async (_, form) => {
      const url = new URL(issuer)
      const server = await oauth.processDiscoveryResponse(url, await fetch(form(url)))
      expect(server).toMatchObject({
        issuer,
        authorization_response_iss_parameter_supported: true,
        code_challenge_methods_supported: ['S256'],
      })
    })

    it.each(['oidc', 'oauth2'] as const)('openid-client finds it as %s', async (algorithm) => {
      const config = await openid.discovery(new URL(issuer), 'any', undefined, openid.None(), {
        algorithm,
        execute: [openid.allowInsecureRequests],
      })
      expect(config.serverMetadata().issuer).toBe(issuer)
    })
  })

  describe.each(ways)('openid-client, known by %s', (way) => {
    it('signs somebody in, reads who she is in an ID token and at userinfo, refreshes, and gives the access back', async () => {
      const known = await at.known(way)
      const { config, checks, answer } = await at.signIn(known)
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource })
      expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'openid documents:read' })
      const claims = tokens.claims()
      expect(claims).toMatchObject({ iss: issuer, aud: known.clientId, nonce: checks.expectedNonce, ...namedTenant(place) })

      const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'openid documents:read' })
      expect(fresh.access_token).not.toBe(tokens.access_token)
      expect(fresh.refresh_token).not.toBe(tokens.refresh_token)
      // OIDC Core §12.2: the same person and sign-in, and no nonce.
      const again = fresh.claims()
      expect(again).toMatchObject({ iss: issuer, aud: known.clientId, sub: claims?.sub, auth_time: claims?.['auth_time'] })
      expect(again).not.toHaveProperty('nonce')
      expect(await openid.fetchUserInfo(config, fresh.access_token, claims?.sub ?? '')).toEqual({ sub: claims?.sub })

      const said = { active: true, iss: issuer, client_id: known.clientId, scope: 'documents:read', ...namedTenant(place) }
      expect(await at.introspected(fresh.access_token)).toMatchObject(said)
      await openid.tokenRevocation(config, fresh.refresh_token ?? '')
      await expect(openid.refreshTokenGrant(config, fresh.refresh_token ?? '')).rejects.toMatchObject({
        error: 'invalid_grant',
        status: 400,
      })
      expect(await at.introspected(fresh.access_token)).toEqual({ active: false })
    })

    it('pushes what it asks for (RFC 9126), and its person signs in by the address alone', async () => {
      const { config, checks, answer, url } = await at.signIn(await at.known(way), openid.buildAuthorizationUrlWithPAR)
      expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource })
      expect(tokens.claims()).toMatchObject({ iss: issuer, nonce: checks.expectedNonce })
    })
  })

  describe('a key of its own (DPoP, RFC 9449)', () => {
    const demand = async (nonceDemanded: boolean, boundTokensDemanded = false) =>
      expect((await admin('PUT', '/dpop', { boundTokensDemanded, nonceDemanded })).status).toBe(200)

    describe.each(['dynamic registration', 'private_key_jwt'] as const)('openid-client, known by %s', (way) => {
      it.each([false, true])(
        'has its code, its tokens and each of its calls bound to it, and bears none of them without it; nonces demanded: %s',
        async (nonceDemanded) => {
          await demand(nonceDemanded)
          try {
            await boundThroughout(way)
          } finally {
            await demand(false)
          }
        },
      )
    })

    async function boundThroughout(way: 'dynamic registration' | 'private_key_jwt'): Promise<void> {
      const key = await openid.randomDPoPKeyPair('ES256')
      let DPoP: openid.DPoPHandle | undefined
      const { config, checks, answer } = await at.signIn(await at.known(way), async (of, parameters) => {
        DPoP = openid.getDPoPHandle(of, key)
        return openid.buildAuthorizationUrl(of, { ...parameters, dpop_jkt: await DPoP.calculateThumbprint() })
      })
      const bound = { DPoP: DPoP as openid.DPoPHandle }
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource }, bound)
      expect(tokens.token_type).toBe('dpop')
      const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'openid documents:read' }, bound)
      const said = { active: true, token_type: 'DPoP', cnf: { jkt: expect.any(String) } }
      expect(await at.introspected(fresh.access_token)).toMatchObject(said)
      const { sub } = tokens.claims() ?? { sub: '' }
      expect(await openid.fetchUserInfo(config, fresh.access_token, sub, bound)).toEqual({ sub })
      await expect(openid.fetchUserInfo(config, fresh.access_token, sub)).rejects.toMatchObject({ status: 401 })

      const call = (token: string, options?: openid.DPoPOptions) => {
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
        const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
        return openid.fetchProtectedResource(config, token, new URL(resource), 'POST', body, headers, options)
      }
      expect((await call(fresh.access_token, bound)).status).not.toBe(401)
      await expect(call(fresh.access_token)).rejects.toMatchObject({ status: 401 })
      const thief = { DPoP: openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256')) }
      await expect(call(fresh.access_token, thief)).rejects.toMatchObject({ status: 401 })
      const isPublic = way === 'dynamic registration'
      const stolen = openid.refreshTokenGrant(config, fresh.refresh_token ?? '', undefined, isPublic ? thief : undefined)
      await (isPublic
        ? expect(stolen).rejects.toMatchObject({ error: 'invalid_grant' })
        : expect(stolen).resolves.toHaveProperty('access_token'))
    }

    it('of oauth4webapi is asked for a nonce where one is demanded, and goes on with it', async () => {
      await demand(true, true)
      try {
        const server = await at.discovered()
        const { id, secret } = await aMachineAt(world.product, place, resource)
        const client: oauth.Client = { client_id: id }
        const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
        const ask = async () => {
          const [auth, options] = [oauth.ClientSecretBasic(secret), { ...insecure, DPoP }]
          const response = await oauth.clientCredentialsGrantRequest(server, client, auth, inItsOwnName(), options)
          return oauth.processClientCredentialsResponse(server, client, response)
        }
        const first = await ask().catch((cause: unknown) => cause)
        expect(oauth.isDPoPNonceError(first)).toBe(true)
        expect(await ask()).toMatchObject({ token_type: 'dpop' })
      } finally {
        await demand(false)
      }
    })
  })

  describe('oauth4webapi, a public client that pushes', () => {
    const pushed = async (change: Record<string, string> = {}) => {
      const server = await at.discovered()
      const client = { client_id: await registerAt(issuer) }
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const parameters = new URLSearchParams({
        ...{ response_type: 'code', redirect_uri: redirectUri, resource, scope: 'documents:read', state },
        ...{ code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...change },
      })
      const response = await oauth.pushedAuthorizationRequest(server, client, oauth.None(), parameters, insecure)
      return oauth.processPushedAuthorizationResponse(server, client, response)
    }

    it('believes the answer', async () => {
      expect(await pushed()).toEqual({ request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:/), expires_in: 60 })
    })
    it('understands why it is refused', async () => {
      await expect(pushed({ response_type: 'token' })).rejects.toMatchObject({ error: 'unsupported_response_type', status: 400 })
    })
  })

  it('an answer of another issuer, or with another state, is believed by no strict client, and ours says which it is of', async () => {
    const { config, checks, answer } = await at.signIn(await at.known('dynamic registration'))
    expect(answer.searchParams.get('iss')).toBe(issuer)
    for (const [name, value] of [
      ['iss', issuerOf(world.product, 'globex')],
      ['state', 'another'],
    ] as const) {
      const changed = new URL(answer)
      changed.searchParams.set(name, value)
      await expect(openid.authorizationCodeGrant(config, changed, checks, { resource })).rejects.toThrow()
    }
    expect(await openid.authorizationCodeGrant(config, answer, checks, { resource })).toHaveProperty('id_token')
  })

  it('openid-client knows a person by the sub of its own sector, in the ID token and at userinfo', async () => {
    const client = { redirectUris: [webRedirectUri], tokenEndpointAuthMethod: 'client_secret_post', subjectType: 'pairwise' }
    const { id: clientId, secret } = await aClientAt(world.product, place, client)
    const sectored = { clientId, auth: openid.ClientSecretPost(secret), back: webRedirectUri }
    const subs = []
    for (const known of [sectored, await at.known('client_secret_post')]) {
      const { config, checks, answer } = await at.signIn(known)
      const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource })
      const { sub } = tokens.claims() ?? { sub: '' }
      expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })
      subs.push(sub)
    }
    expect(subs[0]).not.toBe(subs[1])
  })

  /** At the front it says for which company. */
  const inItsOwnName = () => ({ resource, scope: 'documents:read', ...namedTenant(place) })

  it('openid-client goes from one secret to the next without a moment in which it has none', async () => {
    const { id, secret } = await aMachineAt(world.product, place, resource)
    const ask = async (by: string) =>
      openid.clientCredentialsGrant(await at.configured({ clientId: id, auth: openid.ClientSecretBasic(by) }), inItsOwnName())
    const { json } = await admin('POST', `/clients/${id}/secrets`, {})
    const next = String(json['clientSecret'])
    for (const by of [secret, next]) expect(await ask(by)).toHaveProperty('access_token')
    const [{ id: former }] = json['secrets'] as [{ id: string }]
    expect((await admin('DELETE', `/clients/${id}/secrets/${former}`)).status).toBe(200)
    await expect(ask(secret)).rejects.toMatchObject({ status: 401 })
    expect(await ask(next)).toHaveProperty('access_token')
  })

  describe('oauth4webapi, a client in its own name', () => {
    const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
    const aMachine = async (method: (typeof methods)[number]) => {
      const { privateKey, jwks } = await aKeyPair()
      const over = { tokenEndpointAuthMethod: method, ...(method === 'private_key_jwt' && { jwks }) }
      const { id, secret } = await aMachineAt(world.product, place, resource, over)
      const auths = {
        client_secret_basic: oauth.ClientSecretBasic(secret),
        client_secret_post: oauth.ClientSecretPost(secret),
        private_key_jwt: oauth.PrivateKeyJwt(privateKey),
      }
      return { client: { client_id: id }, auth: auths[method] }
    }

    it.each(methods)('%s: gets a token, without a refresh token, and revokes it', async (method) => {
      const server = await at.discovered()
      const { client, auth } = await aMachine(method)
      const response = await oauth.clientCredentialsGrantRequest(server, client, auth, inItsOwnName(), insecure)
      const tokens = await oauth.processClientCredentialsResponse(server, client, response)
      expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'documents:read', expires_in: expect.any(Number) })
      expect(tokens).not.toHaveProperty('refresh_token')
      expect(await at.introspected(tokens.access_token)).toMatchObject({ active: true, client_id: client.client_id, aud: resource })

      const request = new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } })
      const claims = await oauth.validateJwtAccessToken(server, request, resource, insecure)
      expect(claims).toMatchObject({ iss: issuer, client_id: client.client_id, ...namedTenant(place) })

      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, tokens.access_token, insecure))
      expect(await at.introspected(tokens.access_token)).toEqual({ active: false })
    })

    it.each(['client_secret_basic', 'client_secret_post'] as const)(
      '%s with another secret is refused with a challenge (RFC 6749 §5.2, RFC 9110 §15.5.2)',
      async (method) => {
        const server = await at.discovered()
        const { client } = await aMachine(method)
        const auth = method === 'client_secret_basic' ? oauth.ClientSecretBasic('wrong') : oauth.ClientSecretPost('wrong')
        const response = await oauth.clientCredentialsGrantRequest(server, client, auth, inItsOwnName(), insecure)
        expect(response.status).toBe(401)
        await expect(oauth.processClientCredentialsResponse(server, client, response)).rejects.toThrow(oauth.WWWAuthenticateChallengeError)
      },
    )
  })

  it('openid-client signs its person out, by the ID token of her session, and has her back with its state (OIDC RP-Initiated Logout 1.0)', async () => {
    const afterwards = 'https://agent.example/callback?signed=out'
    const { id: clientId, secret } = await aClientAt(world.product, place, {
      ...{ redirectUris: [webRedirectUri], postLogoutRedirectUris: [afterwards], tokenEndpointAuthMethod: 'client_secret_basic' },
    })
    await approve(world.product, place, clientId)
    const browser = aBrowser()
    const known: Known = { clientId, auth: openid.ClientSecretBasic(secret), back: webRedirectUri }
    const { config, checks, answer, url } = await at.signIn(known, undefined, browser)
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource })
    const sub = tokens.claims()?.sub ?? ''
    expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })

    const signOut = (change: Record<string, string>) =>
      browser.open(
        openid.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: afterwards, ...change }).href,
      )
    // The front finds her company by her address, where nobody may be asked.
    for (const [name, value] of Object.entries({ prompt: 'none', login_hint: `ada@${companyAt(place)}.example` }))
      url.searchParams.set(name, value)
    const silently = async () => new URL((await browser.open(url.href)).url)
    expect((await silently()).searchParams.has('code')).toBe(true)
    const strange = await signOut({ post_logout_redirect_uri: 'https://agent.example/callback?signed=off', client_id: 'another' })
    expect(strange).toMatchObject({ isStopped: false, status: 400 })
    expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })

    const home = await signOut({ state: checks.expectedState })
    expect(home.url).toBe(`${afterwards}&state=${checks.expectedState}`)
    await expect(openid.refreshTokenGrant(config, tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' })
    await expect(openid.fetchUserInfo(config, tokens.access_token, sub)).rejects.toMatchObject({ status: 401 })
    await expect(openid.authorizationCodeGrant(config, await silently(), checks)).rejects.toMatchObject({ error: 'login_required' })
  })
})
