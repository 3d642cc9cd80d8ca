/** The token request: a form becomes a typed request or a refusal. Client authentication is read elsewhere (`clients/`). */
import { z } from 'zod'
import { err, ok, type Result } from '../result.js'
import { Secret } from '../secret.js'
import type { Scope } from '../tenant/ids.js'
import { deviceGrantType } from './device-grant-type.js'
import { jwtBearerGrantType, longestAssertionGrant } from './jwt-bearer.js'
import { longestSamlAssertion, samlBearerGrantType } from './saml-bearer.js'
import { divideScopes, parseScope } from './scope.js'
import type { TokenErrorReason } from './token-error.js'
import { accessTokenUrn, idJagUrn, idTokenUrn, longestSubjectToken, refreshTokenUrn, tokenExchangeGrantType } from './token-type.js'

export type CodeRequest = {
  readonly grantType: 'authorization_code'
  readonly code: Secret
  readonly redirectUri: string | undefined
  readonly codeVerifier: Secret
  readonly resource: string | undefined
}
export type RefreshRequest = {
  readonly grantType: 'refresh_token'
  readonly refreshToken: Secret
  /** Of the resource; `undefined`: all that was granted. */
  readonly scopes: readonly Scope[] | undefined
  readonly resource: string | undefined
}
export type ClientCredentialsRequest = {
  readonly grantType: 'client_credentials'
  readonly scopes: readonly Scope[] | undefined
  /** `undefined`: the only one of the issuer. */
  readonly resource: string | undefined
}
export type DeviceCodeRequest = {
  readonly grantType: typeof deviceGrantType
  readonly deviceCode: Secret
  readonly resource: string | undefined
}
export type JwtBearerRequest = {
  readonly grantType: typeof jwtBearerGrantType
  readonly assertion: Secret
  /** `undefined`: all that the assertion names. */
  readonly scopes: readonly Scope[] | undefined
  /** `undefined`: the one that the assertion names, or else the only one of the issuer. */
  readonly resource: string | undefined
}
export type SamlBearerRequest = {
  readonly grantType: typeof samlBearerGrantType
  /** One SAML assertion, base64url. */
  readonly assertion: Secret
  readonly scopes: readonly Scope[] | undefined
  /** `undefined`: none was named, and nothing is granted, because the assertion names none either. */
  readonly resource: string | undefined
}
export type ExchangeRequest = {
  readonly grantType: typeof tokenExchangeGrantType
  readonly requested: 'access_token'
  readonly subjectToken: Secret
  /** `undefined`: all that may be had. */
  readonly scopes: readonly Scope[] | undefined
  /** `resource` and `audience`, as far as they were sent; the same resource by either name. */
  readonly targets: readonly string[]
}
export type IdJagRequest = {
  readonly grantType: typeof tokenExchangeGrantType
  readonly requested: 'id_jag'
  readonly subjectToken: Secret
  readonly subjectTokenKind: 'id_token' | 'refresh_token'
  /** The issuer of the authorization server that it is for. */
  readonly audience: string
  /** `undefined`: the only one that the client may have there. */
  readonly resource: string | undefined
  /** `undefined`: all that may be had. */
  readonly scopes: readonly Scope[] | undefined
}
export type TokenRequest =
  | CodeRequest
  | RefreshRequest
  | ClientCredentialsRequest
  | JwtBearerRequest
  | SamlBearerRequest
  | DeviceCodeRequest
  | ExchangeRequest
  | IdJagRequest
export type GrantType = TokenRequest['grantType']
export type TokenRequestRefusal = { readonly reason: TokenErrorReason; readonly detail?: Readonly<Record<string, string | number>> }

/** Longer parameters are refused before anything is compared with them. */
export const longestTokenParameter = 2048

/** RFC 7636 §4.1: 43 to 128 unreserved characters. */
const verifier = z.string().regex(/^[A-Za-z0-9._~-]{43,128}$/)
const text = z.string().min(1).max(longestTokenParameter)
const codeWire = z.object({ code: text, redirect_uri: text.optional(), code_verifier: verifier, resource: text.optional() })
const refreshWire = z.object({ refresh_token: text, scope: z.string().optional(), resource: text.optional() })

