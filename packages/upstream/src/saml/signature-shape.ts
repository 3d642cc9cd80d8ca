/** The one shape that a SAML signature may have; everything that XML Signature allows beyond it is refused before verification. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { attributeOf, type Element, isNamed, namespaces, textOf } from './element.js'
import { type AlgorithmVerdict, type AllowedAlgorithms, judgeDigestMethod, judgeSignatureMethod } from './signature-algorithms.js'

const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
const canonicalizations: readonly string[] = [namespaces.exclusiveC14n, namespaces.inclusiveC14n]
const ncName = /^[A-Za-z_][A-Za-z0-9._-]{0,255}$/
const base64Text = /^[A-Za-z0-9+/=\s]{1,8192}$/

export type Canonicalization = { readonly kind: 'inclusive' } | { readonly kind: 'exclusive'; readonly prefixList: readonly string[] }
export type SignedInfo = {
  readonly canonicalization: Canonicalization
  readonly method: string
  /** Of the element, once the signature is taken out. */
  readonly transform: Canonicalization
  readonly digestMethod: string
  /** Base64. */
  readonly digest: string
}
export type SignatureFacts = { readonly info: SignedInfo; readonly value: string }
type Read<T> = Result<T, UpstreamRefusal>

/** As many as the reader of our own takes. Each is looked for among the namespaces of every element. */
const longestPrefixList = 64

/**
 * @spec SAML Core §5.4.2 one reference, to the ID of the parent
 * @spec SAML Core §5.4.4 enveloped-signature and a canonicalisation without comments only
 */
export function readSignature(signature: Element, parentId: string, allowed: AllowedAlgorithms): Read<SignatureFacts> {
  const [info, value, keyInfo, ...others] = signature.children
  if (info === undefined || value === undefined || others.length > 0 || /[^ \t\r\n]/.test(signature.text))
    return refuse('saml_signature_shape_invalid')
  if (!isDs(info, 'SignedInfo') || !isDs(value, 'SignatureValue')) return refuse('saml_signature_shape_invalid')
  if (keyInfo !== undefined && !isDs(keyInfo, 'KeyInfo')) return refuse('saml_signature_shape_invalid')
  const text = textOf(value) ?? ''
  if (!base64Text.test(text)) return refuse('saml_signature_shape_invalid')
  const read = readSignedInfo(info, parentId, allowed)
  return read.ok ? ok({ info: read.value, value: text }) : read
}

export function readSignedInfo(info: Element, parentId: string, allowed: AllowedAlgorithms): Read<SignedInfo> {
  const [canonicalization, method, reference, ...more] = info.children
  if (
    canonicalization === undefined ||
    method === undefined ||
    !isDs(canonicalization, 'CanonicalizationMethod') ||
    !isDs(method, 'SignatureMethod')
  )
    return refuse('saml_signature_shape_invalid')
  if (!canonicalizations.includes(attributeOf(canonicalization, 'Algorithm') ?? '') || canonicalization.children.length > 0)
    return refuse('saml_transform_refused')
  const algorithm = readAlgorithm(method, (uri) => judgeSignatureMethod(uri, allowed))
  if (!algorithm.ok) return algorithm
  if (reference === undefined || !isDs(reference, 'Reference') || more.length > 0) return refuse('saml_reference_invalid')
  if (!ncName.test(parentId) || attributeOf(reference, 'URI') !== `#${parentId}`) return refuse('saml_reference_invalid')
  const read = readReference(reference, allowed)
  return read.ok ? ok({ canonicalization: canonicalizationOf(canonicalization), method: algorithm.value, ...read.value }) : read
}

function readReference(reference: Element, allowed: AllowedAlgorithms): Read<Pick<SignedInfo, 'transform' | 'digestMethod' | 'digest'>> {
  const [transforms, method, value, ...more] = reference.children
  if (transforms === undefined || method === undefined || value === undefined || more.length > 0) return refuse('saml_reference_invalid')
  if (!isDs(transforms, 'Transforms') || !isDs(method, 'DigestMethod') || !isDs(value, 'DigestValue'))
    return refuse('saml_reference_invalid')
  const digest = textOf(value) ?? ''
  if (!base64Text.test(digest)) return refuse('saml_reference_invalid')
  const algorithm = readAlgorithm(method, (uri) => judgeDigestMethod(uri, allowed))
  if (!algorithm.ok) return algorithm
  const [first, second, ...others] = transforms.children
  const twoKnown =
    first !== undefined &&
    second !== undefined &&
    others.length === 0 &&
    isTransform(first, enveloped) &&
    first.children.every(isStrayPrefixList) &&
    first.children.length <= 1 &&
    isCanonicalization(second)
  if (!twoKnown) return refuse('saml_transform_refused')
  return ok({ transform: canonicalizationOf(second), digestMethod: algorithm.value, digest })
}

function readAlgorithm(method: Element, judge: (uri: string) => AlgorithmVerdict): Read<string> {
  if (method.children.length > 0) return refuse('saml_algorithm_refused')
  const uri = attributeOf(method, 'Algorithm') ?? ''
  const verdict = judge(uri)
  if (verdict === 'sha1') return refuse('saml_algorithm_sha1')
  return verdict === 'accepted' ? ok(uri) : refuse('saml_algorithm_refused')
}

/** Of an element that has been judged already. */
const canonicalizationOf = (element: Element): Canonicalization =>
  attributeOf(element, 'Algorithm') === namespaces.inclusiveC14n
    ? { kind: 'inclusive' }
    : { kind: 'exclusive', prefixList: element.children.flatMap(prefixesOf) }
const prefixesOf = (list: Element): readonly string[] =>
  (attributeOf(list, 'PrefixList') ?? '').split(/\s+/).filter((prefix) => prefix !== '')

/** Exclusive canonicalisation may have one prefix list, inclusive has no parameter. */
const isCanonicalization = (transform: Element): boolean =>
  (isTransform(transform, namespaces.exclusiveC14n) && transform.children.every(isPrefixList) && transform.children.length <= 1) ||
  (isTransform(transform, namespaces.inclusiveC14n) && transform.children.length === 0)
const isDs = (element: Element, name: string): boolean => isNamed(element, namespaces.signature, name)
const isTransform = (element: Element, algorithm: string): boolean =>
  isDs(element, 'Transform') && attributeOf(element, 'Algorithm') === algorithm
const isPrefixList = (element: Element): boolean =>
  isNamed(element, namespaces.exclusiveC14n, 'InclusiveNamespaces') &&
  element.children.length === 0 &&
  attributeOf(element, 'PrefixList') !== undefined &&
  prefixesOf(element).length <= longestPrefixList
/** xml-crypto as a signer writes its prefix list into every transform, in a namespace of its own making; there it means nothing. */
const isStrayPrefixList = (element: Element): boolean => element.name === 'InclusiveNamespaces' && element.children.length === 0
const refuse = (reason: UpstreamErrorReason): Result<never, UpstreamRefusal> => err({ reason })
