/** Clients of strict libraries, known in each way at each place, and how openid-client signs somebody in. */
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { aBrowser, redirectUri, registerAt, walk, webRedirectUri } from './a-client.js'
import { aDocumentHost } from './a-document-host.js'
import { aClientAt, aServerAt, issuerOf, type Place, type Secret, type ServerAt, someone } from './a-place.js'
import { aProduct, type Product } from './a-product.js'

export const insecure = { [oauth.allowInsecureRequests]: true }
export type Known = { readonly clientId: string; readonly auth: openid.ClientAuth; readonly back: string }
export const ways = ['a metadata document', 'dynamic registration', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
export type Way = (typeof ways)[number]
type BuildUrl = (config: openid.Configuration, parameters: Record<string, string>) => URL | Promise<URL>

export type StrictWorld = {
  readonly product: Product
  /** With a server of its own at each place. */
  at(place: Place): StrictPlace
  stop(): Promise<void>
}
export type StrictPlace = {
  readonly issuer: string
  readonly resource: string
  known(way: Way): Promise<Known>
  /** As oauth4webapi finds it. */
  discovered(): Promise<oauth.AuthorizationServer>
  configured(known: Pick<Known, 'clientId' | 'auth'>, metadata?: Partial<openid.ClientMetadata>): Promise<openid.Configuration>
  /** As far as the answer to an authorization request; `build`: how that is asked. */
  signIn(known: Known, build?: BuildUrl, browser?: ReturnType<typeof aBrowser>): Promise<SignedIn>
  /** By the resource server, which says what oauth4webapi believes. */
  introspected(token: string): Promise<oauth.IntrospectionResponse>
}
type SignedIn = {
  readonly config: openid.Configuration
  readonly checks: openid.AuthorizationCodeGrantChecks & { readonly expectedState: string; readonly expectedNonce: string }
  readonly url: URL
  readonly answer: URL
}

export async function aStrictWorld(places: readonly Place[]): Promise<StrictWorld> {
  const documents = await aDocumentHost()
  const product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: documents.origin })
  await product.admin('POST', '/front-issuer')
  const servers = new Map<Place, ServerAt>()
  for (const place of places) servers.set(place, await aServerAt(product, place))
  return {
    product,
    at: (place) => {
      const server = servers.get(place)
      if (server === undefined) throw new Error(`nothing is served at ${place}`)
      return placeOf(product, place, { server, publish: documents.publish })
    },
    stop: async () => {
      for (const server of servers.values()) await server.close()
      await product.stop()
      documents.close()
    },
  }
}

export async function aKeyPair() {
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  return { ...pair, jwks: { keys: [await crypto.subtle.exportKey('jwk', pair.publicKey)] } }
}

type Has = { readonly server: ServerAt; readonly publish: Awaited<ReturnType<typeof aDocumentHost>>['publish'] }

function placeOf(product: Product, place: Place, { server, publish }: Has): StrictPlace {
  const issuer = issuerOf(product, place)
  const { resource } = server.guard
  const discovered: StrictPlace['discovered'] = async () =>
    oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }))
  const configured: StrictPlace['configured'] = async ({ clientId, auth }, metadata) => {
    const config = await openid.discovery(new URL(issuer), clientId, metadata, auth, { execute: [openid.allowInsecureRequests] })
    openid.enableNonRepudiationChecks(config)
    return config
  }
  return {
    ...{ issuer, resource, discovered, configured },
    known: async (way) => {
      if (way === 'dynamic registration') return { clientId: await registerAt(issuer), auth: openid.None(), back: redirectUri }
      if (way === 'a metadata document') {
        const { clientId } = publish({ members: { redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'] } })
        return { clientId, auth: openid.None(), back: redirectUri }
      }
      const { privateKey, jwks } = await aKeyPair()
      const body = { redirectUris: [webRedirectUri], tokenEndpointAuthMethod: way, ...(way === 'private_key_jwt' && { jwks }) }
      const { id: clientId, secret } = await aClientAt(product, place, body)
      const auths = {
        client_secret_basic: () => openid.ClientSecretBasic(secret),
        client_secret_post: () => openid.ClientSecretPost(secret),
        private_key_jwt: () => openid.PrivateKeyJwt(privateKey),
      }
      return { clientId, auth: auths[way](), back: webRedirectUri }
    },
    signIn: async (known, build = openid.buildAuthorizationUrl, browser = aBrowser()) => {
      const config = await configured(known)
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()]
      const url = await build(config, {
        ...{ redirect_uri: known.back, scope: 'openid documents:read', resource, state: expectedState, nonce: expectedNonce },
        ...{ code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256' },
      })
      const { page } = await walk(await browser.open(url.href), someone(place, 'ada'))
      const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
      return { config, checks, url, answer: new URL(page.url) }
    },
    introspected: async (token) => introspectedBy(server.credential, await discovered(), token),
  }
}

async function introspectedBy({ id, secret }: Secret, as: oauth.AuthorizationServer, token: string) {
  const client = { client_id: id }
  return oauth.processIntrospectionResponse(
    as,
    client,
    await oauth.introspectionRequest(as, client, oauth.ClientSecretBasic(secret), token, insecure),
  )
}
