/** The signature algorithms that we speak with strangers, four of which are our own, too: asymmetric ones alone, so that nobody who can verify can also sign. */
import { constants, type KeyObject, type SignKeyObjectInput, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { publicKeyLimits } from '@drawbridge/core/oauth/json-web-key'

/** @spec RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2. `none` and HMAC are no members, and never will be. */
export const foreignAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type ForeignAlgorithm = (typeof foreignAlgorithms)[number]

export const isForeignAlgorithm = (value: unknown): value is ForeignAlgorithm => foreignAlgorithms.some((known) => known === value)

const curveOf: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

/** Whether a key is of the kind and size that an algorithm takes. RFC 7518 §3.3 to §3.5 */
export function fitsAlgorithm(key: KeyObject, algorithm: ForeignAlgorithm): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return type === 'ed25519'
  const curve = curveOf[algorithm]
  if (curve !== undefined) return type === 'ec' && details?.namedCurve === curve
  return type === 'rsa' && isRsaWithinLimits(key)
}

const exponentEnd = 1n << BigInt(publicKeyLimits.exponentMostBits)

/** Whether an RSA key, wherever it comes from, is neither so short that it can be broken nor so large that whoever sends us messages keeps us reckoning. */
export function isRsaWithinLimits({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = details ?? {}
  const { rsaLeastBits, rsaMostBits } = publicKeyLimits
  return (
    modulusLength >= rsaLeastBits &&
    modulusLength <= rsaMostBits &&
    publicExponent > 1n &&
    publicExponent < exponentEnd &&
    publicExponent % 2n === 1n
  )
}

const digestOf = (algorithm: ForeignAlgorithm): string | null =>
  algorithm === 'EdDSA' || algorithm === 'Ed25519' ? null : `sha${algorithm.slice(2)}`

function keyInput(key: KeyObject, algorithm: ForeignAlgorithm): SignKeyObjectInput {
  if (algorithm.startsWith('PS')) return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return algorithm.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' } : { key }
}

export const verifyWith = (algorithm: ForeignAlgorithm, publicKey: KeyObject, signed: Buffer, signature: Buffer): boolean =>
  fitsAlgorithm(publicKey, algorithm) && verify(digestOf(algorithm), signed, keyInput(publicKey, algorithm), signature)

export const signWith = (algorithm: ForeignAlgorithm, privateKey: KeyObject, toBeSigned: Buffer): Buffer =>
  sign(digestOf(algorithm), toBeSigned, keyInput(privateKey, algorithm))

const signInThread = promisify(sign)

/** As `signWith`, and nobody else waits for it: what takes longer than a turn of the event loop, which is RSA, is done by another thread. */
export const signAside = async (algorithm: ForeignAlgorithm, privateKey: KeyObject, toBeSigned: Buffer): Promise<Buffer> =>
  privateKey.asymmetricKeyType === 'rsa'
    ? signInThread(digestOf(algorithm), toBeSigned, keyInput(privateKey, algorithm))
    : signWith(algorithm, privateKey, toBeSigned)
