/**
 * How large a stranger's public key may be.
 *
 * A verification takes as long as the key has us reckon: an RSA key of 16384 bits, or with an exponent as long as its modulus, holds the
 * process for as long as hundreds of honest ones, and anybody may send us a message that names it. Nobody honest has such a key.
 */
export const publicKeyLimits = {
  /** NIST SP 800-131A; RFC 7518 §3.3. */
  rsaLeastBits: 2048,
  rsaMostBits: 4096,
  /** 65537, which nearly everybody has, has 17. */
  exponentMostBits: 32,
} as const

/** Of a coordinate. RFC 7518 §6.2.1.2, RFC 8037 §2 */
const coordinateOctets: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
  ['Ed25519', 32],
])

export type Jwk = Readonly<Record<string, unknown>>

/**
 * Says whether a JWK is no larger, and if RSA no shorter, than keys may be. Of a kind or curve that we do not know nothing is said: no
 * message is ever verified by it.
 *
 * @spec RFC 7518 §6.2.1, §6.3.1; RFC 8037 §2
 */
export function isWithinKeyLimits(jwk: Jwk): boolean {
  if (jwk['kty'] === 'RSA') return isModulus(jwk['n']) && isExponent(jwk['e'])
  const most = jwk['kty'] === 'EC' || jwk['kty'] === 'OKP' ? coordinateOctets.get(jwk['crv']) : undefined
  if (most === undefined) return true
  const coordinates = jwk['kty'] === 'EC' ? [jwk['x'], jwk['y']] : [jwk['x']]
  return coordinates.every((coordinate) => {
    const { length } = octetsOf(coordinate)
    return length > 0 && length <= most
  })
}

/** Whether one of these keys is not. What is no set holds none. */
export const holdsKeyBeyondLimits = (jwks: { readonly keys: readonly Jwk[] } | undefined): boolean =>
  jwks?.keys.some((key) => !isWithinKeyLimits(key)) ?? false

function isModulus(text: unknown): boolean {
  const bits = bitsOf(octetsOf(text))
  return bits >= publicKeyLimits.rsaLeastBits && bits <= publicKeyLimits.rsaMostBits
}

/** An even exponent has no signatures, and by 1 everything is its own. */
function isExponent(text: unknown): boolean {
  const octets = octetsOf(text)
  const bits = bitsOf(octets)
  return bits > 1 && bits <= publicKeyLimits.exponentMostBits && (octets.at(-1) ?? 0) % 2 === 1
}

const octetsOf = (text: unknown): Buffer => (typeof text === 'string' ? Buffer.from(text, 'base64url') : Buffer.of())

/** Of the number; leading zeros count for nothing. */
function bitsOf(octets: Buffer): number {
  const first = octets.findIndex((octet) => octet !== 0)
  return first < 0 ? 0 : (octets.length - first) * 8 - Math.clz32(octets[first] ?? 0) + 24
}
