/** The algorithms that may sign: an allow-list, so that nothing weaker, and no HMAC over a public key, has to be thought of. */
import type { KeyObject } from 'node:crypto'

export type Hash = 'sha256' | 'sha384' | 'sha512'
export type KeyKind = 'rsa' | 'ec'
export type SignatureMethod = { readonly keyKind: KeyKind; readonly hash: Hash }

/** A longer key, or one with a long exponent, would have each forged message cost what a hundred honest ones do. */
export const rsaKeyLimits = { leastBits: 2048, mostBits: 4096, exponentMostBits: 32 } as const
const curves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']

/** @spec RFC 9231 §2.3 RSA and ECDSA with SHA-256 and stronger */
const signatureMethods: ReadonlyMap<string, SignatureMethod> = new Map([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', { keyKind: 'rsa', hash: 'sha256' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', { keyKind: 'rsa', hash: 'sha384' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', { keyKind: 'rsa', hash: 'sha512' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', { keyKind: 'ec', hash: 'sha256' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384', { keyKind: 'ec', hash: 'sha384' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512', { keyKind: 'ec', hash: 'sha512' }],
])
const digestMethods: ReadonlyMap<string, Hash> = new Map([
  ['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#sha384', 'sha384'],
  ['http://www.w3.org/2001/04/xmlenc#sha512', 'sha512'],
])

/** SHA-1 is told apart because an admin can mend it; everything else unknown is one answer. */
export type UnknownAlgorithm = 'sha1' | 'unknown'

export const signatureMethodOf = (uri: string): SignatureMethod | UnknownAlgorithm => signatureMethods.get(uri) ?? unknown(uri)
export const digestMethodOf = (uri: string): Hash | UnknownAlgorithm => digestMethods.get(uri) ?? unknown(uri)
const unknown = (uri: string): UnknownAlgorithm => (/sha1$/i.test(uri) && !/hmac/i.test(uri) ? 'sha1' : 'unknown')

const kinds = new WeakMap<KeyObject, KeyKind | 'unusable'>()

/** Asked once per key: reading the details of a key costs more than looking them up. */
export function kindOf(key: KeyObject): KeyKind | 'unusable' {
  const known = kinds.get(key)
  if (known !== undefined) return known
  const kind = judgeKey(key)
  kinds.set(key, kind)
  return kind
}

function judgeKey(key: KeyObject): KeyKind | 'unusable' {
  if (key.type !== 'public') return 'unusable'
  if (key.asymmetricKeyType === 'rsa') return isRsaWithinLimits(key) ? 'rsa' : 'unusable'
  return key.asymmetricKeyType === 'ec' && curves.includes(key.asymmetricKeyDetails?.namedCurve ?? '') ? 'ec' : 'unusable'
}

function isRsaWithinLimits({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = details ?? {}
  const { leastBits, mostBits, exponentMostBits } = rsaKeyLimits
  const isExponent = publicExponent > 1n && publicExponent % 2n === 1n && publicExponent >> BigInt(exponentMostBits) === 0n
  return modulusLength >= leastBits && modulusLength <= mostBits && isExponent
}
