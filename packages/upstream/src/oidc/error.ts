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
} as const satisfies Record<string, UpstreamErrorEntry>
