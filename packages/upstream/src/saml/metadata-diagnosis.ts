/**
 * Metadata, told in plain words: who made it, where its doors and keys are, what is wrong with it and how to mend it.
 *
 * Pure and total: whatever is pasted becomes a diagnosis, never an exception. `configuration` is there exactly when nothing that was found
 * is an error; only then may the metadata be used.
 */
import type { Instant } from '@drawbridge/core/instant'
import { isSecureUrl, mostCertificates } from '../connection-configuration.js'
import { leadsToThisMachine } from '../public-addresses.js'
import { daysLeftOf, describeCertificate, type IdpCertificate } from './metadata-certificate.js'
import { digestOfDocument, type MetadataSignature, readMetadataDocument } from './metadata-document.js'
import { type Endpoint, listEntities, type MetadataEntity, type MetadataFacts, readFacts } from './metadata-facts.js'
import { isError, type MetadataFinding, type MetadataFindingCode } from './metadata-findings.js'
import { recogniseVendor, type Vendor, type VendorId, vendorOf } from './metadata-vendors.js'

/** Warn from here on; the events come at 60, 30, 14, 7 and 1 days. */
export const metadataWarningDays = 60
export const mostEntitiesShown = 50

/** The part of a connection's configuration that metadata gives; the admin's own choices are kept by the caller. */
export type MetadataConfiguration = {
  readonly idpEntityId: string
  readonly ssoUrl: string
  readonly ssoBinding: 'redirect' | 'post'
  readonly certificates: readonly string[]
} & MetadataLogout
/** Where and as whom the IdP speaks of logout: all of it or none. */
type MetadataLogout = {
  readonly sloUrl?: string
  readonly sloResponseUrl?: string
  readonly sloBinding?: 'redirect' | 'post'
  readonly sloIssuer?: string
}
export type Diagnosis = {
  /** Names the document: what was seen and what is applied are the same when this is. */
  readonly digest: string
  readonly signature: MetadataSignature | undefined
  /** Fingerprint of the certificate that the document carries and that signed it, where no certificate is pinned. No proof of origin. */
  readonly signedBy: string | undefined
  /** Entity IDs of the IdPs in it, at most `mostEntitiesShown`. */
  readonly entities: readonly string[]
  readonly vendor: VendorId | undefined
  readonly facts: MetadataFacts | undefined
  readonly certificates: readonly IdpCertificate[]
  readonly findings: readonly MetadataFinding[]
  readonly configuration: MetadataConfiguration | undefined
}
export type DiagnosisQuestion = {
  readonly now: Instant
  /** Which of several. */
  readonly entityId?: string | undefined
  /** Certificates that must have signed the document; none: nobody asks. */
  readonly pinned?: readonly string[] | undefined
  /** Where it was fetched from. */
  readonly url?: string | undefined
  /** The installation is public, so that no address of this machine is used. Default: those are good. */
  readonly isPublic?: boolean
}

export function diagnose(document: string, question: DiagnosisQuestion): Diagnosis {
  const nothing = {
    ...{ digest: digestOfDocument(document), signature: undefined, signedBy: undefined, entities: [], vendor: undefined, facts: undefined },
    ...{ certificates: [], configuration: undefined },
  }
  const read = readMetadataDocument(document, question.pinned)
  if (!read.ok) return { ...nothing, findings: [read.error] }
  const { root, signature, signedBy } = read.value
  const all = listEntities(root)
  const entities = all.filter(({ role }) => role !== undefined).map(({ entityId }) => entityId)
  const seen = { ...nothing, signature, signedBy, entities: entities.slice(0, mostEntitiesShown) }
  const entity = chooseEntity(all, question.entityId)
  if ('code' in entity) return { ...seen, findings: [entity] }
  return { ...seen, ...diagnoseEntity(entity, { signature, signedBy }, question) }
}

type IdpEntity = MetadataEntity & { readonly role: NonNullable<MetadataEntity['role']> }
const isIdp = (entity: MetadataEntity): entity is IdpEntity => entity.role !== undefined

