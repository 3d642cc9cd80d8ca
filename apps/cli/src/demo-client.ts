/** The demonstration's MCP client, by hand, so that every message can be shown: discovery, registration, code with PKCE, tokens, one tool call. */
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { Random } from '@drawbridge/crypto/random'
import { browse, type Choice } from './scripted-browser.js'

export type Discovered = { readonly issuer: string; readonly authorize: string; readonly token: string; readonly register: string }
export type Tokens = {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly scope: string
  readonly expiresInSeconds: number
}
export type Call = { readonly status: number; readonly body: string }

const redirectUri = 'http://127.0.0.1:4499/callback'

/** From the 401 to the issuer: RFC 9728, then RFC 8414. */
export async function discover(serverUrl: string, slug: string): Promise<Discovered> {
  const refusal = await callTool(serverUrl, undefined)
  const metadataUrl = /resource_metadata="([^"]+)"/.exec(refusal.challenge ?? '')?.[1]
  if (refusal.status !== 401 || metadataUrl === undefined) throw new Error('the MCP server did not ask for a token')
  const { authorization_servers: issuers } = (await getJson(metadataUrl)) as { authorization_servers: readonly string[] }
  const issuer = issuers.find((candidate) => candidate.endsWith(`/t/${slug}`))
  if (issuer === undefined) throw new Error(`the MCP server does not trust an issuer of ${slug}`)
  const { origin, pathname } = new URL(issuer)
  const server = (await getJson(`${origin}/.well-known/oauth-authorization-server${pathname}`)) as Record<string, string>
  return {
    issuer,
    authorize: server['authorization_endpoint'] ?? '',
    token: server['token_endpoint'] ?? '',
    register: server['registration_endpoint'] ?? '',
  }
}

export async function register(discovered: Discovered): Promise<string> {
  const body = {
    client_name: 'Demonstration client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  }
  const answer = (await postJson(discovered.register, body)) as { client_id?: string }
  if (answer.client_id === undefined) throw new Error(`registration was refused: ${JSON.stringify(answer)}`)
  return answer.client_id
}

export async function logIn(
  random: Random,
  discovered: Discovered,
  request: { readonly clientId: string; readonly resource: string; readonly scope: string; readonly loginHint: string },
  choices: readonly Choice[],
): Promise<{ readonly tokens: Tokens; readonly pages: readonly string[] }> {
  const verifier = random.token()
  const state = random.token()
  const url = new URL(discovered.authorize)
  const query = {
    response_type: 'code',
    client_id: request.clientId,
    redirect_uri: redirectUri,
    code_challenge: sha256Base64url(verifier),
    code_challenge_method: 'S256',
    resource: request.resource,
    scope: request.scope,
    state,
    login_hint: request.loginHint,
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  const { url: back, pages } = await browse(url, redirectUri, choices)
  const code = back.searchParams.get('code')
  if (code === null)
    throw new Error(`the login was refused: ${back.searchParams.get('error')} ${back.searchParams.get('error_description') ?? ''}`)
  if (back.searchParams.get('state') !== state || back.searchParams.get('iss') !== discovered.issuer)
    throw new Error('the answer is not to our request')
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    client_id: request.clientId,
    code_verifier: verifier,
    resource: request.resource,
  }
  return { tokens: readTokens(await postForm(discovered.token, form)), pages }
}

/** Answers the HTTP status: a refusal is part of the story. */
export async function refresh(discovered: Discovered, clientId: string, refreshToken: string): Promise<number> {
  return (await postForm(discovered.token, { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId })).status
}

function readTokens(answer: { status: number; json: Record<string, unknown> }): Tokens {
  if (answer.status !== 200) throw new Error(`no token: ${JSON.stringify(answer.json)}`)
  const { access_token, refresh_token, scope, expires_in } = answer.json
  return {
    accessToken: String(access_token),
    refreshToken: typeof refresh_token === 'string' ? refresh_token : undefined,
    scope: String(scope),
    expiresInSeconds: Number(expires_in),
  }
}

/** Calls `search_documents`. */
export async function callTool(serverUrl: string, accessToken: string | undefined): Promise<Call & { readonly challenge: string | null }> {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search_documents', arguments: { text: 'Drawbridge' } } }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
  }
  const response = await fetch(serverUrl, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, body: await response.text(), challenge: response.headers.get('www-authenticate') }
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.json()
}

const postJson = async (url: string, body: unknown): Promise<unknown> =>
  (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()

async function postForm(url: string, form: Readonly<Record<string, string>>): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}
