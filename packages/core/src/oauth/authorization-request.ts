/**
 * The authorization request, in three types that remember what has been proven.
 *
 * `ClaimedAuthorizationRequest`: well formed, nothing believed. `AnswerableAuthorizationRequest`: the client is known and the redirect
 * URI is its own, so a refusal may be sent there; only `matchClient` makes one. `AuthorizationRequest`: every parameter is acceptable;
 * only `acceptRequest` makes one. An open redirect therefore does not compile.
 */
import type { Brand } from '../brand.js'
import { parseAcrValues } from '../identity/asked-authentication.js'
import { err, ok, type Result } from '../result.js'
import type { ClientId, Scope } from '../tenant/ids.js'
import type { AuthorizationParameters } from './authorization-parameters.js'
import type { Client } from './client.js'
import { type KeyThumbprint, parseThumbprint } from './dpop-proof.js'
import type { PageRefusal, RedirectRefusal } from './error.js'
import { parseIdTokenHint } from './id-token-hint.js'
import { parseChallenge } from './pkce.js'
import { mustBePushed } from './pushed-request.js'
import { isAcceptableRedirectUri, matchesRedirectUri } from './redirect-uri.js'
import { defaultScopesOf, findResource, type ResourceServer } from './resource.js'
import { divideScopes, type IdentityScope, parseScope } from './scope.js'

export type ClaimedAuthorizationRequest = {
  readonly clientId: ClientId
  /** Absent is allowed only where the client has registered exactly one. */
  readonly redirectUri: string | undefined
  readonly parameters: AuthorizationParameters
}

export type AnswerableAuthorizationRequest = Brand<
  {
    readonly client: Client
    readonly redirectUri: string
    readonly state: string | undefined
    /** A refusal goes the way that was asked for, too. */
    readonly responseMode: ResponseMode
    readonly parameters: AuthorizationParameters
  },
  'AnswerableAuthorizationRequest'
>

/** How the answer travels: in the query of a redirect, or in a form that the browser posts. OAuth 2.0 Form Post Response Mode. */
export const responseModes = ['query', 'form_post'] as const
export type ResponseMode = (typeof responseModes)[number]

export type Prompt = 'none' | 'login' | 'consent'

export type AuthorizationRequest = Brand<
  {
    readonly client: Client
    readonly redirectUri: string
    readonly state: string | undefined
    readonly responseMode: ResponseMode
    readonly codeChallenge: string
    readonly nonce: string | undefined
    /** The key that the code is to be bound to: `dpop_jkt`. */
    readonly dpopKey: KeyThumbprint | undefined
    readonly prompt: readonly Prompt[]
    /** `prompt=select_account`: the person is to say as whom she goes on. */
    readonly selectAccount: boolean
    readonly loginHint: string | undefined
    /** `sub`, as the client knows her: nobody else will do. */
    readonly hintedSubject: string | undefined
    readonly isPushed: boolean
  } & AskedAccess,
  'AuthorizationRequest'
>

/** What is asked for, and how the person is to have signed in for it: the same of a client with a browser and of a device. */
export type AskedAccess = {
  readonly resource: ResourceServer
  /** Of the resource. */
  readonly scopes: readonly Scope[]
  readonly identityScopes: readonly IdentityScope[]
  /** How she should sign in, in order of preference. A wish. */
  readonly acrValues: readonly string[]
  /** Seconds: the person must have signed in no longer ago. */
  readonly maxAge: number | undefined
}

/** What there is to be asked for. */
export type AccessRules = Pick<RequestRules, 'resources' | 'told' | 'leavesDefaultsOpen'>

export type RequestRules = {
  readonly resources: readonly ResourceServer[]
  /** The client handed it over itself: RFC 9126. */
  readonly isPushed: boolean
  /** The tenant takes no other. */
  readonly requirePushedRequests: boolean
  /** Scopes by which a client may be told of a person, beside `openid`. */
  readonly told: readonly IdentityScope[]
  /** At the front issuer: whose default scopes count is known once it is known whose the request is. */
  readonly leavesDefaultsOpen?: boolean
}

const limits = { clientId: 2048, state: 2048, nonce: 512, loginHint: 320 } as const
const text = /^[^\p{Cc}]*$/u

