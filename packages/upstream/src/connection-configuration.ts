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
 *   signatureReader      'xml-signature' | 'xml-crypto'   who says what was signed (docs/adr/0015, 0029); default 'xml-signature'
 *   loginHintParameter   string                 query parameter that carries the login hint, e.g. `login_hint`; default none is sent
 *   signRequests         boolean                our requests carry our signature (docs/adr/0017); default false
 *   requestSignature     'rsa-sha256' | 'rsa-sha512'   default 'rsa-sha256'
 *   requestedClassComparison 'exact' | 'minimum' | 'maximum' | 'better'   how the asked classes are compared; Entra knows exact only; default 'exact'
 *   requestParameters    {name: value}          added to the query of the SSO URL; none of the protocol's own
 *   encryption           'off' | 'accepted' | 'required'   encrypted assertions; our metadata offers a key unless off; default 'off'
 *   contentEncryption    'gcm' | 'gcm-or-cbc'   AES-CBC only for IdPs that know nothing better (AD FS, Entra); default 'gcm'
 *   authnInstant         'trusted' | 'when-forced' | 'untrusted'   whether it is the time of the sign-in: always, only where we demanded
 *                                               one (Keycloak, PingOne and OneLogin write the time of issue), never; default 'trusted'
 *   responseBinding      'post' | 'redirect'    how the answer to a login comes; redirect only for IdPs that know nothing else: long answers do
 *                                               not fit into an address, and the profile forbids it; default 'post'
 *   sloUrl               https URL              where our logout messages go; default: none, and the IdP hears of no logout
 *   sloResponseUrl       https URL              where our answers to its logout go (ResponseLocation); default: sloUrl
 *   sloBinding           'redirect' | 'post'    of both; default 'redirect'
 *   sloIssuer            string                 the name under which the IdP sends logout messages, where it is not idpEntityId (Entra)
 *   clockSkewSeconds     0..300                 how far the IdP's clock may be from ours, either way; default 180
 *
 * OIDC (`kind` column `oidc`; the client secret is the connection's sealed secret, never in here)
 *   issuer               https URL              byte for byte as in the discovery document; may hold Entra's `{tenantid}`, and then needs tenantIds
 *   discoveryUrl         https URL              default: the issuer with `/.well-known/openid-configuration`
 *   clientId             string
 *   clientAuthentication 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'   default: basic with a secret, none without
 *   clientAssertionAudience 'issuer' | 'token_endpoint'   private_key_jwt: whom it is for; default 'issuer'
 *   idTokenAlgorithms    string[]               asymmetric ones alone; default all that we know
 *   scopes               string[]               default openid, profile, email
 *   tenantIds            string[]               Entra: `tid` must be one of these
 *   hostedDomains        string[]               Google: `hd` must be one of these; sent as a hint, too
 *   acrValues            string[]               acr_values at every login; default none
 *   stepUpAcr            string | null          what is asked for on step-up; null: the prompt alone; default REFEDS MFA
 *   stepUpAsk            'acr_values' | 'claims_acr' | 'claims_acrs'   as a wish, as an essential claim, as Entra's authentication context;
 *                                               the last two refuse an answer that lacks it; default 'acr_values'
 *   prompt               'login' | 'select_account' | 'consent' | null   at every login; default null
 *   promptOnForce        'login' | 'select_account' | null   where a fresh sign-in is demanded; Google knows no login; default 'login'
 *   promptOnSelect       'select_account' | 'login' | null   where a client wants her to choose an account; null: as ever; default 'select_account'
 *   maxAgeOnForce        0 | 1 | null           max_age where a fresh sign-in is demanded; null: none; default 0
 *   authTimeClaim        boolean                where it is demanded, ask for auth_time by `claims`, too; default false
 *   freshnessEvidence    'auth_time' | 'issued_at_after_prompt'   what proves a fresh sign-in (docs/adr/0016); default 'auth_time'
 *   parameters           {name: value}          added to the request; names by allow-list: `staticParameterNames`
 *   userinfo             boolean                merge the userinfo answer; default true
 *   logoutTokens         'typed' | 'untyped'    untyped: a logout token may say typ JWT or none, and no exp (Keycloak before 25, Hydra, authentik);
 *                                               default 'typed'
 *   frontchannelLogout   boolean                the IdP ends sessions from a frame in the browser (Entra, Okta, AD FS): a cookie goes along
 *                                               there that can end a session and do nothing else; default false
 *   graph                {groups: 'id' | 'displayName', securityGroupsOnly, url, tokenUrl}   Entra: groups too many for a token are read from
 *                                               Microsoft Graph with our own credentials; default: they stay unknown
 *
 * Both
 *   mapping              how attributes or claims become our claims, groups and stable id: `parseClaimMapping` of core; default: sensible
 *   stableIdAttribute    string                 short for mapping.stableId.attribute
 *   groupsAttribute      string                 short for mapping.groups.from with one name
 *   scimLinkKey          {attribute, scim: 'userName' | 'externalId'}   how a SCIM user is linked: an IdP-controlled value only (security.md §3)
 *   directory            {groups: 'directory' | 'login', endDate}   who says in which groups somebody is (docs/adr/0039): the directory that speaks SCIM, or the
 *                                               login; default: the login until the directory sends its first group, and the directory alone from then on. endDate: the attribute
 *                                               of SCIM users that names the end of somebody's access; default: none
 *   logoutUpstream       boolean                whoever signs out here is taken to the IdP to sign out there, too, where it offers that; default true
 *   signalIssuers        string[] 1..4          further names under which the IdP signs a Global Token Revocation and names people in it, beside issuer or
 *                                               idpEntityId: an organization's own URL. OIDC: https URLs, each with a discovery document of its own
 *   ssf                  {issuer, …}            whose security events are heard at `/t/<tenant>/ssf/receivers/<connection>`: `ssfTransmitterShape` in
 *                                               signals/transmitter; default: nobody's
 *   idpInitiated         {targets: [{name, relayState, initiateLoginUri, targetLinkUri}]}   where a tile of the IdP's portal may lead, chosen by
 *                                               its RelayState or target_link_uri; the one without is the default (docs/adr/0026); default: refused
 */
import type { X509Certificate } from 'node:crypto'
import { type ClaimMapping, parseClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { err, ok, type Result } from '@drawbridge/core/result'
import { findInitiatedLoginMistake, type InitiatedLogin, initiatedLoginShape } from '@drawbridge/core/tenant/initiated-login'
import { isRsaWithinLimits } from '@drawbridge/crypto/foreign-algorithms'
import { z } from 'zod'
import { readCertificate } from './certificate.js'
import type { UpstreamRefusal } from './error.js'
import { findKeyMistake, findOidcMistake, type OidcSettings, oidcMembers, refedsMfa } from './oidc/configuration.js'
import { findSamlMistake, pickSamlParty, type SamlPartySettings, samlPartyMembers } from './saml/configuration.js'
import { type SignatureReaderName, signatureReaderNames } from './saml/signature-reader-name.js'
import { type SsfTransmitter, ssfTransmitterShape } from './signals/transmitter.js'

/** As many keys of one IdP as are trusted at once. */
export const mostCertificates = 8
const limits = {
  certificates: mostCertificates,
  certificateLength: 16_384,
  textLength: 1024,
  listLength: 64,
  signalIssuers: 4,
} as const
const ecCurves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']

const text = z.string().min(1).max(limits.textLength)
const texts = z.array(text).max(limits.listLength)
/** An attribute, or one behind the URN of an extension. */
const directoryAttribute = z
  .string()
  .max(256)
  .regex(/^(urn:[A-Za-z0-9._:-]+:)?[A-Za-z][A-Za-z0-9_-]*$/)
const shared = {
  mapping: z.record(z.string(), z.unknown()).optional(),
  stableIdAttribute: text.optional(),
  groupsAttribute: text.optional(),
  scimLinkKey: z.strictObject({ attribute: text, scim: z.enum(['userName', 'externalId']) }).optional(),
  idpInitiated: initiatedLoginShape.optional(),
  logoutUpstream: z.boolean().default(true),
  directory: z.strictObject({ groups: z.enum(['directory', 'login']).optional(), endDate: directoryAttribute.optional() }).optional(),
}
const signalling = {
  signalIssuers: z.array(text).min(1).max(limits.signalIssuers).default([]),
  ssf: ssfTransmitterShape.optional(),
}
const samlSchema = z.strictObject({
  ...shared,
  ...signalling,
  idpEntityId: text,
  ssoUrl: text,
  ssoBinding: z.enum(['redirect', 'post']).default('redirect'),
  certificates: z.array(z.string().max(limits.certificateLength)).min(1).max(limits.certificates),
  spEntityId: text.optional(),
  stepUpClassRef: text.nullable().default(refedsMfa),
  requestedClassRefs: texts.default([]),
  nameIdFormat: text.optional(),
  forceAuthn: z.boolean().default(false),
  signatureReader: z.enum(signatureReaderNames).default('xml-signature'),
  loginHintParameter: z
    .string()
    .regex(/^[A-Za-z_]{1,40}$/)
    .optional(),
  ...samlPartyMembers,
})
const oidcSchema = z.strictObject({ ...shared, ...signalling, ...oidcMembers })

type Signalling = {
  /** Under which names beside its own the IdP signs revocations and names people in them. */
  readonly signalIssuers: readonly string[]
  /** Undefined: no security events are heard. */
  readonly ssf: SsfTransmitter | undefined
}
type Shared = Signalling & {
  readonly mapping: ClaimMapping
  readonly scimLinkKey: { readonly attribute: string; readonly scim: 'userName' | 'externalId' } | undefined
  /** Undefined: nobody but an application of ours begins a login. */
  readonly idpInitiated: InitiatedLogin | undefined
  /** What the directory that speaks SCIM says beside the login. */
  readonly directory: { readonly endDate: string | undefined }
  /** Whoever signs out here is taken to the IdP to sign out there, where it offers that. */
  readonly logoutUpstream: boolean
}
export type SamlConnection = Shared &
  SamlPartySettings & {
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
export type OidcConnection = Shared & OidcSettings & { readonly kind: 'oidc' }
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
  const insecure = (['ssoUrl', 'sloUrl', 'sloResponseUrl'] as const).find((member) => !isSecureUrl(rest[member] ?? rest.ssoUrl))
  if (insecure !== undefined) return err({ reason: 'connection_url_insecure', detail: { member: insecure } })
  const certificates: string[] = []
  for (const [index, certificate] of given.entries()) {
    const pem = toUsablePem(certificate)
    if (pem === undefined) return err({ reason: 'connection_certificate_invalid', detail: { member: `certificates[${index}]` } })
    certificates.push(pem)
  }
  const mistake = findSamlMistake(rest)
  if (mistake !== undefined) return err({ reason: 'connection_configuration_invalid', detail: mistake })
  const common = parseShared(rest)
  if (!common.ok) return common
  const signals = parseSignalling(rest, 'saml')
  if (!signals.ok) return signals
  const { ssoUrl, idpEntityId, ssoBinding, spEntityId, stepUpClassRef, requestedClassRefs } = rest
  const { nameIdFormat, forceAuthn, signatureReader, loginHintParameter } = rest
  const asked = { stepUpClassRef, requestedClassRefs, nameIdFormat, forceAuthn, loginHintParameter, ...pickSamlParty(rest) }
  return ok({
    kind: 'saml',
    ...common.value,
    ...signals.value,
    idpEntityId,
    ssoUrl,
    ssoBinding,
    spEntityId,
    ...asked,
    signatureReader,
    certificates,
  })
}

function parseOidc(configuration: unknown): Result<OidcConnection, UpstreamRefusal> {
  const parsed = oidcSchema.safeParse(configuration)
  if (!parsed.success) return err(invalid(parsed.error))
  const {
    mapping,
    stableIdAttribute,
    groupsAttribute,
    scimLinkKey,
    idpInitiated,
    logoutUpstream,
    directory,
    signalIssuers,
    ssf,
    ...settings
  } = parsed.data
  const signals = parseSignalling({ signalIssuers, ssf }, 'oidc')
  if (!signals.ok) return signals
  const insecure = findInsecureUrl(settings)
  if (insecure !== undefined) return err({ reason: 'connection_url_insecure', detail: { member: insecure } })
  const mistake = findOidcMistake(settings)
  if (mistake !== undefined) return err({ reason: 'connection_configuration_invalid', detail: mistake })
  const common = parseShared({ mapping, stableIdAttribute, groupsAttribute, scimLinkKey, idpInitiated, logoutUpstream, directory })
  if (!common.ok) return common
  const key = findKeyMistake(settings, common.value.mapping)
  if (key !== undefined) return err({ reason: 'connection_configuration_invalid', detail: key })
  const scopes = settings.scopes.includes('openid') ? settings.scopes : ['openid', ...settings.scopes]
  return ok({ kind: 'oidc', ...common.value, ...signals.value, ...settings, scopes })
}

/** Of a SAML IdP further names are names alone; of an OpenID provider they are addresses, too. */
function parseSignalling(
  { signalIssuers, ssf }: z.infer<z.ZodObject<typeof signalling>>,
  kind: 'saml' | 'oidc',
): Result<Signalling, UpstreamRefusal> {
  const addresses = { 'ssf.issuer': ssf?.issuer, 'ssf.jwksUri': ssf?.jwksUri, 'ssf.configurationUrl': ssf?.configurationUrl }
  const further = kind === 'oidc' ? Object.fromEntries(signalIssuers.map((url, index) => [`signalIssuers[${index}]`, url])) : {}
  const insecure = Object.entries({ ...addresses, ...further }).find(([, url]) => url !== undefined && !isSecureUrl(url))?.[0]
  return insecure === undefined ? ok({ signalIssuers, ssf }) : err({ reason: 'connection_url_insecure', detail: { member: insecure } })
}

function findInsecureUrl({ issuer, discoveryUrl, graph }: OidcSettings): string | undefined {
  const urls = { issuer, discoveryUrl, 'graph.url': graph?.url, 'graph.tokenUrl': graph?.tokenUrl }
  return Object.entries(urls).find(([, url]) => url !== undefined && !isSecureUrl(url))?.[0]
}

/** The short forms are folded into the mapping, so that the rest of the house knows one form only. */
function parseShared({
  mapping,
  stableIdAttribute,
  groupsAttribute,
  scimLinkKey,
  idpInitiated,
  logoutUpstream,
  directory,
}: z.infer<z.ZodObject<typeof shared>>): Result<Omit<Shared, keyof Signalling>, UpstreamRefusal> {
  const mistake = idpInitiated && findInitiatedLoginMistake(idpInitiated)
  if (mistake !== undefined) return err({ reason: 'connection_configuration_invalid', detail: mistake })
  const parsed = parseClaimMapping({
    ...mapping,
    ...(stableIdAttribute !== undefined && { stableId: { attribute: stableIdAttribute } }),
    ...(groupsAttribute !== undefined && { groups: { from: [groupsAttribute] } }),
  })
  return parsed.ok
    ? ok({ mapping: parsed.value, scimLinkKey, idpInitiated, logoutUpstream, directory: { endDate: directory?.endDate } })
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

/**
 * PEM of a certificate whose key we would accept a signature from, or undefined. Expiry is not asked: metadata keys are raw trust. That it has
 * dates is: everybody who shows or compares one reads them, and what has none is no certificate of RFC 5280.
 */
export function toUsablePem(text: string): string | undefined {
  const certificate = readCertificate(text)
  if (certificate === undefined || !hasDates(certificate)) return undefined
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey
    const usable =
      (type === 'rsa' && isRsaWithinLimits(certificate.publicKey)) || (type === 'ec' && ecCurves.includes(details?.namedCurve ?? ''))
    return usable ? certificate.toString() : undefined
  } catch {
    return undefined
  }
}

/** OpenSSL reads a certificate whose times are none, and calls them a bad time value. */
const hasDates = ({ validFrom, validTo }: X509Certificate): boolean => [validFrom, validTo].every((time) => !Number.isNaN(Date.parse(time)))
