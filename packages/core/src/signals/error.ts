/** What the endpoints of signals refuse, those that tell and those that hear. Reasons that tell apart an unknown credential from a wrong secret share one `say`. */
export type SignalErrorEntry = { readonly code: string; readonly status: number; readonly spec: string; readonly say: string }

const unproven = {
  code: 'access_denied',
  status: 401,
  spec: 'RFC 6749 §2.3.1',
  say: 'prove yourself with the credential of your resource',
} as const

const unbelieved = {
  code: 'invalid_token',
  status: 401,
  spec: 'draft-parecki-oauth-global-token-revocation §4',
  say: 'the JWT is not one that this connection believes',
} as const

export const signalErrors = {
  resource_credential_missing: unproven,
  resource_credential_unknown: unproven,
  resource_credential_wrong: unproven,
  stream_unknown: {
    code: 'stream_unknown',
    status: 404,
    spec: 'RFC 8936 §2.4',
    say: 'there is no such stream, or it lapsed because nobody listened; open a new one',
  },
  revocation_token_missing: { ...unbelieved, say: 'send the signed JWT of your identity provider as a bearer token' },
  revocation_token_refused: unbelieved,
  revocation_token_replayed: unbelieved,
  revocation_body_malformed: {
    code: 'invalid_request',
    status: 400,
    spec: 'draft-parecki-oauth-global-token-revocation §3',
    say: 'the body must be JSON with one sub_id of the format iss_sub, opaque or email',
  },
  revocation_subject_of_another: {
    code: 'access_denied',
    status: 403,
    spec: 'draft-parecki-oauth-global-token-revocation §5',
    say: 'this connection does not speak for people of another issuer',
  },
  revocation_subject_unknown: {
    code: 'not_found',
    status: 404,
    spec: 'draft-parecki-oauth-global-token-revocation §5',
    say: 'nobody of this connection has that identifier; it was recorded, and nothing was revoked',
  },
  revocation_subject_ambiguous: {
    code: 'cannot_process',
    status: 422,
    spec: 'draft-parecki-oauth-global-token-revocation §5',
    say: 'that address is not the verified address of exactly one person of this connection; it was recorded, and nothing was revoked',
  },
  set_malformed: {
    code: 'invalid_request',
    status: 400,
    spec: 'RFC 8935 §2.4',
    say: 'the body must be one security event token that this receiver can read: its kind, claims and times',
  },
  set_of_another_issuer: { code: 'invalid_issuer', status: 400, spec: 'RFC 8935 §2.4', say: 'this receiver does not hear that issuer' },
  set_for_another_audience: { code: 'invalid_audience', status: 400, spec: 'RFC 8935 §2.4', say: 'the token is for somebody else' },
  set_signature_wrong: { code: 'invalid_key', status: 400, spec: 'RFC 8935 §2.4', say: 'no key of the issuer signed this' },
  set_sender_unproven: {
    code: 'authentication_failed',
    status: 400,
    spec: 'RFC 8935 §2.4',
    say: 'send the authorization header that the stream was set up with',
  },
  set_not_heard: { code: 'access_denied', status: 400, spec: 'RFC 8935 §2.4', say: 'no security events are heard here' },
  signal_keys_awaited: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §10.2.3',
    say: 'the keys of the issuer cannot be had at this moment; send it again',
  },
} as const satisfies Record<string, SignalErrorEntry>

export type SignalErrorReason = keyof typeof signalErrors
