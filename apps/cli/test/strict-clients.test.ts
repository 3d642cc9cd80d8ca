/** Two strict client libraries against the whole broker: what they check in an answer (types, signatures, issuers, states), an answer of ours has. */
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, redirectUri, registerAt, walk, webRedirectUri } from './a-client.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
let issuer: string
const insecure = { [oauth.allowInsecureRequests]: true }

beforeAll(async () => {
  product = await aProduct()
  issuer = product.issuer('acme')
}, 120_000)
afterAll(() => product?.stop(), 60_000)

type Known = { readonly clientId: string; readonly secret: string }
async function aConfidentialClient(over: object): Promise<Known> {
  const { status, json } = await product.admin('POST', '/tenants/acme/clients', {
    name: 'Strict client',
    scopeCeiling: ['documents:read', 'documents:write'],
    ...over,
  })
  expect({ status, json }).toMatchObject({ status: 201 })
  return { clientId: String(json['clientId']), secret: String(json['clientSecret']) }
}

async function keyPair() {
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  return { ...pair, jwks: { keys: [await crypto.subtle.exportKey('jwk', pair.publicKey)] } }
}

describe('discovery', () => {
  const forms = {
    'OpenID Connect Discovery §4': (url: URL) => `${url.href}/.well-known/openid-configuration`,
    'RFC 8414 §3': (url: URL) => `${url.origin}/.well-known/oauth-authorization-server${url.pathname}`,
    'RFC 8414 §5': (url: URL) => `${url.origin}/.well-known/openid-configuration${url.pathname}`,
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

type Way = { readonly open: () => Promise<{ clientId: string; auth: openid.ClientAuth; back: string }> }
const ways: Readonly<Record<string, Way>> = {
  none: { open: async () => ({ clientId: await registerAt(issuer), auth: openid.None(), back: redirectUri }) },
  client_secret_basic: {
    open: async () => {
      const { clientId, secret } = await aConfidentialClient({
        redirectUris: [webRedirectUri],
        tokenEndpointAuthMethod: 'client_secret_basic',
      })
      return { clientId, auth: openid.ClientSecretBasic(secret), back: webRedirectUri }
    },
  },
  client_secret_post: {
    open: async () => {
      const { clientId, secret } = await aConfidentialClient({
        redirectUris: [webRedirectUri],
        tokenEndpointAuthMethod: 'client_secret_post',
      })
      return { clientId, auth: openid.ClientSecretPost(secret), back: webRedirectUri }
    },
  },
  private_key_jwt: {
    open: async () => {
      const { privateKey, jwks } = await keyPair()
      const { clientId } = await aConfidentialClient({ redirectUris: [webRedirectUri], tokenEndpointAuthMethod: 'private_key_jwt', jwks })
      return { clientId, auth: openid.PrivateKeyJwt(privateKey), back: webRedirectUri }
    },
  },
}

type BuildUrl = (config: openid.Configuration, parameters: Record<string, string>) => URL | Promise<URL>
const signIn = async (way: keyof typeof ways, build?: BuildUrl) => signInBy(await (ways[way] as Way).open(), build)
async function signInBy(
  { clientId, auth, back }: Awaited<ReturnType<Way['open']>>,
  build: BuildUrl = openid.buildAuthorizationUrl,
  browser = aBrowser(),
) {
  const config = await openid.discovery(new URL(issuer), clientId, undefined, auth, { execute: [openid.allowInsecureRequests] })
  openid.enableNonRepudiationChecks(config)
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()]
  const url = await build(config, {
    redirect_uri: back,
    scope: 'openid documents:read',
    resource: product.mcpUrl,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  })
  const { page } = await walk(await browser.open(url.href), { name: 'ada' })
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
  return { clientId, config, checks, url, answer: new URL(page.url) }
}

describe.each(Object.keys(ways))('openid-client, known by %s', (way) => {
  it('signs somebody in, reads who she is in an ID token, refreshes, and gives the access back', async () => {
    const { clientId, config, checks, answer } = await signIn(way)
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl })
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'openid documents:read' })
    expect(tokens.claims()).toMatchObject({ iss: issuer, aud: clientId, nonce: checks.expectedNonce, sub: expect.any(String) })

    const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'openid documents:read' })
    expect(fresh.access_token).not.toBe(tokens.access_token)
    expect(fresh.refresh_token).not.toBe(tokens.refresh_token)
    expect(fresh.id_token).toBeUndefined() // it is told who signed in at a sign-in alone: OIDC Core §12.2 leaves it open

    expect(await introspected(fresh.access_token)).toMatchObject({
      active: true,
      iss: issuer,
      client_id: clientId,
      scope: 'documents:read',
    })
    await openid.tokenRevocation(config, fresh.refresh_token ?? '')
    await expect(openid.refreshTokenGrant(config, fresh.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
    expect(await introspected(fresh.access_token)).toEqual({ active: false })
  })
})

