/** The OpenID provider of a company: npm oidc-provider, with our sign-in page in place of its development pages. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { Interaction, OidcContext } from 'oidc-provider'
import { type CompanyId, findPerson, type Person } from '../companies.js'
import { type FaultId, sessionAgeSeconds } from '../faults.js'
import { type CompanyKeys, privateKey } from '../keys.js'
import { escapeHtml } from '../pages/html.js'
import { directoryIdOf, objectIdOf } from './directory-ids.js'
import { moveLogoutToken, rewriteIdToken } from './id-token.js'
import { memoryAdapter } from './memory-adapter.js'

export const mfaAcr = 'https://refeds.org/profile/mfa'
/** Values by which relying parties ask for a second factor; the one asked for is the one answered. */
const mfaAcrs = [
  mfaAcr,
  'mfa',
  'phr',
  'urn:okta:loa:2fa:any',
  'http://schemas.openid.net/pape/policies/2007/06/multi-factor',
  'possessionorinherence',
]
const passwordAcr = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
const scopes = 'openid email profile groups'
/** Logins whose code may still be exchanged; a code lives a minute. */
const maxOpenLogins = 10_000

export type OidcSettings = {
  readonly company: CompanyId
  readonly issuer: string
  readonly signInPath: (uid: string) => string
  readonly keys: CompanyKeys
  readonly client: () => {
    readonly clientId: string
    readonly redirectUris: readonly string[]
    readonly tokenEndpointAuthMethod: string
    readonly jwksUri: string | undefined
    readonly backchannelLogoutUri: string | undefined
    readonly postLogoutRedirectUri: string | undefined
  }
  readonly now: () => Date
}

export type OpenIdProvider = {
  /** An unbroken ID token was issued before, so the replay card has something to send again. */
  canReplay(): boolean
  /** Serves one request below the issuer's path; answers in full. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>
  pendingLogin(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ loginHint: string | undefined; asksForMfa: boolean; clientId: string }>
  /** Tells the relying party, server to server, that everything of this person is over; undefined: it has given no address for that. */
  logOut(person: Person): Promise<LogoutOutcome | undefined>
  finishLogin(
    request: IncomingMessage,
    response: ServerResponse,
    login: { person: Person; withMfa: boolean; faults: ReadonlySet<FaultId> },
  ): Promise<void>
}

export type LogoutOutcome = { readonly isDone: boolean; readonly said: string }

/** The last ID token that left unbroken. */
type Replay = { idToken: string | undefined }

type OpenLogin = { readonly faults: ReadonlySet<FaultId>; readonly sessionAgeSeconds: number }

/**
 * Loads the library at the start and not before.
 *
 * It warns of Node 20 on the console while it loads; our tests run it there, so that one line is kept from the person at the desk.
 */
async function loadLibrary(): Promise<typeof Provider> {
  const { warn } = console
  console.warn = (...words: readonly unknown[]) => {
    if (!String(words[0]).includes('Unsupported runtime')) warn(...words)
  }
  try {
    return (await import('oidc-provider')).default
  } finally {
    console.warn = warn
  }
}

