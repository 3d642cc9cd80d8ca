/** Refusals of the HTTP layer itself, before any endpoint has a say. */
export type HttpErrorEntry = {
  readonly code: string
  readonly status: number
  readonly spec: string
  readonly title: string
  readonly say: string
}

export const httpErrors = {
  path_unknown: {
    code: 'not_found',
    status: 404,
    spec: 'RFC 9110 §15.5.5',
    title: 'Nothing here',
    say: 'there is nothing at this address',
  },
  tenant_unknown: {
    code: 'not_found',
    status: 404,
    spec: 'RFC 9110 §15.5.5',
    title: 'Nothing here',
    say: 'there is nothing at this address; check the company part of it',
  },
  tenant_suspended: {
    code: 'temporarily_unavailable',
    status: 403,
    spec: 'RFC 9110 §15.5.4',
    title: 'Sign-in is paused',
    say: 'this company has been suspended; ask whoever runs this service',
  },
  method_refused: {
    code: 'invalid_request',
    status: 405,
    spec: 'RFC 9110 §15.5.6',
    title: 'Wrong method',
    say: 'this address does not know that method; see the Allow header',
  },
  path_malformed: {
    code: 'invalid_request',
    status: 400,
    spec: 'RFC 3986 §2.1',
    title: 'Malformed address',
    say: 'the path is not well-formed; percent-encode it as UTF-8',
  },
  json_malformed: {
    code: 'invalid_request',
    status: 400,
    spec: 'RFC 8259',
    title: 'Malformed request',
    say: 'the body is not usable JSON; send one JSON value as UTF-8, nested no deeper than 64 levels',
  },
  body_invalid: {
    code: 'invalid_request',
    status: 400,
    spec: 'RFC 9457',
    title: 'Invalid request',
    say: 'the body does not have the documented shape; see errors',
  },
  media_type_refused: {
    code: 'invalid_request',
    status: 415,
    spec: 'RFC 9110 §15.5.16',
    title: 'Wrong media type',
    say: 'send the body in the documented media type',
  },
  body_too_large: {
    code: 'invalid_request',
    status: 413,
    spec: 'RFC 9110 §15.5.14',
    title: 'Too large',
    say: 'the body is larger than this address accepts',
  },
  body_incomplete: {
    code: 'invalid_request',
    status: 400,
    spec: 'RFC 9110 §8.6',
    title: 'Incomplete request',
    say: 'the body ended before it was complete',
  },
  rate_limited: {
    code: 'slow_down',
    status: 429,
    spec: 'RFC 6585 §4',
    title: 'Too many requests',
    say: 'too many requests; wait as long as Retry-After says',
  },
  database_gone: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §15.6.4',
    title: 'Back in a moment',
    say: 'the database does not answer at the moment; try again as Retry-After says',
  },
  tenant_busy: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §15.6.4',
    title: 'Back in a moment',
    say: 'so much is being done or changed for this tenant that this had no turn; try again as Retry-After says',
  },
  directory_busy: {
    code: 'temporarily_unavailable',
    status: 503,
    spec: 'RFC 9110 §15.6.4',
    title: 'Back in a moment',
    say: 'the directory of this company is being written at the moment, and nothing was done meanwhile; try again as Retry-After says',
  },
  server_fault: {
    code: 'server_error',
    status: 500,
    spec: 'RFC 6749 §4.1.2.1',
    title: 'That was our mistake',
    say: 'something of ours failed; tell the operator the request id',
  },
} as const satisfies Record<string, HttpErrorEntry>

export type HttpErrorReason = keyof typeof httpErrors
