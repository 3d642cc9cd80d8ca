/**
 * Single logout over SAML: what an IdP sends through a browser, and what it sends from its own server.
 *
 * A cross-site POST carries no cookie of ours, and none is needed to end a session: a signed LogoutRequest is the IdP's word (security.md §16).
 * Nothing unsigned ends anything.
 */
import { soapContentType } from '@drawbridge/upstream/saml/soap-message'
import { text } from '../http/answer.js'
import { ofSenders } from '../http/believed-senders.js'
import { endpoint } from '../http/endpoint.js'
import { decodeUtf8 } from '../http/read-body.js'
import { continueAnswer, takeLogout, takeLogoutBySoap } from './saml-logout.js'

/** A LogoutRequest has two kilobytes, with a long certificate in its KeyInfo five. */
const maxMessageBytes = 64 * 1024
const path = '/t/:tenant/saml/:connection/slo'

/** @spec SAML Profiles §4.4, SAML Bindings §3.4 */
export const samlSloRedirectEndpoint = endpoint({
  method: 'GET',
  path,
  spec: 'SAML Profiles §4.4',
  summary: 'Takes a LogoutRequest or LogoutResponse by the HTTP-Redirect binding.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: (http, deps) => takeLogout(http, deps, { binding: 'redirect', query: http.rawQuery }),
})

/** From a browser, or from the IdP's server (Keycloak). @spec SAML Profiles §4.4, SAML Bindings §3.5 */
export const samlSloPostEndpoint = endpoint({
  method: 'POST',
  path,
  spec: 'SAML Profiles §4.4',
  summary: 'Takes a LogoutRequest or LogoutResponse by the HTTP-POST binding.',
  tag: 'Logout',
  refusals: 'page',
  ...ofSenders,
  maxBodyBytes: maxMessageBytes,
  run: (http, deps) => takeLogout(http, deps, { binding: 'post', form: http.form.ok ? http.form.value : {} }),
})

/** @spec SAML Profiles §4.4.3.5 */
export const samlSloContinueEndpoint = endpoint({
  method: 'GET',
  path: `${path}/continue`,
  spec: 'SAML Profiles §4.4.3.5',
  summary: 'Judges a LogoutResponse that came by a cross-site POST, in the browser that began the logout.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: (http, deps) => continueAnswer(http, deps),
})

/** @spec SAML Profiles §4.4, SAML Bindings §3.2 */
export const samlSloSoapEndpoint = endpoint({
  method: 'POST',
  path: `${path}/soap`,
  spec: 'SAML Bindings §3.2',
  summary: 'Takes a LogoutRequest by SOAP, without a browser.',
  tag: 'Logout',
  ...ofSenders,
  maxBodyBytes: maxMessageBytes,
  run: async (http, deps) => {
    const { status, body, refusal } = await takeLogoutBySoap(http, deps, decodeUtf8(http.rawBody) ?? '')
    return text(soapContentType, body, { status, headers: { 'cache-control': 'no-store' }, ...(refusal && { refusal }) })
  },
})
