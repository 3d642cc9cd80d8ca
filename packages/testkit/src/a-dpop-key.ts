/** A client's key and the proofs that it makes of it, honest or not. Written with another library than the product verifies by. */
import { randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export type ProofOver = {
  readonly header?: Readonly<Record<string, unknown>>
  /** A claim that is `undefined` is left out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Signs in its place; the header keeps the honest key. */
  readonly signedBy?: CryptoKey | Uint8Array
}

export type ADpopKey = {
  readonly thumbprint: string
  readonly publicJwk: JWK
  readonly privateJwk: JWK
  readonly privateKey: CryptoKey
  /** A new proof for this request, made at this moment of the client's clock. */
  prove(of: { readonly method?: string; readonly url: string; readonly now: number }, over?: ProofOver): Promise<string>
}

export async function aDpopKey(algorithm = 'ES256', options: { readonly modulusLength?: number } = {}): Promise<ADpopKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true, ...options })
  const publicJwk = await exportJWK(publicKey)
  return {
    thumbprint: await calculateJwkThumbprint(publicJwk),
    publicJwk,
    privateJwk: await exportJWK(privateKey),
    privateKey,
    prove: ({ method = 'POST', url, now }, over = {}) => {
      const claims = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000), ...over.claims }
      const header = { typ: 'dpop+jwt', alg: algorithm, jwk: publicJwk, ...over.header }
      return new SignJWT(claims).setProtectedHeader(header).sign(over.signedBy ?? privateKey)
    },
  }
}

/** Signed by nobody: what `alg: none`, or an honest library's refusal to sign so, would leave. */
export const unsignedProof = (header: object, claims: object, signature = ''): string =>
  `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.${signature}`