export async function createOpenIdProvider(settings: OidcSettings): Promise<OpenIdProvider> {
  const openLogins = new Map<string, OpenLogin>()
  const replay: Replay = { idToken: undefined }
  const OidcProvider = await loadLibrary()
  const provider = new OidcProvider(settings.issuer, configuration(settings, openLogins))
  rewriteTokens(provider, settings, openLogins, replay)
  const callback = provider.callback()
  const mountPath = new URL(settings.issuer).pathname.replace(/\/$/, '')
  return {
    canReplay: () => replay.idToken !== undefined,
    serve: async (request, response) => {
      const mounted = request as IncomingMessage & { originalUrl?: string }
      mounted.originalUrl = request.url ?? '/'
      request.url = (request.url ?? '/').slice(mountPath.length) || '/'
      forgetSession(request)
      await callback(request, response)
    },
    logOut: async (person) => {
      const { clientId, backchannelLogoutUri } = settings.client()
      if (backchannelLogoutUri === undefined) return undefined
      const client = await provider.Client.find(clientId)
      return client?.backchannelLogout(person.id, undefined).then(
        () => ({ isDone: true, said: 'the service has heard it' }),
        (error: unknown) => ({ isDone: false, said: error instanceof Error ? error.message : 'no answer' }),
      )
    },
    pendingLogin: async (request, response) => {
      const interaction = await provider.interactionDetails(request, response)
      return {
        loginHint: text(interaction.params['login_hint']),
        asksForMfa: askedMfaAcr(interaction) !== undefined,
        clientId: clientIdOf(interaction),
      }
    },
    finishLogin: async (request, response, login) => {
      const interaction = await provider.interactionDetails(request, response)
      const grant = new provider.Grant({ accountId: login.person.id, clientId: clientIdOf(interaction) })
      grant.addOIDCScope(scopes)
      const grantId = await grant.save()
      remember(openLogins, grantId, { faults: login.faults, sessionAgeSeconds: sessionAgeSeconds(login.faults, mustAskAgain(interaction)) })
      const withMfa = login.withMfa && !login.faults.has('no-mfa')
      const acr = withMfa ? (askedMfaAcr(interaction) ?? mfaAcr) : passwordAcr
      const amr = withMfa ? ['pwd', 'otp', 'mfa'] : ['pwd']
      await provider.interactionFinished(request, response, {
        login: { accountId: login.person.id, acr, amr, remember: false },
        consent: { grantId },
      })
    },
  }
}

function configuration(settings: OidcSettings, openLogins: ReadonlyMap<string, OpenLogin>): Readonly<Record<string, unknown>> {
  const { keys, company } = settings
  const jwk = { ...privateKey(keys.current).export({ format: 'jwk' }), kid: keys.current.keyId, alg: 'RS256', use: 'sig' }
  return {
    adapter: memoryAdapter((clientId) => clientMetadata(settings, clientId)),
    jwks: { keys: [jwk] },
    cookies: { keys: [keys.cookieSecret] },
    scopes: scopes.split(' '),
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time', 'sid', 'groups'],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username', 'oid', 'tid'],
      groups: ['groups'],
    },
    conformIdTokenClaims: false,
    acrValues: [...mfaAcrs, passwordAcr],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: rpInitiatedLogout() },
    interactions: { url: (_ctx: unknown, interaction: Interaction) => settings.signInPath(interaction.uid) },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 900, Session: 900 },
    // A desk is one machine: the client's addresses are on loopback, where the library would not go.
    fetch: async (url: string, { dispatcher: _guard, ...options }: RequestInit & { dispatcher?: unknown }) =>
      fetch(url, await onOurClock(options, settings)),
    findAccount: (_ctx: unknown, accountId: string, token?: { readonly grantId?: string }) =>
      account(company, accountId, openLogins.get(token?.grantId ?? '')),
    renderError,
  }
}

function clientMetadata(settings: OidcSettings, clientId: string) {
  const client = settings.client()
  if (clientId !== client.clientId) return undefined
  return {
    client_id: client.clientId,
    client_secret: settings.keys.oidcClientSecret,
    redirect_uris: [...client.redirectUris],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    ...(client.jwksUri !== undefined && { jwks_uri: client.jwksUri }),
    ...(client.postLogoutRedirectUri !== undefined && { post_logout_redirect_uris: [client.postLogoutRedirectUri] }),
    ...(client.backchannelLogoutUri !== undefined && {
      backchannel_logout_uri: client.backchannelLogoutUri,
      backchannel_logout_session_required: true,
    }),
  }
}

function account(company: CompanyId, accountId: string, login: OpenLogin | undefined) {
  const person = findPerson(company, accountId)
  if (person === undefined) return undefined
  const hidesGroups = login !== undefined && (login.faults.has('missing-groups') || login.faults.has('groups-overage'))
  return {
    accountId,
    claims: async () => ({
      sub: person.id,
      email: person.email,
      email_verified: true,
      name: `${person.givenName} ${person.familyName}`,
      given_name: person.givenName,
      family_name: person.familyName,
      preferred_username: person.email,
      oid: objectIdOf(person),
      tid: directoryIdOf(company),
      ...(person.groups === undefined || hidesGroups ? {} : { groups: [...person.groups] }),
    }),
  }
}