/** @spec RFC 6749 §4.1.1 */
export function parseAuthorizationRequest(query: AuthorizationParameters): Result<ClaimedAuthorizationRequest, PageRefusal> {
  const clientId = query['client_id']
  if (!clientId || clientId.length > limits.clientId || !text.test(clientId)) {
    return err({ reason: 'authorization_request_malformed', detail: { field: 'client_id' } })
  }
  const redirectUri = query['redirect_uri']
  return ok({ clientId: clientId as ClientId, redirectUri: redirectUri === '' ? undefined : redirectUri, parameters: query })
}

/**
 * Proves that the redirect URI belongs to the client: only from here on may the browser be sent there.
 *
 * @spec RFC 6749 §4.1.2.1 no redirect to an unproven URI
 */
export function matchClient(claimed: ClaimedAuthorizationRequest, client: Client): Result<AnswerableAuthorizationRequest, PageRefusal> {
  if (client.id !== claimed.clientId) return err({ reason: 'client_unknown' })
  if (client.blockedAt !== undefined) return err({ reason: 'client_blocked' })
  const redirectUri = claimed.redirectUri ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined)
  if (redirectUri === undefined || !isAcceptableRedirectUri(redirectUri) || !matchesRedirectUri(redirectUri, client.redirectUris)) {
    return err({ reason: 'redirect_uri_unregistered' })
  }
  const state = claimed.parameters['state']
  return ok({
    client,
    redirectUri,
    state: tooLong(state, limits.state) ? undefined : state,
    responseMode: responseModeOf(claimed.parameters, redirectUri),
    parameters: claimed.parameters,
  } as AnswerableAuthorizationRequest)
}

/** Nothing can be posted to an application's own scheme. */
const responseModeOf = ({ response_mode: asked }: AuthorizationParameters, redirectUri: string): ResponseMode =>
  asked === 'form_post' && /^https?:/.test(redirectUri) ? asked : 'query'

const tooLong = (value: string | undefined, limit: number): boolean => value !== undefined && value.length > limit

/** Accepts or refuses everything else; a refusal goes back to the client. @spec RFC 6749 §4.1.2.1 */
export function acceptRequest(request: AnswerableAuthorizationRequest, rules: RequestRules): Result<AuthorizationRequest, RedirectRefusal> {
  const { parameters, client, redirectUri, state, responseMode } = request
  if (!rules.isPushed && mustBePushed(rules, client)) return err({ reason: 'pushed_request_required' })
  const refused = refuseKind(request)
  if (refused) return err(refused)
  const challenge = parseChallenge(parameters['code_challenge'], parameters['code_challenge_method'])
  if (!challenge.ok) return challenge
  const prompt = parsePrompt(parameters['prompt'])
  if (!prompt.ok) return prompt
  const asked = acceptAskedAccess(parameters, rules)
  if (!asked.ok) return asked
  const hintedSubject = parseIdTokenHint(parameters['id_token_hint'])
  if (!hintedSubject.ok) return err({ reason: 'authorization_parameter_malformed', detail: { field: 'id_token_hint' } })
  const dpopKey = parseDpopKey(parameters['dpop_jkt'])
  if (!dpopKey.ok) return dpopKey
  return ok({
    client,
    redirectUri,
    state,
    responseMode,
    codeChallenge: challenge.value,
    nonce: parameters['nonce'],
    dpopKey: dpopKey.value,
    ...prompt.value,
    loginHint: parameters['login_hint'] || undefined,
    hintedSubject: hintedSubject.value,
    ...asked.value,
    isPushed: rules.isPushed,
  } as AuthorizationRequest)
}

/** @spec RFC 8707 §2 resource, RFC 6749 §3.3 scope, OIDC Core §3.1.2.1 max_age and acr_values */
export function acceptAskedAccess(parameters: AuthorizationParameters, rules: AccessRules): Result<AskedAccess, RedirectRefusal> {
  const resource = acceptResource(parameters['resource'], rules.resources)
  if (!resource.ok) return resource
  const scopes = acceptScopes(parameters['scope'], resource.value, rules)
  if (!scopes.ok) return scopes
  const maxAge = parseMaxAge(parameters['max_age'])
  if (!maxAge.ok) return maxAge
  const acrValues = parseAcrValues(parameters['acr_values'])
  if (acrValues === 'malformed') return err({ reason: 'authorization_parameter_malformed', detail: { field: 'acr_values' } })
  return ok({ resource: resource.value, ...scopes.value, acrValues, maxAge: maxAge.value })
}

