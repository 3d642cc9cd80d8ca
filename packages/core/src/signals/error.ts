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
  stream_absent: { code: 'not_found', status: 404, spec: 'SSF 1.0 §8.1.1', say: 'this resource has no such stream at this issuer' },
  streams_enough: {
    code: 'access_denied',
    status: 403,
    spec: 'SSF 1.0 §8.1.1.1',
    say: 'this resource has as many streams at this issuer as it may have; delete one first, or wait until those of guards that have stopped lapse',
  },
  stream_endpoint_refused: {
    code: 'invalid_request',
    status: 400,
    spec: 'SSF 1.0 §6.1',
    say: 'endpoint_url must be an https URL without credentials and fragment; for delivery by poll it is given by us',
  },
  stream_property_wrong: {
    code: 'invalid_request',
    status: 400,
    spec: 'SSF 1.0 §8.1.1.3',
    say: 'a property that the transmitter supplies is not what it is; leave it out, or repeat it as it was read',
  },
  stream_held: {
    code: 'access_denied',
    status: 403,
    spec: 'SSF 1.0 §8.1.2.2',
    say: 'an operator has paused this stream; only an operator lets it go on',
  },
  stream_not_enabled: {
    code: 'invalid_request',
    status: 400,
    spec: 'SSF 1.0 §8.1.4.2',
    say: 'the stream is not enabled, so that nothing can be verified over it',
  },
  verification_too_soon: {
    code: 'too_many_requests',
    status: 429,
    spec: 'SSF 1.0 §8.1.4.2',
    say: 'a verification was asked for less than min_verification_interval ago',
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
    say: 'that identifier does not name exactly one person of this connection; it was recorded, and nobody lost anything but those who all bear it as their link key',
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
  unmatched_signals_full: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §10.2.3',
    say: 'too many people are named whom nobody knows here, and this was not kept; send it again',
  },
  signal_keys_awaited: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §10.2.3',
    say: 'the keys of the issuer cannot be had at this moment; send it again',
  },
} as const satisfies Record<string, SignalErrorEntry>

export type SignalErrorReason = keyof typeof signalErrors