describe.each(Object.keys(ways))('pushed authorization requests (RFC 9126), by a client known by %s', (way) => {
  it('openid-client pushes, and its person signs in by the address alone', async () => {
    const { config, checks, answer, url } = await signIn(way, openid.buildAuthorizationUrlWithPAR)
    expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl })
    expect(tokens.claims()).toMatchObject({ iss: issuer, nonce: checks.expectedNonce })
  })
})

describe.each(['none', 'private_key_jwt'] as const)('openid-client with a key of its own (DPoP, RFC 9449), known by %s', (way) => {
  it('has its code, its tokens and each of its calls bound to the key, and bears none of them without it', async () => {
    const key = await openid.randomDPoPKeyPair('ES256')
    let DPoP: openid.DPoPHandle | undefined
    const { config, checks, answer } = await signIn(way, async (of, parameters) => {
      DPoP = openid.getDPoPHandle(of, key)
      return openid.buildAuthorizationUrl(of, { ...parameters, dpop_jkt: await DPoP.calculateThumbprint() })
    })
    const bound = { DPoP: DPoP as openid.DPoPHandle }
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl }, bound)
    expect(tokens.token_type).toBe('dpop')
    const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'openid documents:read' }, bound)
    expect(await introspected(fresh.access_token)).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: expect.any(String) } })
    const { sub } = tokens.claims() ?? { sub: '' }
    expect(await openid.fetchUserInfo(config, fresh.access_token, sub, bound)).toEqual({ sub })
    await expect(openid.fetchUserInfo(config, fresh.access_token, sub)).rejects.toMatchObject({ status: 401 })

    const call = (token: string, options?: openid.DPoPOptions) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
      const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
      return openid.fetchProtectedResource(config, token, new URL(product.mcpUrl), 'POST', body, headers, options)
    }
    const answered = await call(fresh.access_token, bound)
    expect(answered.status).not.toBe(401)
    await expect(call(fresh.access_token)).rejects.toMatchObject({ status: 401 })
    const thief = { DPoP: openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256')) }
    await expect(call(fresh.access_token, thief)).rejects.toMatchObject({ status: 401 })
    const stolen = openid.refreshTokenGrant(config, fresh.refresh_token ?? '', undefined, way === 'none' ? thief : undefined)
    await (way === 'none'
      ? expect(stolen).rejects.toMatchObject({ error: 'invalid_grant' })
      : expect(stolen).resolves.toHaveProperty('access_token'))
  })
})

describe('oauth4webapi with a key of its own (DPoP, RFC 9449)', () => {
  it('is asked for a nonce where the tenant demands one, and goes on with it', async () => {
    const demand = (nonceDemanded: boolean) => product.admin('PUT', '/tenants/acme/dpop', { boundTokensDemanded: true, nonceDemanded })
    expect((await demand(true)).status).toBe(200)
    try {
      const server = await discovered()
      const { clientId, secret } = await aConfidentialClient({
        grantTypes: ['client_credentials'],
        tokenEndpointAuthMethod: 'client_secret_basic',
      })
      const client: oauth.Client = { client_id: clientId }
      const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
      const parameters = { resource: product.mcpUrl, scope: 'documents:read' }
      const ask = async () => {
        const auth = oauth.ClientSecretBasic(secret)
        const response = await oauth.clientCredentialsGrantRequest(server, client, auth, parameters, { ...insecure, DPoP })
        return oauth.processClientCredentialsResponse(server, client, response)
      }
      const first = await ask().catch((cause: unknown) => cause)
      expect(oauth.isDPoPNonceError(first)).toBe(true)
      expect(await ask()).toMatchObject({ token_type: 'dpop' })
    } finally {
      await product.admin('PUT', '/tenants/acme/dpop', { boundTokensDemanded: false, nonceDemanded: false })
    }
  })
})

