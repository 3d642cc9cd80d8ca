/**
 * The device authorization grant: a device that has no browser asks, a person answers elsewhere, and the device polls until it knows.
 *
 * What the person answers becomes an ordinary authorization code, which nobody ever sees: the device code stands for it at the token endpoint, and
 * is the verifier of its PKCE challenge. So whatever holds for the redemption of a code holds here, by the same statement.
 */
import type { Brand } from '../brand.js'
import { addSeconds, type Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { DeviceCodeId } from '../tenant/ids.js'
import { type AccessRules, type AskedAccess, acceptAskedAccess, refuseRequestObject } from './authorization-request.js'
import { type Caller, type CallerState, isSameClient } from './caller.js'
import type { Client } from './client.js'
import { deviceGrantType } from './device-grant-type.js'
import type { OAuthError, RedirectRefusal } from './error.js'
import type { PendingDeviceRequest } from './pending-request.js'
import type { TokenErrorReason } from './token-error.js'

/** What stands in an authorization code in place of a redirect URI. No client can register it, so none can redeem such a code as its own. */
export const deviceRedirectUri = deviceGrantType

export const deviceCodePrefix = 'dbv_'

/** Long enough to find another screen, sign in there and fetch one's second factor. RFC 8628 §3.2 */
export const deviceCodeTtlSeconds = 900
/** Between two polls; each that comes too early makes it `slowDownSeconds` longer, up to `mostIntervalSeconds`. RFC 8628 §3.5 */
export const deviceIntervalSeconds = 5
export const slowDownSeconds = 5
export const mostIntervalSeconds = 60
/** How much too early a poll may come: networks do not keep time. */
export const pollToleranceSeconds = 1
/** After a yes: a device that keeps its interval polls at least once in this time. */
export const approvedCodeTtlSeconds = 2 * mostIntervalSeconds
/** Undecided ones of one client of a tenant. */
export const mostOpenDeviceCodes = 1000

export type DeviceAuthorizationRequest = Brand<{ readonly client: Client } & AskedAccess, 'DeviceAuthorizationRequest'>

export type DeviceRequestRefusal = RedirectRefusal | OAuthError<'grant_type_not_for_client'>

/**
 * Accepts what a device asks for, by the rules of the authorization endpoint. What has no meaning without a browser (prompt, login_hint, state) is
 * ignored like any parameter that is not understood; a request object is refused, since what it says would be.
 *
 * @spec RFC 8628 §3.1 request
 */
export function acceptDeviceRequest(
  client: Client,
  parameters: Readonly<Record<string, string>>,
  rules: AccessRules,
): Result<DeviceAuthorizationRequest, DeviceRequestRefusal> {
  if (!client.grantTypes.includes(deviceGrantType)) return err({ reason: 'grant_type_not_for_client' })
  const elsewhere = refuseRequestObject(parameters)
  if (elsewhere) return err(elsewhere)
  const asked = acceptAskedAccess(parameters, rules)
  return asked.ok ? ok({ client, ...asked.value } as DeviceAuthorizationRequest) : asked
}

/** What is kept of it until the person is done. Only the accepted type is taken. `loginHint`: at the front issuer, what says whose she will be. */
export const toPendingDeviceRequest = (
  request: DeviceAuthorizationRequest,
  device: { readonly deviceCodeId: DeviceCodeId; readonly codeChallenge: string; readonly loginHint?: string | undefined },
): PendingDeviceRequest => ({
  ...device,
  loginHint: device.loginHint,
  resource: request.resource.identifier,
  scopes: request.scopes,
  identityScopes: request.identityScopes,
  prompt: [],
  selectAccount: false,
  hintedSubject: undefined,
  dpopKey: undefined,
  acrValues: request.acrValues,
  maxAge: request.maxAge,
  // The device has handed it over itself, and no browser could change it on its way.
  isPushed: true,
})

export type DeviceCodeState = Pick<Caller, 'issuerId' | 'clientId'> & {
  readonly caller: CallerState
  /** The tenant lets devices ask. */
  readonly isOffered: boolean
  /** No barrier of tenant or client since it was made. */
  readonly isAboveBarrier: boolean
  readonly decided: 'yes' | 'no' | undefined
  readonly expiresAt: Instant
  readonly polledAt: Instant | undefined
  readonly intervalSeconds: number
}

export type DeviceCodeRefusal = Extract<TokenErrorReason, `device_${string}`>
export type DeviceCodeVerdict = DeviceCodeRefusal | 'redeem' | 'client_changed'

/**
 * Says what a poll hears. `redeem`: the person said yes, and the code bound to the device code is judged next, as every code is.
 *
 * A no, and the end of its time, are told whenever they are asked for: there is nothing more to wait for. The hot statement of
 * `store/device-codes` holds the same conditions in the same order.
 *
 * @spec RFC 8628 §3.5 answers
 */
export function judgeDevicePoll(code: DeviceCodeState, presented: Caller, now: Instant): DeviceCodeVerdict {
  if (!isSameClient(presented, code.caller)) return 'client_changed'
  if (code.issuerId !== presented.issuerId) return 'device_code_of_other_issuer'
  if (code.clientId !== presented.clientId) return 'device_code_of_other_client'
  if (!code.isOffered) return 'device_grant_off'
  if (!code.isAboveBarrier) return 'device_code_below_barrier'
  if (code.decided === 'no') return 'device_denied'
  if (code.decided === undefined && now >= code.expiresAt) return 'device_code_expired'
  if (isTooEarly(code, now)) return 'device_polled_early'
  return code.decided === 'yes' ? 'redeem' : 'device_pending'
}

const isTooEarly = ({ polledAt, intervalSeconds }: Pick<DeviceCodeState, 'polledAt' | 'intervalSeconds'>, now: Instant): boolean =>
  polledAt !== undefined && now < addSeconds(polledAt, intervalSeconds - pollToleranceSeconds)
