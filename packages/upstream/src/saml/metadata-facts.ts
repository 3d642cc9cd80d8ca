/** What one entity of a metadata document says, before anybody judges it. */
import type { Instant } from '@drawbridge/core/instant'
import { parseDateTime } from './date-time.js'
import { attributeOf, childrenNamed, type Element, isNamed, namespaces, textOf, walk } from './element.js'

export type MetadataEntity = {
  readonly entityId: string
  readonly element: Element
  readonly role: Element | undefined
  /** What it stands in: a list may say until when all that is in it holds. SAML Metadata §2.3.1 */
  readonly enclosing: readonly Element[]
}

export type Endpoint = { readonly binding: 'redirect' | 'post' | 'other'; readonly url: string; readonly answersAt: string | undefined }
export type MetadataFacts = {
  readonly entityId: string
  readonly signIn: readonly Endpoint[]
  readonly signOut: readonly Endpoint[]
  /** Base64 without white space: the first certificate of each key that may sign. */
  readonly signingCertificates: readonly string[]
  readonly encryptionCertificates: readonly string[]
  readonly hasCertificateChain: boolean
  readonly nameIdFormats: readonly string[]
  readonly validUntil: Instant | 'unreadable' | undefined
  readonly wantsSignedRequests: boolean
  readonly hasOtherProtocols: boolean
  readonly announcesSha1Only: boolean
}

const bindings = 'urn:oasis:names:tc:SAML:2.0:bindings:'
const algorithmSupport = 'urn:oasis:names:tc:SAML:metadata:algsupport'

/** Every entity of the document, at whatever level, with its role as identity provider for SAML 2.0 if it has one. */
export function listEntities(root: Element): readonly MetadataEntity[] {
  const placed = [...walk(root)]
  const parents = new Map(placed.map(({ element, parent }) => [element, parent]))
  return placed
    .map(({ element }) => element)
    .filter((element) => isNamed(element, namespaces.metadata, 'EntityDescriptor'))
    .map((element) => ({
      entityId: (attributeOf(element, 'entityID') ?? '').trim(),
      element,
      role: roleOf(element),
      enclosing: enclosingOf(element, parents),
    }))
}

function enclosingOf(element: Element, parents: ReadonlyMap<Element, Element | undefined>): readonly Element[] {
  const enclosing: Element[] = []
  for (let outer = parents.get(element); outer !== undefined; outer = parents.get(outer)) enclosing.push(outer)
  return enclosing
}

/** An absent list of protocols is taken for SAML 2.0: the namespace of the role says so. */
const roleOf = (entity: Element): Element | undefined =>
  childrenNamed(entity, namespaces.metadata, 'IDPSSODescriptor').find((role) => {
    const protocols = attributeOf(role, 'protocolSupportEnumeration')
    return protocols === undefined || protocols.split(/\s+/).includes(namespaces.protocol)
  })

/** @spec SAML Metadata §2.4.3 */
export function readFacts({ entityId, element, role, enclosing }: MetadataEntity & { readonly role: Element }): MetadataFacts {
  const signing = certificatesFor(role, 'signing')
  return {
    entityId,
    signIn: endpointsOf(role, 'SingleSignOnService'),
    signOut: endpointsOf(role, 'SingleLogoutService'),
    signingCertificates: signing.certificates,
    encryptionCertificates: certificatesFor(role, 'encryption').certificates,
    hasCertificateChain: signing.hasChain,
    nameIdFormats: childrenNamed(role, namespaces.metadata, 'NameIDFormat').flatMap((format) => textOf(format) || []),
    validUntil: earliestValidUntil([...enclosing, element, role]),
    wantsSignedRequests: ['true', '1'].includes(attributeOf(role, 'WantAuthnRequestsSigned') ?? ''),
    hasOtherProtocols: childrenNamed(element, namespaces.metadata, 'RoleDescriptor').length > 0,
    announcesSha1Only: announcesSha1Only(element),
  }
}

function endpointsOf(role: Element, service: string): readonly Endpoint[] {
  return childrenNamed(role, namespaces.metadata, service).flatMap((each) => {
    const url = attributeOf(each, 'Location')?.trim()
    const answersAt = attributeOf(each, 'ResponseLocation')?.trim()
    return url === undefined || url === '' ? [] : [{ binding: bindingOf(attributeOf(each, 'Binding')), url, answersAt }]
  })
}

function bindingOf(binding: string | undefined): Endpoint['binding'] {
  if (binding?.trim() === `${bindings}HTTP-Redirect`) return 'redirect'
  return binding?.trim() === `${bindings}HTTP-POST` ? 'post' : 'other'
}

/** A KeyDescriptor without `use` serves both purposes (SAML Metadata §2.4.1.1). Of a chain the first certificate alone holds the key. */
function certificatesFor(role: Element, use: 'signing' | 'encryption') {
  const descriptors = childrenNamed(role, namespaces.metadata, 'KeyDescriptor').filter((each) => [use, undefined].includes(useOf(each)))
  const data = descriptors.flatMap((descriptor) =>
    [...walk(descriptor)].map(({ element }) => element).filter((element) => isNamed(element, namespaces.signature, 'X509Data')),
  )
  const chains = data.map((each) =>
    childrenNamed(each, namespaces.signature, 'X509Certificate').flatMap((element) => textOf(element)?.replace(/\s+/g, '') || []),
  )
  return { certificates: [...new Set(chains.flatMap((chain) => chain[0] ?? []))], hasChain: chains.some((chain) => chain.length > 1) }
}

const useOf = (descriptor: Element): 'signing' | 'encryption' | undefined => {
  const use = attributeOf(descriptor, 'use')
  return use === undefined ? undefined : use === 'encryption' ? 'encryption' : 'signing'
}

function earliestValidUntil(elements: readonly Element[]): MetadataFacts['validUntil'] {
  const written = elements.flatMap((element) => attributeOf(element, 'validUntil') ?? [])
  const read = written.map((each) => parseDateTime(each))
  const times = read.filter((each) => each !== undefined)
  if (times.length < read.length) return 'unreadable'
  return times.length === 0 ? undefined : (Math.min(...times) as Instant)
}

/** SAML Metadata Profile for Algorithm Support §2.3 and §2.4. Silence says nothing. */
function announcesSha1Only(entity: Element): boolean {
  const named = (name: string) =>
    [...walk(entity)]
      .filter(({ element }) => isNamed(element, algorithmSupport, name))
      .map(({ element }) => attributeOf(element, 'Algorithm') ?? '')
  const isSha1Only = (algorithms: readonly string[]) => algorithms.length > 0 && algorithms.every((each) => /sha1$/i.test(each))
  return isSha1Only(named('SigningMethod')) || isSha1Only(named('DigestMethod'))
}
