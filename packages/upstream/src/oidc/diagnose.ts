/**
 * An OpenID provider, told in plain words before a connection to it is saved: what it is, what is wrong with it and how to mend it.
 *
 * Total: whatever is typed becomes a diagnosis, never an exception. The network is asked for the discovery document and the key set, and
 * for nothing else; no credential is sent.
 */
import { readForeignJwks } from '@drawbridge/crypto/foreign-jwks'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { isSecureUrl, type OidcConnection, parseConnection } from '../connection-configuration.js'
import { discoveryUrlOf, isTemplate } from './configuration.js'
import { fetchJson, type JsonRefusal } from './fetch-json.js'
import { isOidcError, type OidcFinding, type OidcFindingCode } from './findings.js'
import { type ProviderDocument, readProviderDocument } from './provider-metadata.js'
import { type OidcVendorId, oidcVendorOf, recogniseOidcVendor } from './vendors.js'

export type OidcDiagnosis = {
  /** As the document names it. */
  readonly issuer: string | undefined
  readonly vendor: OidcVendorId | undefined
  readonly endpoints: Readonly<Record<string, string>>
  readonly findings: readonly OidcFinding[]
  /** Nothing that was found keeps it from working. */
  readonly usable: boolean
}

export type OidcQuestion = { readonly issuer: string; readonly configuration: Readonly<Record<string, unknown>> }

const findingOfFetch: Readonly<Record<JsonRefusal, OidcFindingCode>> = {
  unreachable: 'discovery_unreachable',
  not_found: 'discovery_absent',
  not_json: 'discovery_not_json',
}

export async function diagnoseProvider(fetchSafely: FetchSafely, question: OidcQuestion): Promise<OidcDiagnosis> {
  const typed = question.issuer.trim().replace(/\/\.well-known\/openid-configuration$/, '')
  const discoveryUrl = discoveryUrlFor(typed, question.configuration)
  if (!isSecureUrl(discoveryUrl)) return diagnosis(undefined, undefined, [{ code: 'discovery_unreachable' }])
  const fetched = await fetchJson(fetchSafely, discoveryUrl)
  if (!fetched.ok) return diagnosis(undefined, undefined, [{ code: findingOfFetch[fetched.error] }])
  const document = readProviderDocument(fetched.value)
  if (!document.ok)
    return diagnosis(undefined, undefined, [{ code: 'discovery_malformed', detail: { member: String(document.error.detail?.['member']) } }])
  const vendor = recogniseOidcVendor(document.value.issuer)
  const preset = vendor === undefined ? {} : oidcVendorOf(vendor).preset
  const given = { clientId: 'not-said-yet', ...preset, ...question.configuration, issuer: document.value.issuer }
  const connection = readConfiguration(given, discoveryUrl)
  const findings = [
    ...compareIssuer(document.value, typed, question.configuration),
    ...findMissing(document.value),
    ...(await findKeyFaults(fetchSafely, document.value)),
    ...('finding' in connection ? [connection.finding] : findMismatches(document.value, connection.connection)),
    ...findLogout(document.value),
    ...(vendor === undefined ? [] : oidcVendorOf(vendor).notices.map((code) => ({ code }))),
  ]
  return diagnosis(document.value, vendor, findings)
}

const discoveryUrlFor = (issuer: string, { discoveryUrl }: Readonly<Record<string, unknown>>): string =>
  discoveryUrlOf({ issuer, discoveryUrl: typeof discoveryUrl === 'string' ? discoveryUrl : undefined })

function diagnosis(
  document: ProviderDocument | undefined,
  vendor: OidcVendorId | undefined,
  findings: readonly OidcFinding[],
): OidcDiagnosis {
  const endpoints = {
    authorization: document?.authorization_endpoint,
    token: document?.token_endpoint,
    userinfo: document?.userinfo_endpoint,
    keys: document?.jwks_uri,
    endSession: document?.end_session_endpoint,
  }
  const named = Object.entries(endpoints).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { issuer: document?.issuer, vendor, endpoints: Object.fromEntries(named), findings, usable: !findings.some(isOidcError) }
}

function compareIssuer({ issuer }: ProviderDocument, typed: string, configuration: OidcQuestion['configuration']): readonly OidcFinding[] {
  if (issuer === typed) return []
  if (isTemplate(issuer)) return configuration['tenantIds'] === undefined ? [{ code: 'issuer_template', detail: { issuer } }] : []
  const withoutSlash = (text: string) => text.replace(/\/$/, '')
  return [{ code: withoutSlash(issuer) === withoutSlash(typed) ? 'issuer_slash' : 'issuer_mismatch', detail: { issuer } }]
}

