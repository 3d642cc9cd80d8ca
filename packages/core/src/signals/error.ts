/** What the notice endpoints refuse. Reasons that tell apart an unknown credential from a wrong secret share one `say`. */
export type SignalErrorEntry = { readonly code: string; readonly status: number; readonly spec: string; readonly say: string }

const unproven = {
  code: 'access_denied',
  status: 401,
  spec: 'RFC 6749 §2.3.1',
  say: 'prove yourself with the credential of your resource',
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
} as const satisfies Record<string, SignalErrorEntry>

export type SignalErrorReason = keyof typeof signalErrors
