/** The catalogue of OAuth refusals: every reason for which we say no, what goes on the wire, and which specification says so. */

import { authorizationErrors } from './authorization-error.js'
import { clientAuthenticationErrors } from './client-authentication-error.js'
import { clientCertificateErrors } from './client-certificate-error.js'
import { registrationErrors } from './registration-error.js'
import { tokenErrors } from './token-error.js'

export type OAuthErrorEntry = {
  /** The registered error code: what a client programs against. */
  readonly code: string
  readonly status: number
  /** Where the refusal goes: a page of ours, back to the proven redirect URI, or a JSON body. */
  readonly answer: 'page' | 'redirect' | 'json'
  readonly spec: string
  /** Cause and remedy in plain words. Reasons that an attacker may probe share one text. */
  readonly say: string
}

const pageEntry = (status: 400 | 403 | 404 | 429, spec: string, say: string) =>
  ({ code: 'invalid_request', status, answer: 'page', spec, say }) as const
const notFresh =
  'this page needs a sign-in of just now, and your company\u2019s has not said that it asked you again; sign out there and start again, or ask your administrators'

export const oauthErrors = {
  // Authorization endpoint, before client and redirect URI are proven: a page, never a redirect.
  authorization_request_malformed: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'RFC 6749 §3.1',
    say: 'the authorization request is malformed: each parameter may appear once, and client_id and redirect_uri are needed',
  },
  request_uri_invalid: {
    code: 'invalid_request_uri',
    status: 400,
    answer: 'page',
    spec: 'RFC 9126 §4',
    say: 'the address that brought you here was used already, has lapsed, or is of another application; go back to the application and start again',
  },
  client_unknown: {
    code: 'invalid_client',
    status: 400,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'this client is not known here; it may have to register again',
  },
  client_blocked: {
    code: 'unauthorized_client',
    status: 403,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'your company does not allow this client; ask its administrators',
  },
  client_way_closed: {
    code: 'unauthorized_client',
    status: 403,
    answer: 'page',
    spec: 'OAuth CIMD §6.8',
    say: 'your company does not let clients that became known in this way, or that are described at this host, ask for access; its administrators can allow that, or register the client',
  },
  client_not_approved: {
    code: 'unauthorized_client',
    status: 403,
    answer: 'page',
    spec: 'ours',
    say: 'an administrator of your company has to approve this application before anybody can use it; it stands in their list of those that wait, so ask them',
  },
  client_document_unreachable: {
    code: 'invalid_client',
    status: 400,
    answer: 'page',
    spec: 'OAuth CIMD §4',
    say: 'the client describes itself at its client_id URL, and that document could not be fetched; try again later',
  },
  client_document_gone: {
    code: 'invalid_client',
    status: 400,
    answer: 'page',
    spec: 'OAuth CIMD §4',
    say: 'the client describes itself at its client_id URL, and there is no document at that address; its publisher has to put it back',
  },
  client_document_busy: {
    code: 'temporarily_unavailable',
    status: 503,
    answer: 'page',
    spec: 'OAuth CIMD §4',
    say: 'the client describes itself at its client_id URL, and more such documents are being fetched than may be at once; try again in a moment',
  },
  client_documents_full: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'OAuth CIMD §4',
    say: 'your company has as many clients that describe themselves as it may, and all of them are in use or came a moment ago; try again in an hour, or ask your administrators to register the client',
  },
  client_copies_full: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'ours',
    say: 'your company has as many clients that registered themselves at this address and that nobody uses yet as it may, and all of them came a moment ago; try again in an hour, or ask your administrators to let the client in by name',
  },
  client_document_invalid: {
    code: 'invalid_client',
    status: 400,
    answer: 'page',
    spec: 'OAuth CIMD §4.1',
    say: 'the document at the client_id URL is not a valid client metadata document; its publisher has to correct it',
  },
  redirect_uri_unregistered: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'redirect_uri is not registered for this client',
  },
  ...authorizationErrors,
  // Steps of the browser flow.
  test_login_over: pageEntry(400, 'ours', 'this test was started already, or it is over; ask for another one'),
  factors_off: pageEntry(404, 'ours', 'your company asks for no second factor here; ask its administrators'),
  factor_visit_over: pageEntry(
    400,
    'RFC 9700 §4.7',
    'this page was opened in another browser or by another sign-in, or it is over; start again',
  ),
  factor_visit_not_fresh: pageEntry(403, 'OIDC Core §3.1.2.1, SAML Core §3.4.1', notFresh),
  request_not_of_browser: pageEntry(
    400,
    'RFC 9700 §4.7',
    'this sign-in was not started in this browser, or it is over; go back to the application and start again',
  ),
  device_page_off: pageEntry(
    404,
    'RFC 8628 §3.3',
    'your company does not let devices ask for access by a code; its administrators can allow it',
  ),
  user_code_unknown: pageEntry(
    400,
    'RFC 8628 §3.3',
    'no device shows this code now; look at the device again, it may show another one by now',
  ),
  user_codes_locked: pageEntry(
    429,
    'RFC 8628 §5.1',
    'too many codes that no device shows were typed; wait ten minutes, and start again on the device',
  ),
  user_code_proof_invalid: pageEntry(
    403,
    'RFC 9700 §4.7',
    'this page was not shown to this browser, or it is too old; type the code of your device again',
  ),
  request_expired: pageEntry(400, 'RFC 6749 §4.1.2.1', 'this sign-in has expired; go back to the application and start again'),
  request_unsettled: {
    code: 'temporarily_unavailable',
    status: 503,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'your company\u2019s settings were being changed at this very moment; go back to the application and start again',
  },
  step_proof_invalid: {
    code: 'invalid_request',
    status: 403,
    answer: 'page',
    spec: 'RFC 9700 §4.7',
    say: 'this page does not belong to the sign-in in this browser; go back to the application and start again',
  },
  sign_out_malformed: pageEntry(
    400,
    'OIDC RP-Initiated Logout §2',
    'the application that sent you here asked in a way that nobody can read',
  ),
  sign_out_of_other_client: pageEntry(
    400,
    'OIDC RP-Initiated Logout §2',
    'the application that sent you here says that it is one, and shows the ID token of another',
  ),
  connection_missing: pageEntry(400, 'RFC 6749 §4.1.2.1', 'no sign-in connection is set up for this company; ask its administrators'),
  connection_unknown: {
    code: 'invalid_request',
    status: 404,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'this sign-in connection does not exist or is switched off',
  },
  login_unavailable: {
    code: 'temporarily_unavailable',
    status: 502,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'the sign-in page of your company could not be reached; try again in a minute',
  },
  login_refused: {
    code: 'access_denied',
    status: 400,
    answer: 'page',
    spec: 'SAML Core §3.2, OIDC Core §3.1.3.7',
    say: 'the answer of your company\u2019s sign-in was not accepted; start again, and tell your administrators the request id if it happens again',
  },
  login_replayed: {
    code: 'access_denied',
    status: 400,
    answer: 'page',
    spec: 'SAML Profiles §4.1.4.5',
    say: 'this sign-in was already used; go back to the application and start again',
  },
  idp_session_ended: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'OIDC Back-Channel Logout §2.7, SAML Profiles §4.4',
    say: 'your company\u2019s sign-in ended your session while you were signing in; start again',
  },
  login_not_fresh: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'OIDC Core §3.1.2.1, SAML Core §3.4.1',
    say: 'your access was taken back, so your company\u2019s sign-in had to ask who you are once more and say when it did, and it has not; sign out there and start again, or ask your administrators to let it honour a demand for a fresh sign-in',
  },
  login_unsolicited: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'SAML Profiles §4.1.5',
    say: 'nobody asked for this sign-in here; start from the application that you want to use',
  },
  relay_state_lost: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'SAML Bindings §3.5.3',
    say: 'your company\u2019s sign-in answered without the RelayState that it was given; ask your IT to have it returned unchanged',
  },
  initiation_malformed: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'OIDC Core §4',
    say: 'the tile that you came by is not set up well: it repeats a parameter; ask your IT to mend it',
  },
  initiation_of_another_issuer: {
    code: 'invalid_request',
    status: 400,
    answer: 'page',
    spec: 'OIDC Core §4',
    say: 'the tile that you came by names another issuer than the sign-in that it leads to; ask your IT to mend it',
  },
  identity_unusable: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'SAML Core §2.7.3',
    say: 'your company\u2019s sign-in did not say who you are in the form that was agreed; tell your administrators the request id',
  },
  subject_deactivated: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 7643 §4.1.1',
    say: 'your account is deactivated; ask your administrators',
  },
  subject_not_provisioned: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 7644 §3.3',
    say: 'your company has not given you access here; ask your administrators',
  },
  subject_not_in_directory: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 7644 §3.3',
    say: 'your company\u2019s directory has not given you access here; ask your IT to assign this application to you in the directory, wait for its next synchronisation, and start again',
  },
  subject_not_invited: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'your company lets only invited people in, and there is no open invitation for you; ask your IT for one, and start again',
  },
  address_of_another: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 9700 §4.4',
    say: 'your company\u2019s sign-in sent an e-mail address that is not of a domain of your company; ask your IT to send an address of a domain that it has proven',
  },
  directory_resync_pending: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 7644 §3.1',
    say: 'after a recovery your company\u2019s directory has to be synchronised anew before you can sign in; your IT has been told, please try again later',
  },
  domain_proof_missing: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 9700 §4.4',
    say: 'your company has to prove again that the domain of your e-mail address is its own before anybody new can come in; ask your IT to renew the DNS record of that domain',
  },
  mfa_missing: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 9470 §3',
    say: 'a second factor was needed and your company\u2019s sign-in did not confirm one',
  },
  nothing_granted: {
    code: 'access_denied',
    status: 403,
    answer: 'page',
    spec: 'RFC 6749 §4.1.2.1',
    say: 'the policy of your company allows none of what the application asked for',
  },
  // Client authentication at every endpoint that asks for it.
  ...clientAuthenticationErrors,
  ...clientCertificateErrors,
  pushed_request_nested: {
    code: 'invalid_request',
    status: 400,
    answer: 'json',
    spec: 'RFC 9126 §2.1',
    say: 'request_uri cannot be pushed; push the parameters of the authorization request themselves',
  },
  // Dynamic registration.
  ...registrationErrors,
  // Token, revocation and introspection endpoints.
  ...tokenErrors,
} as const satisfies Record<string, OAuthErrorEntry>

export type OAuthErrorReason = keyof typeof oauthErrors

/** A refusal. `code` and `say` go on the wire; `reason` and `detail` go to the log and the audit trail, nowhere else. */
export type OAuthError<R extends OAuthErrorReason = OAuthErrorReason> = {
  readonly reason: R
  readonly detail?: Readonly<Record<string, string | number>>
}

type ReasonAnswering<A extends OAuthErrorEntry['answer']> = {
  [R in OAuthErrorReason]: (typeof oauthErrors)[R]['answer'] extends A ? R : never
}[OAuthErrorReason]

/** A refusal that may only be shown as a page: nobody has proven where the browser may be sent. */
export type PageRefusal = OAuthError<ReasonAnswering<'page'>>
/** A refusal that belongs to the client; sending it needs the proven redirect URI. */
export type RedirectRefusal = OAuthError<ReasonAnswering<'redirect'>>
export type JsonRefusal = OAuthError<ReasonAnswering<'json'>>

export const entryOf = (error: OAuthError): OAuthErrorEntry => oauthErrors[error.reason]
