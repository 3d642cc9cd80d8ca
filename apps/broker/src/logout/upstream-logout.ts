/**
 * The way to the IdP and back when a person signs out. What is expected of the way back rests in a sealed cookie of this browser: our side is
 * over before it leaves, so all that hangs on the answer is what the last page says.
 */
import { idpSessionFromJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { IssuerId } from '@drawbridge/core/tenant/ids'
import type { OwnSessionEnded } from '@drawbridge/store/end-own-session'
import type { UpstreamMessage } from '@drawbridge/upstream/connector'
import { logoutUrlsOf } from '@drawbridge/upstream/saml/service-provider'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { callbackUrlOf, signedOutUrlOf } from '../http/connection-addresses.js'
import { clearCookie, cookieName, setCookie } from '../http/cookies.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { atIssuer } from '../http/front.js'
import { leaveFor } from '../http/leave-for.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import { farewell, type Leaving, type SignedOut, signedOutPage } from './pages.js'
import { askedReturnShape, findReturn } from './returning.js'

/** A person may have to choose an account at her IdP. */
const tripSeconds = 600
const relayBytes = 24
const tripShape = z.strictObject({
  connectionId: z.string(),
  upstreamId: z.string(),
  state: z.string(),
  expiresAt: z.number(),
  /** At which she signed out: the tenant's own, or the front, of which the client is then. The IdP leads back to the tenant's own address from either. */
  issuerId: z.string(),
  /** Where the application wanted her in the end. */
  returning: askedReturnShape.optional(),
})
type Trip = z.infer<typeof tripShape>

/** Where the IdP sends the browser back: over SAML to the address that takes every message about logout. */
export const logoutReturnUrlOf = (tenant: ResolvedTenant, connection: ResolvedConnection): string =>
  connection.kind === 'saml' ? logoutUrlsOf(callbackUrlOf(tenant, connection)).browser : signedOutUrlOf(tenant)
const tripCookie = (tenant: ResolvedTenant): string => `drawbridge-logout-${tenant.slug}`
const contextOf = (deps: BrokerDeps, tenant: ResolvedTenant) => sealContextOf({ deps, tenant }, 'cookies', 'logout', tenant.slug)

/** Leads on to the IdP if it offers that; else she is signed out here, and told that it is here alone. */
export async function leaveUpstream(http: HttpRequest, deps: BrokerDeps, ended: OwnSessionEnded, leaving: Leaving): Promise<Answer> {
  const tenant = tenantOf(http)
  const connection = tenant.connection(ended.connectionId)
  const connector = connection && deps.connectorFor(tenant, connection)
  const idpSession = idpSessionFromJson(ended.idpSession)
  const goesOn = connection?.configuration.ok === true && connection.configuration.value.logoutUpstream
  if (!connector || !goesOn || !idpSession.ok) return farewell('here', leaving)
  const now = deps.clock.now()
  const started = await connector.startLogout({
    returnUrl: logoutReturnUrlOf(tenant, connection),
    relayState: deps.random.bytes(relayBytes).toString('base64url'),
    idpSession: idpSession.value,
    hint: openHint(deps, tenant, ended),
    now,
  })
  if (!started.ok) return { ...farewell('here', leaving), refusal: started.error }
  if (started.value === 'not_offered') return farewell('here', leaving)
  const { answer, upstreamId, state } = started.value
  const trip: Trip = {
    connectionId: ended.connectionId,
    upstreamId,
    state: state.reveal(),
    expiresAt: addSeconds(now, tripSeconds),
    issuerId: tenant.issuer.id,
    ...(leaving.returning && { returning: leaving.returning.asked }),
  }
  return leaveFor(answer, 'Sign out at your company, too', [...leaving.setCookies, tripCookieOf(deps, tenant, trip)])
}

/** A hint that cannot be opened is none: the IdP then asks whom it should sign out. */
function openHint(deps: BrokerDeps, tenant: ResolvedTenant, { id, sealedLogoutHint: sealed }: OwnSessionEnded): Secret | undefined {
  const opened = sealed && deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'browser_sessions', 'sealed_logout_hint', id))
  return opened?.ok ? new Secret(opened.value.toString('utf8')) : undefined
}

function tripCookieOf(deps: BrokerDeps, tenant: ResolvedTenant, trip: Trip): string {
  const sealed = deps.sealer.seal(Buffer.from(JSON.stringify(trip), 'utf8'), contextOf(deps, tenant))
  const options = { publicUrl: deps.settings.publicUrl, sameSite: 'Lax' as const, maxAgeSeconds: tripSeconds }
  return setCookie(tripCookie(tenant), sealed.toString('base64url'), options)
}

/**
 * The browser is back from the IdP, or says so. Whatever it brings, she is signed out here; that she is so at the IdP is said only where the
 * answer is to the trip that this browser began. `otherwise`: it began none.
 */
export async function finishUpstream(
  http: HttpRequest,
  deps: BrokerDeps,
  message: UpstreamMessage,
  otherwise: () => Answer = () => signedOutPage('here'),
): Promise<Answer> {
  const tenant = tenantOf(http)
  const trip = tripOf(http, deps, tenant)
  const connection = trip && tenant.connection(trip.connectionId)
  const connector = connection && deps.connectorFor(tenant, connection)
  if (!connector) return otherwise()
  const expected = { upstreamId: trip.upstreamId, state: new Secret(trip.state), now: deps.clock.now() }
  const finished = await connector.finishLogout(message, expected)
  // A forged answer leaves the trip open for the genuine one.
  if (!finished.ok) return { ...signedOutPage('here'), refusal: finished.error }
  const far: SignedOut = finished.value === 'ended' ? 'everywhere' : 'partly'
  const at = await atIssuer(deps, tenant, trip.issuerId as IssuerId)
  const returning = at && (await findReturn(deps, at, trip.returning))
  return farewell(far, { returning, setCookies: [clearCookie(tripCookie(tenant), deps.settings.publicUrl)] })
}

function tripOf(http: HttpRequest, deps: BrokerDeps, tenant: ResolvedTenant): Trip | undefined {
  const value = http.cookies.get(cookieName(tripCookie(tenant), deps.settings.publicUrl))
  const opened = value === undefined ? undefined : deps.sealer.open(Buffer.from(value, 'base64url'), contextOf(deps, tenant))
  const trip = opened?.ok ? tripShape.safeParse(JSON.parse(opened.value.toString('utf8'))) : undefined
  return trip?.success && isOpen(trip.data, deps.clock.now()) ? trip.data : undefined
}

const isOpen = ({ expiresAt }: Trip, now: Instant): boolean => now < instant(expiresAt)