/** After oidc-provider has built the token response, and only then, faults and the moved clock are put into the ID token. */
function rewriteTokens(provider: Provider, settings: OidcSettings, openLogins: ReadonlyMap<string, OpenLogin>, replay: Replay): void {
  provider.use(async (ctx: OidcContext, next) => {
    await next()
    const body = ctx.body as { id_token?: string } | undefined
    if (ctx.oidc?.route !== 'token' || typeof body?.id_token !== 'string') return
    const login = openLogins.get(ctx.oidc.entities.AuthorizationCode?.grantId ?? '') ?? { faults: new Set<FaultId>(), sessionAgeSeconds: 0 }
    const { faults } = login
    const offsetSeconds = offsetOf(settings.now)
    body.id_token = await rewriteIdToken(body.id_token, { keys: settings.keys, ...login, offsetSeconds, previous: replay.idToken })
    if (faults.size === 0) replay.idToken = body.id_token
  })
}

/** Without its session cookie the provider asks each time who is there, which is what this desk is for. A sign-out has to know. */
function forgetSession(request: IncomingMessage): void {
  if ((request.url ?? '').startsWith('/session/')) return
  const kept = (request.headers.cookie ?? '').split(/;\s*/).filter((pair) => !pair.startsWith('_session'))
  request.headers.cookie = kept.join('; ')
}

/** The pages of a sign-out: the person says yes, and reads that it is done where nobody has given an address to return to. */
function rpInitiatedLogout(): Readonly<Record<string, unknown>> {
  const show = (ctx: OidcContext, title: string, body: string): void => {
    ctx.type = 'html'
    ctx.body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><p>Development tool: a simulated company.</p><h1>${title}</h1>${body}</html>`
  }
  const button = '<button form="op.logoutForm" name="logout" value="yes">Sign out</button>'
  return {
    enabled: true,
    logoutSource: async (ctx: OidcContext, form: string) => show(ctx, 'Sign out of the company?', `${form}${button}`),
    postLogoutSuccessSource: async (ctx: OidcContext) => show(ctx, 'Signed out', ''),
  }
}

/** A logout token says the time of the library; where the desk's clock has been moved, it is made again with that one. */
async function onOurClock(options: RequestInit, { keys, now }: OidcSettings): Promise<RequestInit> {
  const token = options.body instanceof URLSearchParams ? options.body.get('logout_token') : null
  const offsetSeconds = offsetOf(now)
  if (token === null || offsetSeconds === 0) return options
  return { ...options, body: new URLSearchParams({ logout_token: await moveLogoutToken(token, { keys, offsetSeconds }) }) }
}

/** The simulator's clock minus the machine's. */
const offsetOf = (now: OidcSettings['now']): number => Math.round((now().getTime() - Date.now()) / 1000)

function askedMfaAcr(interaction: Interaction): string | undefined {
  return text(interaction.params['acr_values'])
    ?.split(' ')
    .find((value) => mfaAcrs.includes(value))
}

/** @spec OIDC Core §3.1.2.1 prompt=login, and max_age=0, which asks for the same */
const mustAskAgain = ({ params }: Interaction): boolean =>
  text(params['prompt'])?.split(' ').includes('login') === true || Number(params['max_age'] ?? 1) === 0

function clientIdOf(interaction: Interaction): string {
  return text(interaction.params['client_id']) ?? ''
}

function remember(openLogins: Map<string, OpenLogin>, grantId: string, login: OpenLogin): void {
  openLogins.set(grantId, login)
  const oldest = openLogins.keys().next()
  if (openLogins.size > maxOpenLogins && oldest.done !== true) openLogins.delete(oldest.value)
}

async function renderError(ctx: OidcContext, out: Readonly<Record<string, unknown>>): Promise<void> {
  ctx.type = 'html'
  const rows = Object.entries(out).map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`)
  ctx.body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign-in refused</title><p>Development tool: a simulated company.</p><h1>Sign-in refused</h1><dl>${rows.join('')}</dl></html>`
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
