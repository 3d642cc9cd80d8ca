/** The algorithms by which an issuer signs: asymmetric ones alone. A key has one for ever; a tenant chooses which one its next key for tokens has. */

/** @spec RFC 7518 §3.1 ES256, RS256, PS256 · RFC 8037 §3.1 EdDSA, with Ed25519 */
export const tokenAlgorithms = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const
export type TokenAlgorithm = (typeof tokenAlgorithms)[number]

/** The smallest tokens, and the cheapest to sign of those that every library verifies. */
export const defaultTokenAlgorithm: TokenAlgorithm = 'ES256'

export const isTokenAlgorithm = (value: unknown): value is TokenAlgorithm => tokenAlgorithms.some((known) => known === value)
