/** Why a client is not believed. What somebody may probe for has one text: an unknown client, a wrong secret, a wrong assertion. */
const badClient = 'client authentication failed; check client_id and its credentials, or register again'

export const clientAuthenticationErrors = {
  client_authentication_missing: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 6749 §5.2', say: badClient },
  client_authentication_twice: {
    code: 'invalid_request',
    status: 400,
    answer: 'json',
    spec: 'RFC 6749 §2.3',
    say: 'use one method of client authentication, not several',
  },
  client_authentication_unknown_client: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 6749 §5.2', say: badClient },
  client_authentication_blocked: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 6749 §5.2', say: badClient },
  client_authentication_method: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 7591 §2', say: badClient },
  client_secret_wrong: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 6749 §2.3.1', say: badClient },
  client_secret_lapsed: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 7591 §3.2.1', say: badClient },
  client_authentication_busy: {
    code: 'temporarily_unavailable',
    status: 503,
    answer: 'json',
    spec: 'OAuth CIMD §4',
    say: 'this client describes itself at its client_id URL, and more such documents are being fetched than may be at once; try again after Retry-After',
  },
  client_keys_unreachable: {
    code: 'temporarily_unavailable',
    status: 503,
    answer: 'json',
    spec: 'RFC 7591 §2',
    say: 'the keys at the jwks_uri of this client cannot be read, or hold none that signed this and may not be asked for again yet; try again after Retry-After',
  },
  client_assertion_invalid: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 7523 §3', say: badClient },
  client_assertion_replayed: { code: 'invalid_client', status: 401, answer: 'json', spec: 'RFC 7523 §3', say: badClient },
} as const
