/** Why a login over OpenID Connect is refused. */
import { notFromIdp, type UpstreamErrorEntry } from '../error-entry.js'

export const oidcErrors = {
  // OpenID Connect
  oidc_discovery_failed: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'OIDC Discovery §4',
    cause: 'The discovery document of the issuer could not be read.',
    remedy:
      'Open <issuer>/.well-known/openid-configuration in a browser and compare the issuer with the connection, trailing slash included.',
  },
  oidc_issuer_mismatch: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 9207 §2.4',
    cause: 'The answer, or the discovery document, comes from another issuer than the connection names.',
    remedy: 'Set the issuer of the connection to the exact `issuer` value of the discovery document.',
  },
  oidc_answer_malformed: {
    code: 'upstream_message_malformed',
    status: 400,
    spec: 'OIDC Core §3.1.2.5',
    cause: 'The answer of the IdP lacks code or state, or repeats a parameter.',
    remedy: notFromIdp,
  },
  oidc_state_mismatch: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 6749 §10.12',
    cause: 'The answer does not belong to the login that this browser started.',
    remedy: 'Start the login again, in one window.',
  },
  oidc_access_denied: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'RFC 6749 §4.1.2.1',
    cause: 'The IdP did not let this person through, or she turned back at its sign-in page.',
    remedy: 'Assign the person, or a group of hers, to the application at the IdP; its sign-in log names the rule that refused.',
  },
  oidc_not_assigned: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'Microsoft Entra AADSTS50105',
    cause: 'The person is not assigned to the application.',
    remedy: 'Add her, or a group of hers, under Enterprise applications → this application → Users and groups.',
  },
  oidc_account_disabled: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'Microsoft Entra AADSTS50057',
    cause: 'The account is disabled at the IdP.',
    remedy: 'Ask your IT department; only they can enable it.',
  },
  oidc_conditional_access: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'Microsoft Entra Conditional Access',
    cause: 'A Conditional Access policy of the company blocked the sign-in: device, place or application.',
    remedy: 'Look at the sign-in log of Entra, tab Conditional Access: it names the policy.',
  },
  oidc_interaction_required: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.6',
    cause: 'The IdP would have had to ask the person something, and could not.',
    remedy: 'Start the login again in a browser window of its own. If it repeats, sign in at the IdP first.',
  },
  oidc_consent_required: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.6',
    cause: 'Nobody has agreed at the IdP that this application may sign people in.',
    remedy: 'Let an administrator of the IdP grant admin consent to the application.',
  },
  oidc_provider_unavailable: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'RFC 6749 §4.1.2.1',
    cause: 'The IdP reports a fault of its own.',
    remedy: 'Try again in a few minutes; look at the status page of the IdP if it repeats.',
  },
  oidc_request_refused: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'RFC 6749 §4.1.2.1',
    cause: 'The IdP refused our request as such: a scope, a parameter or the kind of application.',
    remedy:
      'Compare scopes and parameters of the connection with the application at the IdP, which must be a web application with the code flow.',
  },
  oidc_redirect_uri_unregistered: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'RFC 6749 §3.1.2.3',
    cause: 'The redirect URI of this connection is not registered at the IdP.',
    remedy: 'Enter the redirect URI of the connection at the application, character for character, as platform Web.',
  },
  oidc_client_refused: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'RFC 6749 §5.2',
    cause: 'The IdP does not know our client, or not our proof that we are it.',
    remedy:
      'Check client ID, client authentication and secret of the connection; with private_key_jwt, whether the IdP has the current public key.',
  },
  oidc_client_secret_expired: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'Microsoft Entra AADSTS7000222',
    cause: 'The client secret has expired at the IdP.',
    remedy: 'Make a new secret at the IdP and store it in the connection, or change to private_key_jwt.',
  },
  oidc_client_secret_missing: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'OIDC Core §9',
    cause: 'The connection authenticates with a client secret and has none.',
    remedy: 'Store the client secret of the application in the connection.',
  },
  oidc_client_key_missing: {
    code: 'connection_misconfigured',
    status: 422,
    spec: 'OIDC Core §9',
    cause: 'The connection authenticates with a key of ours (private_key_jwt) and has none that is active.',
    remedy: 'Make a key for the connection, give its public half to the IdP, then activate it.',
  },
  oidc_tenant_refused: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.3.7',
    proven: true,
    cause: 'The account belongs to another company than this connection is for.',
    remedy:
      'Sign in with the account of this company. If it is the right one, add its tenant id (Entra) or domain (Google) to the connection.',
  },
  oidc_session_over: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OpenID Connect session_expiry',
    proven: true,
    cause: 'The IdP says that its session with this person is over already.',
    remedy: 'Start the login again; if it repeats, correct the session lifetime or the clock of the IdP.',
  },
  oidc_keys_awaited: {
    code: 'upstream_unreachable',
    status: 503,
    spec: 'OIDC Core §10.1.1',
    cause:
      'No key that we know has signed the token, and the keys of the issuer were asked for so lately that they are not asked for again yet.',
    remedy: 'Try again in a minute. If it happens every time, the IdP signs with a key that its JWKS does not show.',
  },
  oidc_keys_unusable: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'RFC 7517 §5',
    cause: 'The key set of the issuer (jwks_uri) could not be read, or holds no usable signing key.',
    remedy: 'Open the jwks_uri of the discovery document: it needs an RSA key of 2048 to 4096 bits, an EC key or Ed25519.',
  },
  oidc_id_token_encrypted: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'OIDC Core §10.2',
    cause: 'The ID token is encrypted.',
    remedy: 'Turn off ID token encryption for this application; it comes over TLS, straight from the IdP.',
  },
  oidc_id_token_algorithm: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'RFC 8725 §3.1',
    cause: 'The ID token is unsigned, signed with a shared secret (HS256), or with an algorithm that the connection does not allow.',
    remedy: 'Let the IdP sign ID tokens with RS256, PS256, ES256 or EdDSA.',
  },
  oidc_token_answer_malformed: {
    code: 'upstream_message_malformed',
    status: 502,
    spec: 'RFC 6749 §5.1',
    cause: 'The token endpoint answered with something that is no token answer.',
    remedy: 'Check that token_endpoint of the discovery document is reached without a proxy or login page in between.',
  },
  oidc_login_refused: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.6',
    cause: 'The IdP answered with an error instead of a login.',
    remedy: 'Look at the sign-in log of the IdP: often the person is not assigned to the application.',
  },
  oidc_step_up_unmet: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Unmet Authentication Requirements §2',
    cause: 'The IdP cannot sign this person in with the strength that was asked for.',
    remedy: 'Enrol a second factor at the IdP, or set the step-up acr of the connection to one that the IdP knows.',
  },
  oidc_code_refused: {
    code: 'upstream_login_failed',
    status: 502,
    spec: 'RFC 6749 §5.2',
    cause: 'The token endpoint of the IdP refused the code or our credentials.',
    remedy: 'Check client ID and client secret of the connection, and whether the secret has expired at the IdP.',
  },
  oidc_id_token_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'OIDC Core §3.1.3.7',
    cause: 'The ID token is missing or fails a rule: signature, algorithm, issuer, audience, nonce or time.',
    remedy: 'Check client ID and issuer of the connection, and the clock of the IdP.',
  },
  oidc_authn_not_fresh: {
    code: 'upstream_login_failed',
    status: 403,
    spec: 'OIDC Core §3.1.2.1',
    proven: true,
    cause: 'A fresh login was asked for (prompt=login), but the IdP answered from an older session.',
    remedy: 'Let the IdP honour prompt=login for this application.',
  },
  oidc_userinfo_refused: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'OIDC Core §5.3.2',
    cause: 'The userinfo endpoint failed or speaks about another person than the ID token.',
    remedy: 'Check the scopes of the connection, or turn off userinfo.',
  },
  upstream_fetch_failed: {
    code: 'upstream_unreachable',
    status: 502,
    spec: 'ours',
    cause: 'The IdP could not be reached, took too long, or answered with too much.',
    remedy: 'Try again; if it repeats, check that the IdP is reachable from the broker.',
  },
  login_state_invalid: {
    code: 'upstream_message_refused',
    status: 403,
    spec: 'security.md §8',
    cause: 'The state kept for this login is not readable.',
    remedy: 'Start the login again.',
  },
  oidc_logout_token_refused: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'OIDC Back-Channel Logout §2.6',
    cause: 'This is no logout token of the connection’s issuer for this client, or it is too old, or nobody whom we know signed it.',
    remedy:
      'Compare issuer and client id of the connection with those at the IdP. An IdP that writes no typ or no exp needs logoutTokens: untyped.',
  },
  oidc_logout_token_replayed: {
    code: 'upstream_message_refused',
    status: 400,
    spec: 'OIDC Back-Channel Logout §2.6',
    proven: true,
    cause: 'This logout token was accepted before. What it names has ended then.',
    remedy: 'Nothing needs to be done.',
  },
} as const satisfies Record<string, UpstreamErrorEntry>