/** Never a guess: where several are there, the admin says which. */
function chooseEntity(all: readonly MetadataEntity[], entityId: string | undefined): IdpEntity | MetadataFinding {
  if (all.length === 0) return { code: 'entity_missing' }
  const idps = all.filter(isIdp)
  if (idps.length === 0) return { code: all.some(isServiceProvider) ? 'role_sp_only' : 'role_missing' }
  const meant = entityId === undefined ? idps : idps.filter((idp) => idp.entityId === entityId)
  const [only, second] = meant
  if (only === undefined) return { code: 'entity_not_in_document', detail: { count: idps.length } }
  if (second === undefined) return only
  return { code: entityId === undefined ? 'entity_several' : 'entity_listed_twice', detail: { count: meant.length } }
}

const isServiceProvider = ({ element }: MetadataEntity): boolean => element.children.some(({ name }) => name === 'SPSSODescriptor')

type Signed = { readonly signature: MetadataSignature; readonly signedBy: string | undefined }

function diagnoseEntity(entity: IdpEntity, signed: Signed, question: DiagnosisQuestion) {
  const facts = readFacts(entity)
  const described = facts.signingCertificates.map((certificate) => describeCertificate(certificate, question.now))
  const usable = described.filter((certificate) => certificate !== undefined)
  const certificates = longestLived(usable)
  const { isPublic = false } = question
  const endpoint = chooseEndpoint(facts.signIn, isPublic)
  const vendor = recogniseVendor(
    facts.entityId,
    facts.signIn.map(({ url }) => url),
  )
  const logout = chooseLogout(facts, vendor, isPublic)
  const findings = [
    ...judgeEntityId(facts.entityId),
    ...judgeEndpoints(facts, endpoint, isPublic),
    ...judgeLogout(facts, logout),
    ...judgeKeys(facts, usable),
    ...judgeCertificates(certificates, question.now),
    ...judgeValidity(facts, question.now),
    ...judgeRest(facts, signed),
    ...judgeVendor(vendor, question.url),
  ]
  const pems = certificates.map(({ pem }) => pem)
  const configuration =
    endpoint !== undefined && !findings.some(isError)
      ? { idpEntityId: facts.entityId, ssoUrl: endpoint.url, ssoBinding: endpoint.binding, certificates: pems, ...logout }
      : undefined
  return { vendor, facts, certificates, findings, configuration }
}

/** As many as a connection holds, in the order of the document. */
function longestLived(usable: readonly IdpCertificate[]): readonly IdpCertificate[] {
  const kept = new Set([...usable].sort((one, other) => other.notAfter - one.notAfter).slice(0, mostCertificates))
  return usable.filter((certificate) => kept.has(certificate))
}

type Usable = Endpoint & { readonly binding: 'redirect' | 'post' }
const isGood = (url: string, isPublic: boolean): boolean => isSecureUrl(url) && !(isPublic && leadsToThisMachine(url))
const isUsable =
  (isPublic: boolean) =>
  (endpoint: Endpoint): endpoint is Usable =>
    endpoint.binding !== 'other' && isGood(endpoint.url, isPublic)

/** Redirect first: it needs no script-free form page in between. */
const chooseEndpoint = (endpoints: readonly Endpoint[], isPublic: boolean): Usable | undefined => {
  const usable = endpoints.filter(isUsable(isPublic))
  return usable.find(({ binding }) => binding === 'redirect') ?? usable[0]
}

/** By the binding that this vendor is known to answer, otherwise by redirect. A ResponseLocation that cannot be used takes the endpoint with it. */
function chooseLogout({ signOut, entityId }: MetadataFacts, vendor: VendorId | undefined, isPublic: boolean): MetadataLogout {
  const { logoutBinding = 'redirect', logoutIssuer } = vendor === undefined ? ({} as Partial<Vendor>) : vendorOf(vendor)
  const usable = signOut.filter(isUsable(isPublic)).filter(({ answersAt }) => answersAt === undefined || isGood(answersAt, isPublic))
  const chosen = usable.find(({ binding }) => binding === logoutBinding) ?? usable[0]
  if (chosen === undefined) return {}
  const issuer = logoutIssuer?.(entityId)
  const at = { sloUrl: chosen.url, sloResponseUrl: chosen.answersAt ?? chosen.url, sloBinding: chosen.binding }
  return { ...at, ...(issuer !== undefined && { sloIssuer: issuer }) }
}

type Findings = readonly MetadataFinding[]
const when = (isSo: boolean, code: MetadataFindingCode, detail?: MetadataFinding['detail']): Findings =>
  isSo ? [{ code, ...(detail && { detail }) }] : []

const longestEntityId = 1024
const judgeEntityId = (entityId: string): Findings => when(entityId === '' || entityId.length > longestEntityId, 'entity_id_invalid')

