/** What the guard can refuse, as a catalogue: `say` goes on the wire, the reason goes to the caller's log and nowhere else. */
export type Ok<T> = { readonly ok: true; readonly value: T }
export type Err<E> = { readonly ok: false; readonly error: E }
export type Result<T, E> = Ok<T> | Err<E>
export const ok = <T>(value: T): Ok<T> => ({ ok: true, value })
export const err = <E>(error: E): Err<E> => ({ ok: false, error })

export type GuardRefusalEntry = {
  readonly status: 400 | 401 | 403 | 503
  /** The `error` of RFC 6750 §3.1, RFC 9470 §3 or RFC 9449 §7.1; none when the request carried no credentials at all. */
  readonly code?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication' | 'invalid_dpop_proof'
  readonly say: string
}

const deadToken = { status: 401, code: 'invalid_token', say: 'the access token is not valid' } as const

const badProof = {
  status: 401,
  code: 'invalid_dpop_proof',
  say: 'the DPoP proof is not valid for this request: make a new one for each, with htm, htu, iat, jti and ath, and check the clock',
} as const

/** One line per refusal. Reasons that an attacker may probe share one `say`. */
export const guardRefusals = {
  token_missing: { status: 401, say: 'this resource needs an access token' },
  token_malformed: deadToken,
  token_of_unknown_issuer: deadToken,
  token_signature_wrong: deadToken,
  token_key_condemned: deadToken,
  token_of_wrong_type: deadToken,
  token_for_other_resource: deadToken,
  token_expired: deadToken,
  token_from_the_future: deadToken,
  token_lives_too_long: deadToken,
  token_of_other_tenant: deadToken,
  token_epochs_malformed: deadToken,
  token_below_barrier: deadToken,
  token_inactive: deadToken,
  token_bound_to_key: {
    ...deadToken,
    say: 'the access token is bound to a key: send it as DPoP, with a proof',
  },
  token_not_bound: { ...deadToken, say: 'the access token is bound to no key: send it as Bearer, where this resource takes such tokens' },
  token_of_other_key: deadToken,
  bound_token_required: { ...deadToken, say: 'this resource takes only access tokens that are bound to a key, with a DPoP proof' },
  proof_missing: { ...badProof, say: 'send one DPoP header with a proof for this request' },
  proof_malformed: badProof,
  proof_key_unusable: badProof,
  proof_of_other_request: badProof,
  proof_of_other_token: badProof,
  proof_not_of_now: badProof,
  proof_signature_wrong: badProof,
  proof_replayed: badProof,
  proofs_exhausted: { status: 503, say: 'this resource server cannot remember more proofs at this moment; try again shortly' },
  scope_insufficient: { status: 403, code: 'insufficient_scope', say: 'the access token lacks a scope that this operation needs' },
  authentication_insufficient: {
    status: 401,
    code: 'insufficient_user_authentication',
    say: 'the person has to sign in more strongly, or anew, for this operation',
  },
  authentication_impossible: {
    status: 400,
    code: 'invalid_request',
    say: 'the tools of this batch demand sign-ins that no single one meets; call them in requests of their own',
  },
  tool_without_scope: { status: 403, code: 'insufficient_scope', say: 'this tool is not open to any scope' },
  request_malformed: { status: 400, code: 'invalid_request', say: 'the request body is not a JSON-RPC message' },
  issuer_unreachable: { status: 503, say: 'the authorization server cannot be reached; try again shortly' },
  not_ready: { status: 503, say: 'this resource server has not yet heard which tokens are revoked; try again shortly' },
  deaf: { status: 503, say: 'this resource server has lost touch with its authorization server; try again shortly' },
} as const satisfies Record<string, GuardRefusalEntry>

export type GuardRefusal = keyof typeof guardRefusals

/** The entry of a refusal, with the optional members visible. */
export const entryOf = (refusal: GuardRefusal): GuardRefusalEntry => guardRefusals[refusal]
