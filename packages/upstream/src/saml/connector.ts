/** The SAML side of the port: writes the AuthnRequest, judges the response. Holds nothing between the two but what the caller sealed. */

import type { SamlAssertion } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { z } from 'zod'
import type { RefusedAnswer, Shown } from '../answer-outline.js'
import type { SamlConnection } from '../connection-configuration.js'
import type { Connector, ConnectorDeps, ExpectedLogin, StartedLogin, StartLogin, UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { buildAuthnRequest, demandsFreshLogin, sendAuthnRequest } from './authn-request.js'
import { finishSamlLogout, startSamlLogout } from './logout.js'
import { newMessageId } from './message-id.js'
import { outlineResponse } from './outline-response.js'
import { noServiceProvider, type ServiceProvider } from './service-provider.js'
import { verifyRedirectedResponse, verifySamlResponse } from './verify-response.js'

const stateSchema = z.strictObject({ requestId: z.string(), startedAt: z.number(), fresh: z.boolean() })

export type SamlConnectorDeps = Pick<ConnectorDeps, 'random'> & { readonly serviceProvider?: ServiceProvider }

export function samlConnector(
  { random, serviceProvider = noServiceProvider }: SamlConnectorDeps,
  connectionId: ConnectionId,
  connection: SamlConnection,
): Connector {
  return {
    start: async (request) => start({ random, serviceProvider }, connection, request),
    finish: async (message, expected) => finish({ connectionId, connection, serviceProvider }, message, expected),
    startLogout: async (request) => startSamlLogout({ connection, serviceProvider, random }, request),
    finishLogout: async (message, expected) => finishSamlLogout({ connection, serviceProvider, random }, message, expected),
  }
}

function start(deps: Required<SamlConnectorDeps>, connection: SamlConnection, request: StartLogin): Result<StartedLogin, UpstreamRefusal> {
  const key = connection.signRequests ? deps.serviceProvider.active : undefined
  if (connection.signRequests && key === undefined) return err({ reason: 'sp_key_missing' })
  const id = newMessageId(deps.random)
  const asked = { connection, stepUp: request.stepUpAcr === 'mfa', forceAuthn: request.forceAuthn }
  const xml = buildAuthnRequest({
    ...asked,
    selectAccount: request.selectAccount === true,
    acrValues: request.acrValues ?? [],
    id,
    acsUrl: request.callbackUrl,
    now: request.now,
  })
  const state = { requestId: id, startedAt: request.now, fresh: demandsFreshLogin(asked) }
  const { relayState, loginHint } = request
  return ok({
    answer: sendAuthnRequest({ id, xml, connection, relayState, loginHint, key }),
    upstreamId: id,
    state: new Secret(JSON.stringify(state)),
  })
}

function finish(
  party: { readonly connectionId: ConnectionId; readonly connection: SamlConnection; readonly serviceProvider: ServiceProvider },
  message: UpstreamMessage,
  expected: ExpectedLogin,
): Result<SamlAssertion, RefusedAnswer> {
  if (message.binding !== party.connection.responseBinding) return err({ reason: 'saml_binding_unsupported' })
  const state = readState(expected)
  if (!state.ok) return state
  const { callbackUrl: acsUrl, now } = expected
  const { requestId: expectedRequestId, fresh } = state.value
  const judged = { ...party, acsUrl, expectedRequestId, now }
  const verified =
    message.binding === 'redirect'
      ? verifyRedirectedResponse(message.query, judged)
      : verifySamlResponse(message.parameters.get('SAMLResponse') ?? '', judged)
  const refused = (refusal: UpstreamRefusal) =>
    err({ ...refusal, outline: (shown: Shown) => outlineResponse(message, judged, { refusal, shown }) })
  if (!verified.ok) return refused(verified.error)
  const assertion = { ...verified.value, authnInstant: believedInstant(party.connection, verified.value, fresh) }
  if (!fresh) return ok(assertion)
  const isFresh = checkFresh(assertion, addSeconds(state.value.startedAt as Instant, -party.connection.clockSkewSeconds))
  return isFresh.ok ? isFresh : refused(isFresh.error)
}

/** Keycloak, PingOne and OneLogin write the time of issue: only after ForceAuthn is that the time of a sign-in, if the admin trusts them so far. */
function believedInstant(
  { authnInstant: trust }: SamlConnection,
  { authnInstant }: SamlAssertion,
  wasForced: boolean,
): Instant | undefined {
  return trust === 'trusted' || (trust === 'when-forced' && wasForced) ? authnInstant : undefined
}

/** Asking for a fresh login proves nothing: an IdP that ignores ForceAuthn gives its old instant away. SAML Core §3.4.1. */
function checkFresh(assertion: SamlAssertion, notBefore: Instant): Result<SamlAssertion, UpstreamRefusal> {
  const isFresh = assertion.authnInstant !== undefined && assertion.authnInstant >= notBefore
  return isFresh ? ok(assertion) : err({ reason: 'saml_authn_not_fresh', proven: true })
}

function readState(expected: ExpectedLogin): Result<z.infer<typeof stateSchema>, UpstreamRefusal> {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(expected.state.reveal()))
    return parsed.success && parsed.data.requestId === expected.upstreamId ? ok(parsed.data) : err({ reason: 'login_state_invalid' })
  } catch {
    return err({ reason: 'login_state_invalid' })
  }
}
