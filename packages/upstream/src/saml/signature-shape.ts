/** The one shape that a SAML signature may have; everything that XML Signature allows beyond it is refused before verification. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { attributeOf, type Element, isNamed, namespaces, textOf } from './element.js'
import { type AlgorithmVerdict, type AllowedAlgorithms, judgeDigestMethod, judgeSignatureMethod } from './signature-algorithms.js'

const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
const canonicalizations: readonly string[] = [namespaces.exclusiveC14n, namespaces.inclusiveC14n]
const ncName = /^[A-Za-z_][A-Za-z0-9._-]{0,255}$/
const base64Text = /^[A-Za-z0-9+/=\s]{1,8192}$/

/**
 * @spec SAML Core §5.4.2 one reference, to the ID of the parent
 * @spec SAML Core §5.4.4 enveloped-signature and a canonicalisation without comments only
 */
export function checkSignatureShape(signature: Element, parentId: string, allowed: AllowedAlgorithms): Result<undefined, UpstreamRefusal> {
  const [info, value, keyInfo, ...others] = signature.children
  if (info === undefined || value === undefined || others.length > 0) return refuse('saml_signature_shape_invalid')
  if (!isDs(info, 'SignedInfo') || !isDs(value, 'SignatureValue')) return refuse('saml_signature_shape_invalid')
  if (keyInfo !== undefined && !isDs(keyInfo, 'KeyInfo')) return refuse('saml_signature_shape_invalid')
  if (!base64Text.test(textOf(value) ?? '')) return refuse('saml_signature_shape_invalid')
  return checkSignedInfo(info, parentId, allowed)
}

function checkSignedInfo(info: Element, parentId: string, allowed: AllowedAlgorithms): Result<undefined, UpstreamRefusal> {
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
  const algorithm = checkAlgorithm(method, (uri) => judgeSignatureMethod(uri, allowed))
  if (!algorithm.ok) return algorithm
  if (reference === undefined || !isDs(reference, 'Reference') || more.length > 0) return refuse('saml_reference_invalid')
  if (!ncName.test(parentId) || attributeOf(reference, 'URI') !== `#${parentId}`) return refuse('saml_reference_invalid')
  return checkReference(reference, allowed)
}

function checkReference(reference: Element, allowed: AllowedAlgorithms): Result<undefined, UpstreamRefusal> {
  const [transforms, method, value, ...more] = reference.children
  if (transforms === undefined || method === undefined || value === undefined || more.length > 0) return refuse('saml_reference_invalid')
  if (!isDs(transforms, 'Transforms') || !isDs(method, 'DigestMethod') || !isDs(value, 'DigestValue'))
    return refuse('saml_reference_invalid')
  if (!base64Text.test(textOf(value) ?? '')) return refuse('saml_reference_invalid')
  const algorithm = checkAlgorithm(method, (uri) => judgeDigestMethod(uri, allowed))
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
  return twoKnown ? ok(undefined) : refuse('saml_transform_refused')
}

function checkAlgorithm(method: Element, judge: (uri: string) => AlgorithmVerdict): Result<undefined, UpstreamRefusal> {
  if (method.children.length > 0) return refuse('saml_algorithm_refused')
  const verdict = judge(attributeOf(method, 'Algorithm') ?? '')
  if (verdict === 'sha1') return refuse('saml_algorithm_sha1')
  return verdict === 'accepted' ? ok(undefined) : refuse('saml_algorithm_refused')
}

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
  attributeOf(element, 'PrefixList') !== undefined
/** xml-crypto as a signer writes its prefix list into every transform, in a namespace of its own making; there it means nothing. */
const isStrayPrefixList = (element: Element): boolean => element.name === 'InclusiveNamespaces' && element.children.length === 0
const refuse = (reason: UpstreamErrorReason): Result<never, UpstreamRefusal> => err({ reason })
