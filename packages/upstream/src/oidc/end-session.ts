/** Taking a person's browser to the provider to sign out there, too. Our side is over before it leaves, whatever the provider makes of it. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { OidcConnection } from '../connection-configuration.js'
import type { ExpectedLogout, FinishedLogout, StartedLogout, StartLogout, UpstreamAnswer, UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { issuersOf } from './configuration.js'
import type { Discovery } from './discovery.js'
import { issuerOf } from './issuer-signature.js'
import type { ProviderMetadata } from './provider-metadata.js'

export const endSessionLimits = {
  /** A longer ID token is not kept: the provider then asks the person whom it should sign out. */
  hintLength: 8192,
  /** What every server and proxy on the way takes as an address; more goes by POST. */
  urlLength: 2000,
} as const

/** The ID token that a sign-out will show the provider again, if it offers one and the connection goes there. */
export const keptHint = (
  { logoutUpstream }: OidcConnection,
  { endSessionEndpoint }: ProviderMetadata,
  idToken: string,
): Secret | undefined =>
  logoutUpstream && endSessionEndpoint !== undefined && idToken.length <= endSessionLimits.hintLength ? new Secret(idToken) : undefined

/**
 * To the provider that opened the session, and to none that has taken its place. Without a hint it asks whom it should sign out, and OneLogin and
 * Okta do not lead back.
 *
 * @spec OIDC RP-Initiated Logout §2 by GET or POST
 */
export async function startLogout(
  { connection, discovery }: { readonly connection: OidcConnection; readonly discovery: Discovery },
  request: StartLogout,
): Promise<Result<StartedLogout | 'not_offered', UpstreamRefusal>> {
  if (!connection.logoutUpstream) return ok('not_offered')
  const { subject } = request.idpSession
  if (subject === undefined || !issuersOf(connection).includes(subject.issuer)) return err({ reason: 'idp_session_of_another' })
  const provider = await discovery(request.now)
  if (!provider.ok) return provider
  const { endSessionEndpoint } = provider.value
  if (endSessionEndpoint === undefined) return ok('not_offered')
  const parameters = {
    ...hintsOf(request.hint?.reveal() ?? '', connection),
    client_id: connection.clientId,
    post_logout_redirect_uri: request.returnUrl,
    state: request.relayState,
  }
  return ok({
    answer: answerOf(endSessionEndpoint, parameters),
    upstreamId: sha256Base64url(request.relayState),
    state: new Secret(''),
  })
}

function answerOf(endpoint: string, parameters: Readonly<Record<string, string>>): UpstreamAnswer {
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href.length <= endSessionLimits.urlLength
    ? { kind: 'redirect', url: url.href }
    : { kind: 'form', action: endpoint, fields: parameters }
}

/**
 * Entra takes its own optional claim `login_hint` for a logout hint. The token was believed when she signed in; here it names, and proves
 * nothing. The connection may have moved to another issuer since, who has no business with it.
 */
function hintsOf(idToken: string, connection: OidcConnection): Readonly<Record<string, string>> {
  const jwt = readForeignJwt(idToken, foreignAlgorithms)
  if (!jwt.ok || jwt.value.claims.get('iss') !== issuerOf(connection, jwt.value.claims)) return {}
  const hint = jwt.value.claims.get('login_hint')
  return { id_token_hint: idToken, ...(typeof hint === 'string' && hint !== '' && { logout_hint: hint }) }
}

/** @spec OIDC RP-Initiated Logout §3 the state comes back as it was sent */
export function finishLogout(message: UpstreamMessage, { upstreamId }: ExpectedLogout): Result<FinishedLogout, UpstreamRefusal> {
  const state = message.parameters.get('state')
  return state !== undefined && sha256Base64url(state) === upstreamId ? ok('ended') : err({ reason: 'oidc_state_mismatch' })
}