describe('oauth4webapi, a public client that pushes', () => {
  const pushed = async (change: Record<string, string> = {}) => {
    const server = await discovered()
    const client = { client_id: await registerAt(issuer) }
    const verifier = oauth.generateRandomCodeVerifier()
    const parameters = new URLSearchParams({
      ...{
        response_type: 'code',
        redirect_uri: redirectUri,
        resource: product.mcpUrl,
        scope: 'documents:read',
        state: oauth.generateRandomState(),
      },
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
  const { config, checks, answer } = await signIn('none')
  expect(answer.searchParams.get('iss')).toBe(issuer)
  for (const [name, value] of [
    ['iss', product.issuer('globex')],
    ['state', 'another'],
  ] as const) {
    const changed = new URL(answer)
    changed.searchParams.set(name, value)
    await expect(openid.authorizationCodeGrant(config, changed, checks, { resource: product.mcpUrl })).rejects.toThrow()
  }
  expect(await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl })).toHaveProperty('id_token')
})

async function introspected(token: string): Promise<oauth.IntrospectionResponse> {
  const { id, secret } = product.started.demonstration.resourceCredential
  const server = await discovered()
  const client = { client_id: id }
  const response = await oauth.introspectionRequest(server, client, oauth.ClientSecretBasic(secret), token, insecure)
  return oauth.processIntrospectionResponse(server, client, response)
}
const discovered = async () =>
  oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }))

it('openid-client knows a person by the sub of its own sector, in the ID token and at userinfo', async () => {
  const redirectUris = [webRedirectUri]
  const sectored = await aConfidentialClient({ redirectUris, tokenEndpointAuthMethod: 'client_secret_post', subjectType: 'pairwise' })
  const subs = []
  for (const open of [
    async () => ({ clientId: sectored.clientId, auth: openid.ClientSecretPost(sectored.secret), back: webRedirectUri }),
    (ways['client_secret_post'] as Way).open,
  ]) {
    const { config, checks, answer } = await signInBy(await open())
    const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl })
    const { sub } = tokens.claims() ?? { sub: '' }
    expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })
    subs.push(sub)
  }
  expect(subs[0]).not.toBe(subs[1])
})

it('openid-client goes from one secret to the next without a moment in which it has none', async () => {
  const { clientId, secret } = await aConfidentialClient({
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_basic',
  })
  const ask = async (by: string) => {
    const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.ClientSecretBasic(by), {
      execute: [openid.allowInsecureRequests],
    })
    return openid.clientCredentialsGrant(config, { resource: product.mcpUrl, scope: 'documents:read' })
  }
  const { json } = await product.admin('POST', `/tenants/acme/clients/${clientId}/secrets`, {})
  const next = String(json['clientSecret'])
  for (const by of [secret, next]) expect(await ask(by)).toHaveProperty('access_token')
  const [{ id: former }] = json['secrets'] as [{ id: string }]
  expect((await product.admin('DELETE', `/tenants/acme/clients/${clientId}/secrets/${former}`)).status).toBe(200)
  await expect(ask(secret)).rejects.toMatchObject({ status: 401 })
  expect(await ask(next)).toHaveProperty('access_token')
})