function findMissing(document: ProviderDocument): readonly OidcFinding[] {
  const required = {
    authorization_endpoint_missing: document.authorization_endpoint,
    token_endpoint_missing: document.token_endpoint,
    jwks_uri_missing: document.jwks_uri,
  }
  const missing = (Object.keys(required) as (keyof typeof required)[]).filter((code) => !isSecureUrl(required[code] ?? ''))
  const lacksCode = document.response_types_supported?.some((type) => type.split(' ').includes('code')) === false
  return [...missing.map((code) => ({ code })), ...(lacksCode ? [{ code: 'code_flow_unsupported' as const }] : [])]
}

async function findKeyFaults(fetchSafely: FetchSafely, { jwks_uri: uri }: ProviderDocument): Promise<readonly OidcFinding[]> {
  if (uri === undefined || !isSecureUrl(uri)) return []
  const fetched = await fetchJson(fetchSafely, uri)
  const keys = fetched.ok ? readForeignJwks(fetched.value) : undefined
  return keys?.ok === true && keys.value.length > 0 ? [] : [{ code: 'keys_unusable' }]
}

type ReadConfiguration = { readonly connection: OidcConnection } | { readonly finding: OidcFinding }

function readConfiguration(given: Readonly<Record<string, unknown>>, discoveryUrl: string): ReadConfiguration {
  const parsed = parseConnection('oidc', isTemplate(String(given['issuer'])) ? { ...given, discoveryUrl } : given)
  if (parsed.ok && parsed.value.kind === 'oidc') return { connection: parsed.value }
  const { member = 'configuration', message = '' } = parsed.ok ? {} : (parsed.error.detail ?? {})
  const isAboutTenant = member === 'tenantIds' || member === 'hostedDomains'
  const code = isAboutTenant && given[member] === undefined ? 'tenant_unknown' : 'configuration_invalid'
  return { finding: { code, detail: { member: String(member), message: String(message) } } }
}

/** What it offers of logout. Where it offers none, the row of its vendor says so; others say it in no document. */
function findLogout(document: ProviderDocument): readonly OidcFinding[] {
  if (document.backchannel_logout_supported !== true) return []
  const namesSessions = document.backchannel_logout_session_supported === true
  return [{ code: 'backchannel_logout_offered' }, ...(namesSessions ? [] : [{ code: 'backchannel_logout_sessionless' as const }])]
}

/** What the provider says that it can do, beside what it would be asked for. What it does not say is not held against it. */
function findMismatches(document: ProviderDocument, connection: OidcConnection): readonly OidcFinding[] {
  const lacks = (offered: readonly string[] | undefined, wanted: readonly string[]): boolean =>
    offered !== undefined && offered.length > 0 && !wanted.some((each) => offered.includes(each))
  const detailOf = (offered: readonly string[] | undefined) => ({ offered: (offered ?? []).slice(0, 20).join(', ') })
  const { clientAuthentication: method, stepUpAcr, scopes } = connection
  const findings: OidcFinding[] = []
  const algorithms = document.id_token_signing_alg_values_supported
  if (lacks(algorithms, connection.idTokenAlgorithms)) findings.push({ code: 'algorithms_unsupported', detail: detailOf(algorithms) })
  // OIDC Discovery §3: what is left out means client_secret_basic.
  const methods = document.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  if (method !== undefined && lacks(methods, [method]))
    findings.push({ code: 'client_authentication_unsupported', detail: detailOf(methods) })
  const assertions = document.token_endpoint_auth_signing_alg_values_supported
  if (method === 'private_key_jwt' && lacks(assertions, ['RS256', 'PS256', 'ES256']))
    findings.push({ code: 'assertion_algorithm_unsupported', detail: detailOf(assertions) })
  const unknown = scopes.filter((scope) => lacks(document.scopes_supported, [scope]))
  if (unknown.length > 0) findings.push({ code: 'scopes_unsupported', detail: { scopes: unknown.join(' ') } })
  const levels = document.acr_values_supported
  if (stepUpAcr !== null && connection.stepUpAsk !== 'claims_acrs' && lacks(levels, stepUpAcr.split(' ')))
    findings.push({ code: 'step_up_unsupported', detail: detailOf(levels) })
  if (document.code_challenge_methods_supported?.includes('S256') !== true) findings.push({ code: 'pkce_unlisted' })
  return findings
}
