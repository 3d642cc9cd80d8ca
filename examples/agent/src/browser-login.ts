/** What the agent keeps about its authorization, and how it sends a person to sign in: through a browser that the caller gives. */
import { randomBytes } from 'node:crypto'
import type { OAuthClientMetadata, OAuthClientProvider, OAuthDiscoveryState } from '@modelcontextprotocol/client'

/** Opens the authorization URL for a person and resolves with the URL that the browser was sent back to. */
export type Browser = (authorizationUrl: URL) => Promise<URL>

/** `issuer`: where it was registered; the credential is then used nowhere else. */
export type KnownClient = { readonly client_id: string; readonly client_secret?: string; readonly issuer?: string }
export type LoginOptions = {
  readonly redirectUrl: string
  readonly browser: Browser
  readonly clientName?: string
  readonly scope?: string
  /** Known by its own document (CIMD); it must be an https URL. */
  readonly clientMetadataUrl?: string
  /** Registered beforehand. Without it and without a document, the agent registers itself (RFC 7591). */
  readonly client?: KnownClient
}

export type BrowserLogin = {
  readonly provider: OAuthClientProvider
  /** The parameters of the answer to the last authorization request, its `state` proven; waits for the browser. */
  answer(): Promise<URLSearchParams>
  /** How often a person was sent to the browser. */
  visits(): number
}

type Stored<K extends 'clientInformation' | 'tokens'> = Awaited<ReturnType<OAuthClientProvider[K]>>

export function createBrowserLogin(options: LoginOptions): BrowserLogin {
  let client: Stored<'clientInformation'> = options.client
  let tokens: Stored<'tokens'>
  let verifier: string | undefined
  let discovered: OAuthDiscoveryState | undefined
  let state = ''
  let visits = 0
  let answering: Promise<URL> | undefined

  const clientMetadata: OAuthClientMetadata = {
    client_name: options.clientName ?? 'Drawbridge example agent',
    redirect_uris: [options.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: options.client?.client_secret === undefined ? 'none' : 'client_secret_basic',
    ...(options.scope === undefined ? {} : { scope: options.scope }),
  }
  const provider: OAuthClientProvider = {
    redirectUrl: options.redirectUrl,
    clientMetadata,
    ...(options.clientMetadataUrl === undefined ? {} : { clientMetadataUrl: options.clientMetadataUrl }),
    state: () => {
      state = randomBytes(16).toString('base64url')
      return state
    },
    clientInformation: () => client,
    saveClientInformation: (information) => {
      client = information
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
      // A server may come to name another issuer, so that whoever is told 401 again asks it anew.
      discovered = undefined
    },
    redirectToAuthorization: (url) => {
      visits += 1
      answering = options.browser(url)
      // Whoever awaits the answer sees the failure; nobody may have begun to wait yet.
      answering.catch(() => {})
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => {
      if (verifier === undefined) throw new Error('no authorization has been started')
      return verifier
    },
    // Kept from the redirect to the answer, so that a code is only ever sent to the issuer that was asked.
    saveDiscoveryState: (found) => {
      discovered = found
    },
    discoveryState: () => discovered,
    invalidateCredentials: (what) => {
      if (what === 'all' || what === 'tokens') tokens = undefined
      if (what === 'all' || what === 'client') client = options.client
      if (what === 'all' || what === 'verifier') verifier = undefined
      if (what === 'all' || what === 'discovery') discovered = undefined
    },
  }
  const answer = async (): Promise<URLSearchParams> => {
    if (answering === undefined) throw new Error('nobody was sent to the browser')
    const { searchParams } = await answering
    if (searchParams.get('state') !== state) throw new Error('the answer belongs to another request: its state differs')
    // A refusal is not read here: `finishAuth` first proves `iss`, and only then believes an error (RFC 9207 §2.4).
    return searchParams
  }
  return { provider, answer, visits: () => visits }
}