describe('oauth4webapi, a client in its own name', () => {
  const methods = {
    client_secret_basic: async () => {
      const { clientId, secret } = await aConfidentialClient(own('client_secret_basic'))
      return { client: { client_id: clientId }, auth: oauth.ClientSecretBasic(secret) }
    },
    client_secret_post: async () => {
      const { clientId, secret } = await aConfidentialClient(own('client_secret_post'))
      return { client: { client_id: clientId }, auth: oauth.ClientSecretPost(secret) }
    },
    private_key_jwt: async () => {
      const { privateKey, jwks } = await keyPair()
      const { clientId } = await aConfidentialClient({ ...own('private_key_jwt'), jwks })
      return { client: { client_id: clientId }, auth: oauth.PrivateKeyJwt(privateKey) }
    },
  }
  const own = (tokenEndpointAuthMethod: string) => ({ grantTypes: ['client_credentials'], tokenEndpointAuthMethod })

  it.each(Object.keys(methods) as (keyof typeof methods)[])('%s: gets a token, without a refresh token, and revokes it', async (method) => {
    const server = await discovered()
    const { client, auth } = await methods[method]()
    const asked = { resource: product.mcpUrl, scope: 'documents:read' }
    const response = await oauth.clientCredentialsGrantRequest(server, client, auth, asked, insecure)
    const tokens = await oauth.processClientCredentialsResponse(server, client, response)
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'documents:read', expires_in: expect.any(Number) })
    expect(tokens).not.toHaveProperty('refresh_token')
    const told = await introspected(tokens.access_token)
    expect(told).toMatchObject({ active: true, client_id: client.client_id, aud: product.mcpUrl })

    const request = new Request(product.mcpUrl, { headers: { authorization: `Bearer ${tokens.access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, product.mcpUrl, insecure)
    expect(claims).toMatchObject({ iss: issuer, client_id: client.client_id })

    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, tokens.access_token, insecure))
    expect(await introspected(tokens.access_token)).toEqual({ active: false })
  })

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    '%s with another secret is refused with a challenge (RFC 6749 §5.2, RFC 9110 §15.5.2)',
    async (method) => {
      const server = await discovered()
      const { client } = await methods[method]()
      const auth = method === 'client_secret_basic' ? oauth.ClientSecretBasic('wrong') : oauth.ClientSecretPost('wrong')
      const response = await oauth.clientCredentialsGrantRequest(server, client, auth, { resource: product.mcpUrl }, insecure)
      expect(response.status).toBe(401)
      await expect(oauth.processClientCredentialsResponse(server, client, response)).rejects.toThrow(oauth.WWWAuthenticateChallengeError)
    },
  )
})

it('openid-client signs its person out, by the ID token of her session, and has her back with its state (OIDC RP-Initiated Logout 1.0)', async () => {
  const afterwards = 'https://agent.example/callback?signed=out'
  const { clientId, secret } = await aConfidentialClient({
    ...{ redirectUris: [webRedirectUri], postLogoutRedirectUris: [afterwards], preApproved: true },
    tokenEndpointAuthMethod: 'client_secret_basic',
  })
  const browser = aBrowser()
  const known = { clientId, auth: openid.ClientSecretBasic(secret), back: webRedirectUri }
  const { config, checks, answer, url } = await signInBy(known, undefined, browser)
  const tokens = await openid.authorizationCodeGrant(config, answer, checks, { resource: product.mcpUrl })
  const sub = tokens.claims()?.sub ?? ''
  expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })

  const signOut = (change: Record<string, string>) =>
    browser.open(
      openid.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: afterwards, ...change }).href,
    )
  const strange = await signOut({ post_logout_redirect_uri: 'https://agent.example/callback?signed=off', client_id: 'another' })
  expect(strange).toMatchObject({ isStopped: false, status: 400 })
  expect(await openid.fetchUserInfo(config, tokens.access_token, sub)).toEqual({ sub })

  const home = await signOut({ state: checks.expectedState })
  expect(home.url).toBe(`${afterwards}&state=${checks.expectedState}`)
  await expect(openid.refreshTokenGrant(config, tokens.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' })
  await expect(openid.fetchUserInfo(config, tokens.access_token, sub)).rejects.toMatchObject({ status: 401 })
  url.searchParams.set('prompt', 'none')
  const silent = new URL((await browser.open(url.href)).url)
  await expect(openid.authorizationCodeGrant(config, silent, checks)).rejects.toMatchObject({ error: 'login_required' })
})