const clockRemedy = 'Synchronise the clock of the IdP with a time server; the trace says how far it is off.'

/** What `oidc_id_token_refused` was refused for: the rule of its detail, in words. What is not here is told by the catalogue. */
export const idTokenRules: Readonly<Record<string, { readonly cause: string; readonly remedy: string } | undefined>> = {
  aud: {
    cause: 'The ID token is made for another client than the one of this connection.',
    remedy: 'Compare the client ID of the connection with that of the application at the IdP, character for character.',
  },
  azp: {
    cause: 'The ID token names another client as the authorized party.',
    remedy: 'Let the IdP issue the token for the client of this connection alone.',
  },
  nonce: {
    cause: 'The ID token does not belong to the login that this browser started.',
    remedy: 'Start the login again, in one window. If it repeats, the IdP does not send our nonce back.',
  },
  exp: { cause: 'The ID token had expired when it came.', remedy: clockRemedy },
  iat: { cause: 'The ID token was issued in the future, or too long ago.', remedy: clockRemedy },
  nbf: { cause: 'The ID token is not valid yet.', remedy: clockRemedy },
  auth_time: { cause: 'The ID token says that the person signed in in the future.', remedy: clockRemedy },
  sub: {
    cause: 'The ID token names nobody: sub is missing, empty or too long.',
    remedy: 'Let the IdP send a subject identifier of at most 255 characters.',
  },
  unknown_key: {
    cause: 'The ID token is signed with a key that the issuer does not publish.',
    remedy: 'Open the jwks_uri of the discovery document: it must list the key that signs. Compare the issuer of the connection, too.',
  },
  bad_signature: {
    cause: 'The signature of the ID token does not fit the key that the issuer publishes under its name.',
    remedy: 'Open the jwks_uri of the discovery document: a key that was replaced must have another kid.',
  },
  key_of_another_issuer: {
    cause: 'The key that signed the ID token is published for another issuer.',
    remedy: 'Set the issuer of the connection to the one of this directory.',
  },
}
