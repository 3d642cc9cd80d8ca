/**
 * A connection: how one tenant's IdP is reached and what is believed of it. Parsed here from `connections.configuration`.
 *
 * The stored JSON (unknown members are refused, so that a misspelt one is never silently ignored):
 *
 * SAML (`kind` column `saml`)
 *   idpEntityId          string                 the only Issuer that is believed, compared exactly
 *   ssoUrl               https URL              where the AuthnRequest goes (http for loopback hosts only)
 *   ssoBinding           'redirect' | 'post'    default 'redirect'
 *   certificates         string[] 1..8          PEM or bare base64; all are trusted at once, so that a rollover works
 *   spEntityId           string                 default: the ACS URL with `/acs` replaced by `/metadata`
 *   stepUpClassRef       string | null          class asked for on step-up; default REFEDS MFA; null: ForceAuthn alone (Entra, Okta)
 *   requestedClassRefs   string[]               classes asked for at every login; default none (most IdPs work best without)
 *   nameIdFormat         string                 NameIDPolicy/@Format; default absent
 *   forceAuthn           boolean                at every login; default false
 *   signatureReader      'xml-signature' | 'xml-crypto'   who says what was signed (docs/adr/0021); default 'xml-crypto'
 *   loginHintParameter   string                 query parameter that carries the login hint, e.g. `login_hint`; default none is sent
 *
 * OIDC (`kind` column `oidc`; the client secret is the connection's sealed secret, never in here)
 *   issuer               https URL              byte for byte as in the discovery document
 *   clientId             string
 *   clientAuthentication 'client_secret_basic' | 'client_secret_post' | 'none'   default: basic with a secret, none without
 *   scopes               string[]               default openid, profile, email
 *   stepUpAcr            string | null          acr_values on step-up; null: prompt=login alone; default REFEDS MFA
 *   userinfo             boolean                merge the userinfo answer; default true
 *   promptOnForce        'login' | null         Google knows no prompt=login; default 'login'
 *
 * Both
 *   mapping              how attributes or claims become our claims, groups and stable id: `parseClaimMapping` of core; default: sensible
 *   stableIdAttribute    string                 short for mapping.stableId.attribute
 *   groupsAttribute      string                 short for mapping.groups.from with one name
 *   scimLinkKey          {attribute, scim: 'userName' | 'externalId'}   how a SCIM user is linked: an IdP-controlled value only (security.md §3)
 */
import { X509Certificate } from 'node:crypto'
import { type ClaimMapping, parseClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { err, ok, type Result } from '@drawbridge/core/result'
import { z } from 'zod'
import type { UpstreamRefusal } from './error.js'
import { type SignatureReaderName, signatureReaderNames } from './saml/signature-reader-name.js'

/** REFEDS MFA: the class that means "multi-factor" to IdPs that follow a published profile. */
export const refedsMfa = 'https://refeds.org/profile/mfa'

const limits = { certificates: 8, certificateLength: 16_384, textLength: 1024, listLength: 64, rsaBits: 2048 } as const
const ecCurves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']

const text = z.string().min(1).max(limits.textLength)
const texts = z.array(text).max(limits.listLength)
const shared = {
  mapping: z.record(z.string(), z.unknown()).optional(),
  stableIdAttribute: text.optional(),
  groupsAttribute: text.optional(),
  scimLinkKey: z.strictObject({ attribute: text, scim: z.enum(['userName', 'externalId']) }).optional(),
}
const samlSchema = z.strictObject({
  ...shared,
  idpEntityId: text,
  ssoUrl: text,
  ssoBinding: z.enum(['redirect', 'post']).default('redirect'),
  certificates: z.array(z.string().max(limits.certificateLength)).min(1).max(limits.certificates),
  spEntityId: text.optional(),
  stepUpClassRef: text.nullable().default(refedsMfa),
  requestedClassRefs: texts.default([]),
  nameIdFormat: text.optional(),
  forceAuthn: z.boolean().default(false),
  signatureReader: z.enum(signatureReaderNames).default('xml-crypto'),
  loginHintParameter: z
    .string()
    .regex(/^[A-Za-z_]{1,40}$/)
    .optional(),
})
const oidcSchema = z.strictObject({
  ...shared,
  issuer: text,
  clientId: text,
  clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'none']).optional(),
  scopes: texts.default(['openid', 'profile', 'email']),
  stepUpAcr: text.nullable().default(refedsMfa),
  userinfo: z.boolean().default(true),
  promptOnForce: z.literal('login').nullable().default('login'),
})