const deviceWire = z.object({ device_code: text, resource: text.optional() })
const clientWire = z.object({ scope: z.string().optional(), resource: text.optional() })

const jwtBearerWire = z.object({
  assertion: z
    .string()
    .max(longestAssertionGrant)
    .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
  scope: z.string().optional(),
  resource: text.optional(),
})

const samlBearerWire = z.object({
  assertion: z
    .string()
    .max(longestSamlAssertion)
    .regex(/^[A-Za-z0-9_-]+$/),
  scope: z.string().optional(),
  resource: text.optional(),
})

const exchangeWire = z.object({
  subject_token: z.string().min(1).max(longestSubjectToken),
  subject_token_type: text,
  requested_token_type: text.optional(),
  actor_token: z.string().optional(),
  actor_token_type: z.string().optional(),
  scope: z.string().optional(),
  resource: text.optional(),
  audience: text.optional(),
})

/**
 * Parses the parameters of a token request. Repeated parameters have already been refused by the form reader; an empty
 * parameter counts as left out.
 *
 * @spec RFC 6749 §4.1.3 authorization_code, §6 refresh_token, §4.4.2 client_credentials, §3.2 parameters without a value
 * @spec RFC 8628 §3.4 device_code
 * @spec RFC 7523 §2.1 assertion: exactly one JWT
 * @spec RFC 8693 §2.1 subject_token, and what it is exchanged for
 * @spec RFC 7522 §2.1 assertion: base64url in one line, without padding
 */
export function parseTokenRequest(form: Readonly<Record<string, string>>): Result<TokenRequest, TokenRequestRefusal> {
  const values = Object.fromEntries(Object.entries(form).filter(([, value]) => value !== ''))
  const grantType = values['grant_type']
  if (grantType === undefined) return malformed('grant_type')
  if (grantType === 'authorization_code') return parseCodeRequest(values)
  if (grantType === 'refresh_token') return parseRefreshRequest(values)
  if (grantType === 'client_credentials') return parseClientCredentialsRequest(values)
  if (grantType === deviceGrantType) return parseDeviceCodeRequest(values)
  if (grantType === jwtBearerGrantType) return parseJwtBearerRequest(values)
  if (grantType === samlBearerGrantType) return parseSamlBearerRequest(values)
  if (grantType === tokenExchangeGrantType) return parseExchangeRequest(values)
  return err({ reason: 'grant_type_unsupported' })
}

function parseCodeRequest(values: unknown): Result<CodeRequest, TokenRequestRefusal> {
  const parsed = codeWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const { code, redirect_uri, code_verifier, resource } = parsed.data
  return ok({
    grantType: 'authorization_code',
    code: new Secret(code),
    redirectUri: redirect_uri,
    codeVerifier: new Secret(code_verifier),
    resource,
  })
}

function parseRefreshRequest(values: unknown): Result<RefreshRequest, TokenRequestRefusal> {
  const parsed = refreshWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const scopes = readScopes(parsed.data.scope)
  if (!scopes.ok) return scopes
  return ok({
    grantType: 'refresh_token',
    refreshToken: new Secret(parsed.data.refresh_token),
    scopes: scopes.value,
    resource: parsed.data.resource,
  })
}

function parseClientCredentialsRequest(values: unknown): Result<ClientCredentialsRequest, TokenRequestRefusal> {
  const parsed = clientWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const scopes = readScopes(parsed.data.scope)
  if (!scopes.ok) return scopes
  return ok({ grantType: 'client_credentials', scopes: scopes.value, resource: parsed.data.resource })
}

function parseDeviceCodeRequest(values: unknown): Result<DeviceCodeRequest, TokenRequestRefusal> {
  const parsed = deviceWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  return ok({ grantType: deviceGrantType, deviceCode: new Secret(parsed.data.device_code), resource: parsed.data.resource })
}