/** The address of a request that was pushed here has been read by whoever asks. @spec OIDC Core §3.1.2.6 an error for each */
export function refuseRequestObject(parameters: AuthorizationParameters): RedirectRefusal | undefined {
  if ('request' in parameters) return { reason: 'request_object_unsupported' }
  return 'request_uri' in parameters ? { reason: 'request_uri_unsupported' } : undefined
}

function refuseKind({ parameters, client, responseMode }: AnswerableAuthorizationRequest): RedirectRefusal | undefined {
  const elsewhere = refuseRequestObject(parameters)
  if (elsewhere) return elsewhere
  if (parameters['response_type'] !== 'code') {
    return 'response_type' in parameters
      ? { reason: 'response_type_unsupported' }
      : { reason: 'authorization_parameter_malformed', detail: { field: 'response_type' } }
  }
  // One that we do not have, or that its redirect URI cannot take.
  if ((parameters['response_mode'] || 'query') !== responseMode) return { reason: 'response_mode_unsupported' }
  if (!client.grantTypes.includes('authorization_code')) return { reason: 'client_grant_type_missing' }
  const checked = [
    ['state', limits.state],
    ['nonce', limits.nonce],
    ['login_hint', limits.loginHint],
  ] as const
  const field = checked.find(([name, limit]) => tooLong(parameters[name], limit) || !text.test(parameters[name] ?? ''))
  return field ? { reason: 'authorization_parameter_malformed', detail: { field: field[0] } } : undefined
}

/** A client that names no resource gets the issuer's only one; where there are several it has to say which. */
function acceptResource(indicator: string | undefined, resources: readonly ResourceServer[]): Result<ResourceServer, RedirectRefusal> {
  if (!indicator) return resources.length === 1 && resources[0] ? ok(resources[0]) : err({ reason: 'resource_missing' })
  const found = findResource(indicator, resources)
  return found ? ok(found) : err({ reason: 'resource_unknown' })
}

/** Unknown scopes are dropped (we may grant less than was asked, RFC 6749 §3.3) unless nothing known is left. */
function acceptScopes(
  parameter: string | undefined,
  resource: ResourceServer,
  { told, leavesDefaultsOpen = false }: AccessRules,
): Result<Pick<AskedAccess, 'scopes' | 'identityScopes'>, RedirectRefusal> {
  const parsed = parseScope(parameter)
  if (!parsed.ok) return parsed
  const { identity: identityScopes, ofResource } = divideScopes(parsed.value, told)
  const known = ofResource?.filter((name) => resource.scopes.some((scope) => scope.name === name))
  const scopes = known ?? (leavesDefaultsOpen ? [] : defaultScopesOf(resource))
  return ofResource && scopes.length === 0 ? err({ reason: 'scope_unknown' }) : ok({ scopes, identityScopes })
}

/** @spec OIDC Core §3.1.2.1 */
function parsePrompt(parameter: string | undefined): Result<Pick<AuthorizationRequest, 'prompt' | 'selectAccount'>, RedirectRefusal> {
  const values = (parameter ?? '').split(' ').filter((value) => value !== '')
  if (values.includes('none') && values.length > 1) return err({ reason: 'prompt_unsupported' })
  if (!values.every((value) => ['none', 'login', 'consent', 'select_account'].includes(value))) return err({ reason: 'prompt_unsupported' })
  const prompt = values.filter((value): value is Prompt => value !== 'select_account')
  return ok({ prompt, selectAccount: values.includes('select_account') })
}

/** @spec RFC 9449 §10 dpop_jkt */
function parseDpopKey(parameter: string | undefined): Result<KeyThumbprint | undefined, RedirectRefusal> {
  if (parameter === undefined || parameter === '') return ok(undefined)
  const key = parseThumbprint(parameter)
  return key === undefined ? err({ reason: 'authorization_parameter_malformed', detail: { field: 'dpop_jkt' } }) : ok(key)
}

function parseMaxAge(parameter: string | undefined): Result<number | undefined, RedirectRefusal> {
  if (parameter === undefined || parameter === '') return ok(undefined)
  return /^\d{1,9}$/.test(parameter)
    ? ok(Number(parameter))
    : err({ reason: 'authorization_parameter_malformed', detail: { field: 'max_age' } })
}