type Shared = {
  readonly mapping: ClaimMapping
  readonly scimLinkKey: { readonly attribute: string; readonly scim: 'userName' | 'externalId' } | undefined
}
export type SamlConnection = Shared & {
  readonly kind: 'saml'
  readonly idpEntityId: string
  readonly ssoUrl: string
  readonly ssoBinding: 'redirect' | 'post'
  /** PEM, as many as are trusted together. */
  readonly certificates: readonly string[]
  readonly spEntityId: string | undefined
  readonly stepUpClassRef: string | null
  readonly requestedClassRefs: readonly string[]
  readonly nameIdFormat: string | undefined
  readonly forceAuthn: boolean
  readonly signatureReader: SignatureReaderName
  readonly loginHintParameter: string | undefined
}
export type OidcConnection = Shared & {
  readonly kind: 'oidc'
  readonly issuer: string
  readonly clientId: string
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined
  readonly scopes: readonly string[]
  readonly stepUpAcr: string | null
  readonly userinfo: boolean
  readonly promptOnForce: 'login' | null
}
export type ConnectionConfiguration = SamlConnection | OidcConnection

/** Reads a stored or submitted configuration. Every mistake names its member. */
export function parseConnection(kind: string, configuration: unknown): Result<ConnectionConfiguration, UpstreamRefusal> {
  if (kind === 'saml') return parseSaml(configuration)
  if (kind === 'oidc') return parseOidc(configuration)
  return err({ reason: 'connection_configuration_invalid', detail: { member: 'kind' } })
}

function parseSaml(configuration: unknown): Result<SamlConnection, UpstreamRefusal> {
  const parsed = samlSchema.safeParse(configuration)
  if (!parsed.success) return err(invalid(parsed.error))
  const { certificates: given, ...rest } = parsed.data
  if (!isSecureUrl(rest.ssoUrl)) return err({ reason: 'connection_url_insecure', detail: { member: 'ssoUrl' } })
  const certificates: string[] = []
  for (const [index, certificate] of given.entries()) {
    const pem = toUsablePem(certificate)
    if (pem === undefined) return err({ reason: 'connection_certificate_invalid', detail: { member: `certificates[${index}]` } })
    certificates.push(pem)
  }
  const common = parseShared(rest)
  if (!common.ok) return common
  const { ssoUrl, idpEntityId, ssoBinding, spEntityId, stepUpClassRef, requestedClassRefs } = rest
  const { nameIdFormat, forceAuthn, signatureReader, loginHintParameter } = rest
  const asked = { stepUpClassRef, requestedClassRefs, nameIdFormat, forceAuthn, loginHintParameter }
  return ok({ kind: 'saml', ...common.value, idpEntityId, ssoUrl, ssoBinding, spEntityId, ...asked, signatureReader, certificates })
}

function parseOidc(configuration: unknown): Result<OidcConnection, UpstreamRefusal> {
  const parsed = oidcSchema.safeParse(configuration)
  if (!parsed.success) return err(invalid(parsed.error))
  const rest = parsed.data
  if (!isSecureUrl(rest.issuer)) return err({ reason: 'connection_url_insecure', detail: { member: 'issuer' } })
  const common = parseShared(rest)
  if (!common.ok) return common
  const { issuer, clientId, clientAuthentication, stepUpAcr, userinfo, promptOnForce } = rest
  const scopes = rest.scopes.includes('openid') ? rest.scopes : ['openid', ...rest.scopes]
  return ok({ kind: 'oidc', ...common.value, issuer, clientId, clientAuthentication, scopes, stepUpAcr, userinfo, promptOnForce })
}

/** The short forms are folded into the mapping, so that the rest of the house knows one form only. */
function parseShared({
  mapping,
  stableIdAttribute,
  groupsAttribute,
  scimLinkKey,
}: z.infer<z.ZodObject<typeof shared>>): Result<Shared, UpstreamRefusal> {
  const parsed = parseClaimMapping({
    ...mapping,
    ...(stableIdAttribute !== undefined && { stableId: { attribute: stableIdAttribute } }),
    ...(groupsAttribute !== undefined && { groups: { from: [groupsAttribute] } }),
  })
  return parsed.ok
    ? ok({ mapping: parsed.value, scimLinkKey })
    : err({ reason: 'connection_configuration_invalid', detail: { member: 'mapping', message: parsed.error.say } })
}

function invalid(error: z.ZodError): UpstreamRefusal {
  const issue = error.issues[0]
  const path = issue === undefined ? '' : issue.path.join('.')
  return {
    reason: 'connection_configuration_invalid',
    detail: { member: path === '' ? 'configuration' : path, message: issue?.message ?? '' },
  }
}

const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/** https, or http on a loopback host: the simulator on one's desk. Whether loopback may be reached at all is `fetchSafely`'s to say. */
export function isSecureUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  if (url.username !== '' || url.password !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopbackHosts.includes(url.hostname))
}

/** PEM of a certificate whose key we would accept a signature from, or undefined. Expiry is not asked: metadata keys are raw trust. */
export function toUsablePem(certificate: string): string | undefined {
  const base64 = certificate.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  try {
    const parsed = new X509Certificate(Buffer.from(base64, 'base64'))
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = parsed.publicKey
    const usable =
      (type === 'rsa' && (details?.modulusLength ?? 0) >= limits.rsaBits) || (type === 'ec' && ecCurves.includes(details?.namedCurve ?? ''))
    return usable ? parsed.toString() : undefined
  } catch {
    return undefined
  }
}