function parseJwtBearerRequest(values: unknown): Result<JwtBearerRequest, TokenRequestRefusal> {
  const parsed = jwtBearerWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const scopes = readScopes(parsed.data.scope)
  if (!scopes.ok) return scopes
  const { assertion, resource } = parsed.data
  return ok({ grantType: jwtBearerGrantType, assertion: new Secret(assertion), scopes: scopes.value, resource })
}

function parseSamlBearerRequest(values: unknown): Result<SamlBearerRequest, TokenRequestRefusal> {
  const parsed = samlBearerWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const scopes = readScopes(parsed.data.scope)
  if (!scopes.ok) return scopes
  const { assertion, resource } = parsed.data
  return ok({ grantType: samlBearerGrantType, assertion: new Secret(assertion), scopes: scopes.value, resource })
}

/** Unknown types are told by name before anything is read of what they are of. */
function parseExchangeRequest(values: Readonly<Record<string, string>>): Result<ExchangeRequest | IdJagRequest, TokenRequestRefusal> {
  const parsed = exchangeWire.safeParse(values)
  if (!parsed.success) return malformed(firstPath(parsed.error))
  const wire = parsed.data
  if (wire.actor_token !== undefined || wire.actor_token_type !== undefined) return err({ reason: 'actor_token_unsupported' })
  if (wire.requested_token_type === idJagUrn) return parseIdJagRequest(wire)
  if (wire.requested_token_type !== undefined && wire.requested_token_type !== accessTokenUrn)
    return err({ reason: 'requested_token_type_unsupported' })
  if (wire.subject_token_type !== accessTokenUrn) return err({ reason: 'subject_token_type_unsupported' })
  const scopes = readScopes(wire.scope)
  if (!scopes.ok) return scopes
  const targets = [wire.resource, wire.audience].filter((target) => target !== undefined)
  if (targets.length === 0) return err({ reason: 'exchange_target_missing' })
  return ok({
    ...{
      grantType: tokenExchangeGrantType,
      requested: 'access_token',
      subjectToken: new Secret(wire.subject_token),
      scopes: scopes.value,
      targets,
    },
  })
}

const subjectKinds: Readonly<Record<string, IdJagRequest['subjectTokenKind']>> = {
  [idTokenUrn]: 'id_token',
  [refreshTokenUrn]: 'refresh_token',
}

/** @spec draft-ietf-oauth-identity-assertion-authz-grant §4.3 */
function parseIdJagRequest(wire: z.output<typeof exchangeWire>): Result<IdJagRequest, TokenRequestRefusal> {
  const subjectTokenKind = Object.hasOwn(subjectKinds, wire.subject_token_type) ? subjectKinds[wire.subject_token_type] : undefined
  if (subjectTokenKind === undefined) return err({ reason: 'subject_token_type_unsupported' })
  if (wire.audience === undefined) return malformed('audience')
  const scopes = readScopes(wire.scope)
  if (!scopes.ok) return scopes
  const { audience, resource } = wire
  const subjectToken = new Secret(wire.subject_token)
  return ok({
    grantType: tokenExchangeGrantType,
    requested: 'id_jag',
    subjectToken,
    subjectTokenKind,
    audience,
    resource,
    scopes: scopes.value,
  })
}

/**
 * Those of the resource: to ask for the issuer's again changes nothing. Read as at the authorization endpoint, so that what was granted can be named.
 *
 * @spec RFC 6749 §5.2 invalid_scope
 */
function readScopes(scope: string | undefined): Result<readonly Scope[] | undefined, TokenRequestRefusal> {
  const parsed = parseScope(scope)
  return parsed.ok ? ok(divideScopes(parsed.value).ofResource) : err({ reason: 'scope_list_malformed' })
}

const malformed = (field: string) => err({ reason: 'token_request_malformed' as const, detail: { field } })
const firstPath = (error: z.ZodError): string => String(error.issues[0]?.path[0] ?? 'form')
