/**
 * Which keys of an issuer's set are used at all: those that name their one algorithm, from a fixed list, and are of the kind that it takes.
 *
 * A key without `alg` would be verified by whatever algorithm a token names. Drawbridge names it for each of its keys.
 *
 * @spec RFC 8725 §3.1 algorithm verification, §3.2 appropriate algorithms
 */

/** Asymmetric ones alone: nobody who can verify can also sign. Which one a token has is the word of the key that signed it. */
export const signatureAlgorithms = ['ES256', 'EdDSA', 'RS256', 'PS256']
/**
 * A longer key, or one with a long exponent, would have each forged token that names it cost what a hundred honest ones do.
 *
 * @spec RFC 7518 §3.3, §3.5 the least
 */
export const rsaKeyLimits = { leastBits: 2048, mostBits: 4096, exponentMostBits: 32 } as const

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
const octetsOf = (text: unknown): Buffer => (typeof text === 'string' ? Buffer.from(text, 'base64url') : Buffer.of())
/** Of the number; leading zeros count for nothing. */
const bitsOf = (octets: Buffer): number => {
  const first = octets.findIndex((octet) => octet !== 0)
  return first < 0 ? 0 : (octets.length - first) * 8 - Math.clz32(octets[first] as number) + 24
}
const isRsa = ({ kty, n, e }: Readonly<Record<string, unknown>>): boolean => {
  const [modulusBits, exponent] = [bitsOf(octetsOf(n)), octetsOf(e)]
  const isOdd = (exponent.at(-1) ?? 0) % 2 === 1
  const isShort = bitsOf(exponent) > 1 && bitsOf(exponent) <= rsaKeyLimits.exponentMostBits
  return kty === 'RSA' && modulusBits >= rsaKeyLimits.leastBits && modulusBits <= rsaKeyLimits.mostBits && isShort && isOdd
}
const isEd25519 = ({ kty, crv }: Readonly<Record<string, unknown>>): boolean => kty === 'OKP' && crv === 'Ed25519'
const kindOf: Readonly<Record<string, (jwk: Readonly<Record<string, unknown>>) => boolean>> = {
  ES256: ({ kty, crv }) => kty === 'EC' && crv === 'P-256',
  EdDSA: isEd25519,
  Ed25519: isEd25519,
  RS256: isRsa,
  PS256: isRsa,
}

/** Whether a public key is of the kind and size that an algorithm takes. */
export const isOfAlgorithm = (jwk: Readonly<Record<string, unknown>>, algorithm: string): boolean =>
  Object.hasOwn(kindOf, algorithm) && kindOf[algorithm]?.(jwk) === true

/** Private and symmetric keys have no business there. */
function isUsable(jwk: unknown): boolean {
  if (!isRecord(jwk) || typeof jwk['kid'] !== 'string' || jwk['d'] !== undefined || jwk['k'] !== undefined) return false
  const { alg } = jwk
  return typeof alg === 'string' && signatureAlgorithms.includes(alg) && isOfAlgorithm(jwk, alg)
}

/** The set without what is not used; a document that is no set stays as it is, for whoever reads it to refuse. */
export const onlyUsableKeys = (document: unknown): unknown =>
  isRecord(document) && Array.isArray(document['keys']) ? { ...document, keys: document['keys'].filter(isUsable) } : document