function judgeEndpoints({ signIn }: MetadataFacts, chosen: Usable | undefined, isPublic: boolean): Findings {
  const known = signIn.filter(({ binding }) => binding !== 'other')
  const isOfThisMachine = isPublic && known.some(({ url }) => leadsToThisMachine(url))
  if (chosen === undefined)
    return [{ code: known.length === 0 ? 'endpoint_missing' : isOfThisMachine ? 'endpoint_loopback' : 'endpoint_insecure' }]
  return [
    ...when(
      known.some(({ url }) => !isSecureUrl(url)),
      'endpoint_insecure_ignored',
    ),
    ...when(isOfThisMachine, 'endpoint_loopback_ignored'),
  ]
}

function judgeLogout({ signOut }: MetadataFacts, { sloBinding: binding }: MetadataLogout): Findings {
  return binding === undefined ? when(signOut.length > 0, 'logout_unusable') : [{ code: 'logout_offered', detail: { binding } }]
}

function judgeKeys(facts: MetadataFacts, usable: readonly IdpCertificate[]): Findings {
  const written = facts.signingCertificates.length
  if (written === 0) return [{ code: 'signing_key_missing' }]
  if (usable.length === 0) return [{ code: 'signing_key_unusable', detail: { count: written } }]
  return [
    ...when(usable.length < written, 'certificate_unusable', { count: written - usable.length }),
    ...when(usable.length > mostCertificates, 'certificates_too_many', { count: usable.length, most: mostCertificates }),
    ...when(usable.length > 1, 'certificates_several', { count: Math.min(usable.length, mostCertificates) }),
    ...when(facts.hasCertificateChain, 'certificate_chain'),
    ...when(facts.announcesSha1Only, 'sha1_only'),
  ]
}

const judgeCertificates = (certificates: readonly IdpCertificate[], now: Instant): Findings =>
  certificates.flatMap((certificate) => {
    const { fingerprint, daysLeft } = certificate
    return [
      ...when(daysLeft < 0, 'certificate_expired', { fingerprint, daysLeft }),
      ...when(daysLeft >= 0 && daysLeft <= metadataWarningDays, 'certificate_expires_soon', { fingerprint, daysLeft }),
      ...when(certificate.notBefore > now, 'certificate_not_yet_valid', { fingerprint }),
      ...when(certificate.isSignedWithSha1, 'certificate_sha1', { fingerprint }),
    ]
  })

/** For certificates that came without metadata. */
export const diagnoseCertificates = (certificates: readonly string[], now: Instant): Findings =>
  judgeCertificates(
    certificates.flatMap((each) => describeCertificate(each, now) ?? []),
    now,
  )

function judgeValidity({ validUntil }: MetadataFacts, now: Instant): Findings {
  if (validUntil === undefined) return []
  if (validUntil === 'unreadable') return [{ code: 'valid_until_unreadable' }]
  const daysLeft = daysLeftOf(validUntil, now)
  if (validUntil <= now) return [{ code: 'valid_until_passed', detail: { daysLeft } }]
  return when(daysLeft <= metadataWarningDays, 'valid_until_soon', { daysLeft })
}

const formats = {
  transient: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
  email: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
}

const judgeRest = (facts: MetadataFacts, { signature, signedBy }: Signed): Findings => {
  const { nameIdFormats } = facts
  return [
    ...when(signature === 'unchecked', 'signature_unchecked'),
    ...when(signature === 'intact', 'signature_intact', { fingerprint: signedBy ?? '' }),
    ...when(facts.wantsSignedRequests, 'requests_wanted_signed'),
    ...when(nameIdFormats.length > 0 && nameIdFormats.every((each) => each === formats.transient), 'name_id_transient_only'),
    ...when(nameIdFormats.includes(formats.email) && !nameIdFormats.some((each) => each.endsWith(':persistent')), 'name_id_mutable'),
    ...when(facts.hasOtherProtocols, 'other_protocols_ignored'),
  ]
}

function judgeVendor(vendor: VendorId | undefined, url: string | undefined): Findings {
  if (vendor === undefined) return []
  const isOfDirectory = vendor === 'entra' && url !== undefined && URL.canParse(url) && !new URL(url).searchParams.has('appid')
  return [...when(isOfDirectory, 'tenant_keys_not_of_application'), ...vendorOf(vendor).notices.map((code) => ({ code }))]
}
