/** Reads an IdP's metadata into the configuration of a connection, with a diagnosis in plain words beside it. */
import { X509Certificate } from 'node:crypto'
import { type Instant, instant, secondsBetween } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { isSecureUrl, toUsablePem } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { parseDateTime } from './date-time.js'
import { attributeOf, childrenNamed, type Element, isNamed, namespaces, readElement, textOf, walk } from './element.js'
import { metadataLimits, prescan } from './prescan.js'

export type IdpCertificate = {
  readonly pem: string
  readonly subject: string
  readonly notAfter: Instant
  /** Negative: expired. An expired certificate is kept and trusted (metadata keys are raw trust), but warned about. */
  readonly daysLeft: number
}
export type MetadataWarning =
  | 'certificate_expired'
  | 'certificate_expires_soon'
  | 'certificate_unusable'
  | 'valid_until_passed'
  | 'wants_signed_requests'
export type IdpMetadata = {
  readonly entityId: string
  readonly ssoUrl: string
  readonly ssoBinding: 'redirect' | 'post'
  readonly certificates: readonly IdpCertificate[]
  readonly nameIdFormats: readonly string[]
  readonly validUntil: Instant | undefined
  readonly warnings: readonly MetadataWarning[]
}

export const metadataWarningDays = 30
const secondsPerDay = 86_400
const redirectBinding = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const postBinding = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'

/**
 * The metadata's own signature is not judged here: whoever pastes or fetches it over https vouches for it.
 *
 * @spec SAML Metadata §2.4.3
 */
export function parseIdpMetadata(document: string, now: Instant, entityId?: string): Result<IdpMetadata, UpstreamRefusal> {
  const text = document
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .trim()
  const scanned = prescan(text, metadataLimits)
  if (!scanned.ok) return scanned
  const root = readElement(text)
  if (!root.ok) return err({ reason: 'metadata_malformed' })
  const entity = findEntity(root.value, entityId)
  if (!entity.ok) return entity
  return readEntity(entity.value, now)
}

function findEntity(root: Element, entityId: string | undefined): Result<Element, UpstreamRefusal> {
  const entities = [...walk(root)]
    .map(({ element }) => element)
    .filter((element) => isNamed(element, namespaces.metadata, 'EntityDescriptor'))
  const idps = entities.filter((entity) => childrenNamed(entity, namespaces.metadata, 'IDPSSODescriptor').length > 0)
  const meant = entityId === undefined ? idps : idps.filter((entity) => attributeOf(entity, 'entityID') === entityId)
  const [only, ...others] = meant
  if (only === undefined) return err({ reason: 'metadata_malformed' })
  return others.length > 0 ? err({ reason: 'metadata_several_entities', detail: { count: meant.length } }) : ok(only)
}

function readEntity(entity: Element, now: Instant): Result<IdpMetadata, UpstreamRefusal> {
  const entityId = attributeOf(entity, 'entityID')
  const role = childrenNamed(entity, namespaces.metadata, 'IDPSSODescriptor')[0]
  if (entityId === undefined || entityId === '' || role === undefined) return err({ reason: 'metadata_malformed' })
  const endpoint = findEndpoint(role)
  if (endpoint === undefined) return err({ reason: 'metadata_no_endpoint' })
  if (!isSecureUrl(endpoint.url)) return err({ reason: 'connection_url_insecure', detail: { member: 'ssoUrl' } })
  const written = signingCertificatesOf(role)
  const certificates = written.flatMap((certificate) => describe(certificate, now) ?? [])
  if (certificates.length === 0) return err({ reason: 'metadata_no_signing_key' })
  const validUntil = parseDateTime(attributeOf(entity, 'validUntil') ?? '')
  const wantsSigned = ['true', '1'].includes(attributeOf(role, 'WantAuthnRequestsSigned') ?? '')
  const warnings = (
    [
      certificates.some(({ daysLeft }) => daysLeft < 0) && 'certificate_expired',
      certificates.some(({ daysLeft }) => daysLeft >= 0 && daysLeft < metadataWarningDays) && 'certificate_expires_soon',
      certificates.length < written.length && 'certificate_unusable',
      validUntil !== undefined && validUntil <= now && 'valid_until_passed',
      wantsSigned && 'wants_signed_requests',
    ] as const
  ).filter((warning) => warning !== false)
  const nameIdFormats = childrenNamed(role, namespaces.metadata, 'NameIDFormat').flatMap((format) => textOf(format) ?? [])
  return ok({ entityId, ssoUrl: endpoint.url, ssoBinding: endpoint.binding, certificates, nameIdFormats, validUntil, warnings })
}

/** Redirect first: it needs no script-free form page in between. */
function findEndpoint(role: Element): { readonly url: string; readonly binding: 'redirect' | 'post' } | undefined {
  const services = childrenNamed(role, namespaces.metadata, 'SingleSignOnService')
  const locationOf = (binding: string) =>
    services
      .map((each) => (attributeOf(each, 'Binding') === binding ? attributeOf(each, 'Location') : undefined))
      .find((each) => each !== undefined)
  const redirect = locationOf(redirectBinding)
  if (redirect !== undefined) return { url: redirect, binding: 'redirect' }
  const post = locationOf(postBinding)
  return post === undefined ? undefined : { url: post, binding: 'post' }
}

/** A KeyDescriptor without `use` serves both purposes: SAML Metadata §2.4.1.1. */
function signingCertificatesOf(role: Element): readonly string[] {
  const descriptors = childrenNamed(role, namespaces.metadata, 'KeyDescriptor').filter((each) => attributeOf(each, 'use') !== 'encryption')
  const certificates = descriptors.flatMap((descriptor) =>
    [...walk(descriptor)]
      .filter(({ element }) => isNamed(element, namespaces.signature, 'X509Certificate'))
      .flatMap(({ element }) => textOf(element) ?? []),
  )
  return [...new Set(certificates.map((certificate) => certificate.replace(/\s+/g, '')))]
}

function describe(certificate: string, now: Instant): IdpCertificate | undefined {
  const pem = toUsablePem(certificate)
  if (pem === undefined) return undefined
  const parsed = new X509Certificate(pem)
  const notAfter = instant(Date.parse(parsed.validTo))
  return { pem, subject: parsed.subject, notAfter, daysLeft: Math.floor(secondsBetween(now, notAfter) / secondsPerDay) }
}

/** The part of a connection's configuration that metadata gives; the admin's own choices are kept by the caller. */
export const toConfiguration = (metadata: IdpMetadata) => ({
  idpEntityId: metadata.entityId,
  ssoUrl: metadata.ssoUrl,
  ssoBinding: metadata.ssoBinding,
  certificates: metadata.certificates.map(({ pem }) => pem),
})
