/** The refusals of token exchange; part of the catalogue in `error.ts`. RFC 8693 §2.2.2: whatever is wrong with a subject token is `invalid_request`. */

const badSubjectToken = {
  code: 'invalid_request',
  status: 400,
  answer: 'json',
  spec: 'RFC 8693 §2.2.2',
  say: 'the subject token is not valid here: bring a living access token of this issuer that was issued for a resource whose tokens this client may exchange',
} as const

/** Reasons that an attacker may probe share one `say`: whoever brings a token that he should not have learns nothing of it. */
export const exchangeErrors = {
  subject_token_unknown: badSubjectToken,
  subject_token_dead: badSubjectToken,
  subject_token_stolen: { ...badSubjectToken, spec: 'RFC 9700 §4.14.2' },
  subject_token_of_other_client: badSubjectToken,
  subject_token_of_no_person: badSubjectToken,
  subject_token_type_unsupported: {
    ...badSubjectToken,
    spec: 'RFC 8693 §2.1',
    say: 'subject_token_type must be urn:ietf:params:oauth:token-type:access_token; for an id-jag that of id_token or refresh_token',
  },
  requested_token_type_unsupported: {
    ...badSubjectToken,
    spec: 'RFC 8693 §2.1',
    say: 'requested_token_type must be urn:ietf:params:oauth:token-type:access_token or that of id-jag, or left out',
  },
  actor_token_unsupported: {
    ...badSubjectToken,
    spec: 'RFC 8693 §2.1',
    say: 'the actor is the client itself, as it proves itself at this endpoint: leave out actor_token and actor_token_type',
  },
  exchange_target_missing: {
    code: 'invalid_target',
    status: 400,
    answer: 'json',
    spec: 'RFC 8693 §2.2.2',
    say: 'name the resource that the token is for, by resource or by audience; both only if they name the same',
  },
  exchange_not_allowed: {
    code: 'invalid_target',
    status: 400,
    answer: 'json',
    spec: 'RFC 8693 §2.2.2',
    say: 'the tenant does not let this client exchange such a token for one of that resource; its administrators can allow it',
  },
  id_jag_not_allowed: {
    code: 'invalid_target',
    status: 400,
    answer: 'json',
    spec: 'RFC 8693 §2.2.2',
    say: 'the tenant issues no such assertion for this client, audience and resource; its administrators can allow it',
  },
  subject_token_of_other_key: badSubjectToken,
  exchange_client_public: {
    code: 'unauthorized_client',
    status: 400,
    answer: 'json',
    spec: 'RFC 8693 §2.1',
    say: 'only a client that proves itself may exchange tokens',
  },
  exchange_proof_missing: {
    code: 'invalid_dpop_proof',
    status: 400,
    answer: 'json',
    spec: 'RFC 9449 §5',
    say: 'the subject token is bound to a key, so what it is exchanged for must be: send a DPoP proof of a key of your own',
  },
  exchange_chain_too_long: {
    ...badSubjectToken,
    spec: 'RFC 8693 §4.1',
    say: 'the subject token has been exchanged as often as one may be; ask the client of the person for a token of the resource that is needed',
  },
  exchange_policy_denies: {
    ...badSubjectToken,
    say: 'the policy of the tenant grants the person none of what was asked for through this client',
  },
  exchange_consent_needed: {
    ...badSubjectToken,
    say: 'the policy of the tenant wants the person herself to agree to this: have her client ask for it at the authorization endpoint',
  },
  exchange_authentication_insufficient: {
    code: 'insufficient_user_authentication',
    status: 400,
    answer: 'json',
    spec: 'RFC 9470 §3',
    say: 'what was asked for needs a stronger or more recent sign-in than stands behind the subject token: have the person sign in again',
  },
} as const
