/** Our side of single logout: what we ask the IdP, what we answer when it asks, and what its answer to us is worth. */

import type { Instant } from '@drawbridge/core/instant'
import type { OwnQualifiers } from '@drawbridge/core/logout/idp-session'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { Random } from '@drawbridge/crypto/random'
import { z } from 'zod'
import type { SamlConnection } from '../connection-configuration.js'
import type { ExpectedLogout, FinishedLogout, StartedLogout, StartLogout, UpstreamAnswer, UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { buildLogoutRequest, buildLogoutResponse, type LogoutAnswer } from './logout-message.js'
import { newMessageId } from './message-id.js'
import { sendMessage } from './send-message.js'
import type { ServiceProvider } from './service-provider.js'
import { signEnveloped } from './sign-request.js'
import { wrapInSoap } from './soap-message.js'
import { logoutIssuersOf, type ReceivedLogout, type SamlLogoutRequest, verifyLogout } from './verify-logout.js'
import { spEntityIdOf } from './verify-response.js'

export type LogoutParty = {
  readonly connection: SamlConnection
  readonly serviceProvider: ServiceProvider
  readonly random: Random
}

const stateSchema = z.strictObject({ requestId: z.string(), sloUrl: z.string() })

/**
 * `returnUrl` is our single logout URL. Without a NameID, or an address of the IdP, there is nothing to ask and nobody to ask it of. Whom another IdP
 * named, this one has no business to know, and may call somebody else so.
 *
 * @spec SAML Profiles §4.4.3.1
 */
export function startSamlLogout(party: LogoutParty, request: StartLogout): Result<StartedLogout | 'not_offered', UpstreamRefusal> {
  const { connection, serviceProvider, random } = party
  const { nameId, sessionIndex, subject } = request.idpSession
  const { sloUrl: destination, sloBinding: binding, requestSignature: algorithm } = connection
  if (destination === undefined || nameId === undefined) return ok('not_offered')
  if (subject?.issuer !== connection.idpEntityId) return err({ reason: 'idp_session_of_another' })
  const key = serviceProvider.active
  if (key === undefined) return err({ reason: 'sp_key_missing' })
  const id = newMessageId(random)
  const issuer = spEntityIdOf(connection, acsUrlOf(request.returnUrl))
  const xml = buildLogoutRequest({ id, issuer, destination, now: request.now, nameId, sessionIndex })
  const { relayState } = request
  return ok({
    answer: sendMessage({ carries: 'SAMLRequest', id, xml, address: destination, binding, relayState, key, algorithm }),
    upstreamId: id,
    state: new Secret(JSON.stringify({ requestId: id, sloUrl: request.returnUrl })),
  })
}

const acsUrlOf = (sloUrl: string): string => sloUrl.replace(/\/slo$/, '/acs')

/** @spec SAML Profiles §4.4.3.5 */
export function finishSamlLogout(
  party: LogoutParty,
  message: UpstreamMessage,
  expected: ExpectedLogout,
): Result<FinishedLogout, UpstreamRefusal> {
  const state = readState(expected)
  if (!state.ok) return state
  const { connection, serviceProvider } = party
  const verified = verifyLogout(receivedOf(message), { connection, serviceProvider, destination: state.value.sloUrl, now: expected.now })
  if (!verified.ok) return verified
  const { value: response } = verified
  if (response.kind !== 'response' || response.inResponseTo !== state.value.requestId) return err({ reason: 'saml_logout_unsolicited' })
  if (response.outcome === 'failed') return err({ reason: 'saml_logout_failed' })
  return ok(response.outcome === 'complete' ? 'ended' : 'partly')
}

export const receivedOf = (message: UpstreamMessage): ReceivedLogout =>
  message.binding === 'redirect'
    ? { binding: 'redirect', query: message.query }
    : { binding: 'post', form: Object.fromEntries(message.parameters) }

function readState(expected: ExpectedLogout): Result<z.infer<typeof stateSchema>, UpstreamRefusal> {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(expected.state.reveal()))
    return parsed.success && parsed.data.requestId === expected.upstreamId ? ok(parsed.data) : err({ reason: 'login_state_invalid' })
  } catch {
    return err({ reason: 'login_state_invalid' })
  }
}

/** With which qualifiers this IdP says no more than that it speaks, and to us. `sloUrl` is that for browsers. @spec SAML Core §8.3.7 */
export const ownQualifiersOf = (connection: SamlConnection, sloUrl: string): OwnQualifiers => ({
  idp: logoutIssuersOf(connection),
  sp: spEntityIdOf(connection, acsUrlOf(sloUrl)),
})

export type LogoutToAnswer = {
  readonly request: SamlLogoutRequest
  readonly answer: LogoutAnswer
  /** Ours, to which the request came by a browser. */
  readonly sloUrl: string
  readonly now: Instant
}

/** To the IdP, by way of the browser. Undefined: the connection knows no address for it, or we have no key to sign with. */
export function answerLogout(party: LogoutParty, given: LogoutToAnswer): UpstreamAnswer | undefined {
  const { connection, serviceProvider, random } = party
  const address = connection.sloResponseUrl ?? connection.sloUrl
  const key = serviceProvider.active
  if (address === undefined || key === undefined) return undefined
  const { id, xml } = buildAnswer(connection, random, address, given)
  const { sloBinding: binding, requestSignature: algorithm } = connection
  return sendMessage({ carries: 'SAMLResponse', id, xml, address, binding, relayState: given.request.relayState, key, algorithm })
}

/** In the answer to the IdP's own request. Undefined: we have no key to sign with. @spec SAML Bindings §3.2.3 */
export function answerLogoutBySoap({ connection, serviceProvider, random }: LogoutParty, given: LogoutToAnswer): string | undefined {
  const key = serviceProvider.active
  if (key === undefined) return undefined
  const { id, xml } = buildAnswer(connection, random, undefined, given)
  return wrapInSoap(signEnveloped(xml, id, key, connection.requestSignature))
}

function buildAnswer(
  connection: SamlConnection,
  random: Random,
  destination: string | undefined,
  { request, answer, sloUrl, now }: LogoutToAnswer,
) {
  const id = newMessageId(random)
  const issuer = spEntityIdOf(connection, acsUrlOf(sloUrl))
  return { id, xml: buildLogoutResponse({ id, issuer, destination, now, inResponseTo: request.id, answer }) }
}
