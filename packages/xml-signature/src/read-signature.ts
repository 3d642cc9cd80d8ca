/**
 * The one shape that a SAML signature may have, read into what verification needs.
 *
 * Everything that XML Signature allows beyond it is refused before any cryptography: other references, other transforms, objects,
 * text between the elements. KeyInfo may be there and is never looked at: keys come from the connection.
 */
import { digestMethodOf, type Hash, type SignatureMethod, signatureMethodOf } from './algorithms.js'
import { decodeBase64 } from './base64.js'
import type { Canonicalization } from './canonicalize.js'
import { isBlank } from './characters.js'
import { readCanonicalization, readTransforms } from './read-transforms.js'
import { refuse, type SignatureRefusal } from './refusal.js'
import { ok, type Result } from './result.js'
import { namespaces } from './xml-namespaces.js'
import { attributeOf, isNamed, type XmlElement } from './xml-tree.js'

export type SignatureFacts = {
  readonly signedInfo: XmlElement
  readonly canonicalization: Canonicalization
  readonly method: SignatureMethod
  readonly value: Buffer
  readonly reference: ReferenceFacts
}
export type ReferenceFacts = { readonly canonicalization: Canonicalization; readonly hash: Hash; readonly digest: Buffer }

type Read<T> = Result<T, SignatureRefusal>
const ncName = /^[A-Za-z_][A-Za-z0-9._-]{0,255}$/

/**
 * @spec SAML Core §5.4.2 one reference, to the ID of the parent
 * @spec SAML Core §5.4.5 KeyInfo is not needed
 */
export function readSignature(signature: XmlElement, parent: XmlElement): Read<SignatureFacts> {
  const [signedInfo, valueElement, keyInfo, ...others] = signature.children
  if (!isDs(signedInfo, 'SignedInfo') || !isDs(valueElement, 'SignatureValue') || others.length > 0 || !hasElementsOnly(signature))
    return refuse('signature_shape_invalid')
  if (keyInfo !== undefined && !isDs(keyInfo, 'KeyInfo')) return refuse('signature_shape_invalid')
  const value = readBase64(valueElement)
  if (value === undefined || !hasElementsOnly(signedInfo) || !hasKnownAttributes(signedInfo)) return refuse('signature_shape_invalid')
  return readSignedInfo(signedInfo, value, attributeOf(parent, 'ID') ?? '')
}

function readSignedInfo(signedInfo: XmlElement, value: Buffer, parentId: string): Read<SignatureFacts> {
  const [canonicalizationElement, methodElement, referenceElement, ...others] = signedInfo.children
  if (!isDs(canonicalizationElement, 'CanonicalizationMethod') || !isDs(methodElement, 'SignatureMethod'))
    return refuse('signature_shape_invalid')
  const canonicalization = readCanonicalization(canonicalizationElement)
  if (canonicalization === undefined) return refuse('transform_refused')
  const method = readMethod(methodElement, signatureMethodOf)
  if (!method.ok) return method
  if (!isDs(referenceElement, 'Reference') || others.length > 0) return refuse('reference_invalid')
  if (!ncName.test(parentId) || attributeOf(referenceElement, 'URI') !== `#${parentId}`) return refuse('reference_invalid')
  const reference = readReference(referenceElement)
  return reference.ok ? ok({ signedInfo, canonicalization, method: method.value, value, reference: reference.value }) : reference
}

function readReference(reference: XmlElement): Read<ReferenceFacts> {
  const [transforms, methodElement, digestElement, ...others] = reference.children
  if (!isDs(transforms, 'Transforms') || !isDs(methodElement, 'DigestMethod') || !isDs(digestElement, 'DigestValue'))
    return refuse('reference_invalid')
  const digest = readBase64(digestElement)
  if (digest === undefined || others.length > 0 || !hasElementsOnly(reference)) return refuse('reference_invalid')
  const hash = readMethod(methodElement, digestMethodOf)
  if (!hash.ok) return hash
  const canonicalization = readTransforms(transforms)
  return canonicalization === undefined ? refuse('transform_refused') : ok({ canonicalization, hash: hash.value, digest })
}

function readMethod<T>(method: XmlElement, methodOf: (uri: string) => T | 'sha1' | 'unknown'): Read<T> {
  if (method.children.length > 0 || !isBlank(method.text)) return refuse('algorithm_refused')
  const known = methodOf(attributeOf(method, 'Algorithm') ?? '')
  if (known === 'sha1') return refuse('algorithm_sha1')
  return known === 'unknown' ? refuse('algorithm_refused') : ok(known as T)
}

const isDs = (element: XmlElement | undefined, name: string): element is XmlElement =>
  element !== undefined && isNamed(element, namespaces.signature, name)
const hasElementsOnly = (element: XmlElement): boolean => isBlank(element.text)
const readBase64 = (element: XmlElement): Buffer | undefined =>
  element.children.length === 0 && element.text.length <= longestBase64 ? decodeBase64(element.text) : undefined

/** What the schema of XML Signature gives its elements, none of it long: SignedInfo is canonicalised before anybody vouches for it. */
const knownAttributes: readonly string[] = ['Id', 'Algorithm', 'URI', 'Type', 'PrefixList']
const longestAttribute = 1024
/** A signature by a key of 32,768 bits, folded. */
const longestBase64 = 8192

const hasKnownAttributes = (element: XmlElement): boolean =>
  element.attributes.every(
    ({ namespace, name, value }) => namespace === '' && knownAttributes.includes(name) && value.length <= longestAttribute,
  ) && element.children.every(hasKnownAttributes)
