/** The refusals of the token, revocation and introspection endpoints; part of the catalogue in `error.ts`. */

const dead = {
  code: 'invalid_grant',
  status: 400,
  answer: 'json',
  say: 'the grant behind this credential is no longer valid; start a new authorization',
} as const
const badCode = { code: 'invalid_grant', status: 400, answer: 'json', say: 'the authorization code is not valid' } as const
const badRefresh = { code: 'invalid_grant', status: 400, answer: 'json', say: 'the refresh token is not valid' } as const

const badProof = {
  code: 'invalid_dpop_proof',
  status: 400,
  answer: 'json',
  say: 'the DPoP proof is not valid for this request: make a new one for each, with htm, htu, iat and jti, and check the clock',
} as const

/** Reasons that an attacker may probe share one `say`: the wire never tells why a credential is dead. */
export const tokenErrors = {
  token_request_malformed: {
    code: 'invalid_request',
    status: 400,
    answer: 'json',
    spec: 'RFC 6749 §5.2',
    say: 'a parameter is missing, repeated or malformed',
  },
  grant_type_unsupported: {
    code: 'unsupported_grant_type',
    status: 400,
    answer: 'json',
    spec: 'RFC 6749 §5.2',
    say: 'grant_type must be authorization_code, refresh_token or client_credentials',
  },
  registration_way_closed: {
    code: 'unauthorized_client',
    status: 400,
    answer: 'json',
    spec: 'RFC 6749 §5.2',
    say: 'the tenant grants nothing new to clients that became known in this way; its administrators can allow it',
  },
  grant_type_not_for_client: {
    code: 'unauthorized_client',
    status: 400,
    answer: 'json',
    spec: 'RFC 6749 §5.2',
    say: 'this client may not use this grant_type',
  },
  scope_widened: { code: 'invalid_scope', status: 400, answer: 'json', spec: 'RFC 6749 §6', say: 'scope exceeds what was granted' },
  resource_not_of_grant: {
    code: 'invalid_target',
    status: 400,
    answer: 'json',
    spec: 'RFC 8707 §2.2',
    say: 'resource is not the one that was granted',
  },
  resources_of_token_several: {
    code: 'invalid_target',
    status: 400,
    answer: 'json',
    spec: 'RFC 8707 §2.2',
    say: 'a token is for one resource: name one',
  },
  code_unknown: { ...badCode, spec: 'RFC 6749 §5.2' },
  code_replayed: { ...badCode, spec: 'RFC 6749 §4.1.2' },
  code_expired: { ...badCode, spec: 'RFC 6749 §4.1.2' },
  code_of_other_client: { ...badCode, spec: 'RFC 6749 §4.1.3' },
  code_of_other_issuer: { ...badCode, spec: 'RFC 6749 §4.1.3' },
  redirect_uri_mismatch: { ...badCode, spec: 'RFC 6749 §4.1.3' },
  pkce_mismatch: { ...badCode, spec: 'RFC 7636 §4.6' },
  code_of_other_key: { ...badCode, spec: 'RFC 9449 §10' },
  refresh_token_unknown: { ...badRefresh, spec: 'RFC 6749 §6' },
  refresh_token_expired: { ...badRefresh, spec: 'RFC 6749 §6' },
  refresh_token_of_other_client: { ...badRefresh, spec: 'RFC 6749 §6' },
  refresh_token_of_other_issuer: { ...badRefresh, spec: 'RFC 6749 §6' },
  refresh_token_of_other_key: { ...badRefresh, spec: 'RFC 9449 §5' },
  refresh_token_not_offered: { ...badRefresh, spec: 'RFC 6749 §6' },
  refresh_token_replayed: { ...badRefresh, spec: 'RFC 9700 §4.14.2' },
  refresh_token_stolen: { ...badRefresh, spec: 'RFC 9700 §4.14.2' },
  refresh_grace_exhausted: { ...badRefresh, spec: 'RFC 9700 §4.14.2' },
  tenant_suspended: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_revoked: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_expired: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_client_unknown: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_client_blocked: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_connection_disabled: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_subject_unknown: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_subject_deactivated: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_below_barrier: { ...dead, spec: 'RFC 6749 §5.2' },
  grant_policy_denies: { ...dead, spec: 'RFC 6749 §5.2' },
  dpop_proof_malformed: { ...badProof, spec: 'RFC 9449 §4.2' },
  dpop_proof_key_unusable: {
    ...badProof,
    spec: 'RFC 9449 §4.3',
    say: 'the key of the DPoP proof is not usable: a public one, in jwk, for ES256, EdDSA, RS256 or PS256, and of RSA 2048 to 4096 bits',
  },
  dpop_proof_of_other_request: { ...badProof, spec: 'RFC 9449 §4.3' },
  dpop_proof_not_of_now: { ...badProof, spec: 'RFC 9449 §11.1' },
  dpop_proof_signature_wrong: { ...badProof, spec: 'RFC 9449 §4.3' },
  dpop_proof_replayed: { ...badProof, spec: 'RFC 9449 §11.1' },
  dpop_proof_missing: {
    ...badProof,
    spec: 'RFC 9449 §5.2',
    say: 'this client, or its company, takes only tokens that are bound to a key: send a DPoP proof',
  },
  dpop_nonce_missing: {
    code: 'use_dpop_nonce',
    status: 400,
    answer: 'json',
    spec: 'RFC 9449 §8',
    say: 'make the DPoP proof anew with the nonce of the DPoP-Nonce header',
  },
  decision_unsettled: {
    code: 'temporarily_unavailable',
    status: 503,
    answer: 'json',
    spec: 'RFC 6749 §5.2',
    say: 'policy or this client is changing at this moment; try again',
  },
  resource_credential_refused: {
    code: 'invalid_client',
    status: 401,
    answer: 'json',
    spec: 'RFC 7662 §2.1',
    say: 'authenticate with the credential of a resource server, by HTTP Basic',
  },
} as const

export type TokenErrorReason = keyof typeof tokenErrors
