/** The signature and digest algorithms that we accept, an allow-list, and what is verified by them. */
import { createHash, createVerify, type KeyObject } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'
import { certificateOf } from '../certificate.js'

type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512'
type Method = { readonly keyType: 'rsa' | 'ec'; readonly hash: Hash }

/** @spec RFC 9231 §2.3 RSA and ECDSA with SHA-256 and stronger */
const signatureMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', { keyType: 'rsa', hash: 'sha256' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha384', { keyType: 'rsa', hash: 'sha384' }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', { keyType: 'rsa', hash: 'sha512' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', { keyType: 'ec', hash: 'sha256' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384', { keyType: 'ec', hash: 'sha384' }],
  ['http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512', { keyType: 'ec', hash: 'sha512' }],
])
const digestMethods: ReadonlyMap<string, Hash> = new Map<string, Hash>([
  ['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#sha384', 'sha384'],
  ['http://www.w3.org/2001/04/xmlenc#sha512', 'sha512'],
])

/** `sha1-too` only while an admin's exception for the connection lasts; RSA alone, because no IdP ever used another key with it. */
export type AllowedAlgorithms = 'sha2' | 'sha1-too'
const signatureMethodsWithSha1: typeof signatureMethods = new Map<string, Method>([
  ...signatureMethods,
  ['http://www.w3.org/2000/09/xmldsig#rsa-sha1', { keyType: 'rsa', hash: 'sha1' }],
])
const digestMethodsWithSha1: typeof digestMethods = new Map<string, Hash>([
  ...digestMethods,
  ['http://www.w3.org/2000/09/xmldsig#sha1', 'sha1'],
])
const signatureMethodsOf = (allowed: AllowedAlgorithms) => (allowed === 'sha1-too' ? signatureMethodsWithSha1 : signatureMethods)
const digestMethodsOf = (allowed: AllowedAlgorithms) => (allowed === 'sha1-too' ? digestMethodsWithSha1 : digestMethods)

export type AlgorithmVerdict = 'accepted' | 'sha1' | 'refused'
const judge = (known: boolean, uri: string): AlgorithmVerdict =>
  known ? 'accepted' : /sha1$/i.test(uri) && !/hmac/i.test(uri) ? 'sha1' : 'refused'
export const judgeSignatureMethod = (uri: string, allowed: AllowedAlgorithms): AlgorithmVerdict =>
  judge(signatureMethodsOf(allowed).has(uri), uri)
export const judgeDigestMethod = (uri: string, allowed: AllowedAlgorithms): AlgorithmVerdict =>
  judge(digestMethodsOf(allowed).has(uri), uri)

/** Whether `text` has the digest that a signature names. */
export function hasDigest(
  text: string,
  { digestMethod, digest }: { readonly digestMethod: string; readonly digest: string },
  allowed: AllowedAlgorithms,
): boolean {
  const hash = digestMethodsOf(allowed).get(digestMethod)
  return hash !== undefined && createHash(hash).update(text, 'utf8').digest().equals(Buffer.from(digest, 'base64'))
}

/**
 * Whether one of the connection's keys signed this text, so that a rollover (old and new listed together) costs one pass over the message.
 * A key is tried only for the algorithm family that it belongs to; no key can be used as an HMAC secret.
 */
export function isSignedBy(
  uri: string,
  { keys, allowed }: { readonly keys: readonly KeyObject[]; readonly allowed: AllowedAlgorithms },
  { text, value }: { readonly text: string; readonly value: string },
): boolean {
  const method = signatureMethodsOf(allowed).get(uri)
  if (method === undefined) return false
  return keys.some((key) => key.asymmetricKeyType === method.keyType && verifies(method.hash, key, text, value))
}

/** XML Signature writes ECDSA values as r and s side by side (RFC 9231 §2.3.6), not in DER. */
function verifies(hash: Hash, key: KeyObject, material: string, value: string): boolean {
  try {
    return createVerify(hash).update(material, 'utf8').verify({ key, dsaEncoding: 'ieee-p1363' }, value, 'base64')
  } catch {
    return false
  }
}

/**
 * Whether one of the keys signed these octets of a query. ECDSA values come in both spellings: as XML Signature writes them, which the
 * binding asks for, and in DER, which libraries on Java write.
 *
 * @spec SAML Bindings §3.4.4.1
 */
export function verifyOctets(
  uri: string,
  allowed: AllowedAlgorithms,
  keys: readonly KeyObject[],
  { octets, signature }: { readonly octets: Buffer; readonly signature: Buffer },
): boolean {
  const method = signatureMethodsOf(allowed).get(uri)
  if (method === undefined) return false
  const encodings = method.keyType === 'ec' ? (['ieee-p1363', 'der'] as const) : (['ieee-p1363'] as const)
  const fitting = keys.filter((key) => key.asymmetricKeyType === method.keyType)
  return fitting.some((key) => encodings.some((dsaEncoding) => holds(method.hash, octets, { key, dsaEncoding }, signature)))
}

function holds(hash: Hash, octets: Buffer, key: Parameters<ReturnType<typeof createVerify>['verify']>[0], signature: Buffer): boolean {
  try {
    return createVerify(hash).update(octets).verify(key, signature)
  } catch {
    return false
  }
}

/** For as long as an admin's exception for SHA-1 lasts. */
export const allowedAlgorithms = (sha1Until: Instant | undefined, now: Instant): AllowedAlgorithms =>
  sha1Until !== undefined && now < sha1Until ? 'sha1-too' : 'sha2'

const parsedKeys = new WeakMap<readonly string[], readonly KeyObject[]>()

/** The public keys of a connection's certificates, parsed once per configuration. */
export function keysOf(certificates: readonly string[]): readonly KeyObject[] {
  const known = parsedKeys.get(certificates)
  if (known !== undefined) return known
  const keys = certificates.map((pem) => certificateOf(pem).publicKey)
  parsedKeys.set(certificates, keys)
  return keys
}
