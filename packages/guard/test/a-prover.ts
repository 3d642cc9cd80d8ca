/** A client's key for the guard's tests, and the proofs that it makes, honest or not. */
import { createHash, randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export type AProver = {
  readonly thumbprint: string
  readonly jwk: JWK
  readonly privateJwk: JWK
  prove(of: ProofOf, over?: ProofOver): Promise<string>
}
export type ProofOf = { readonly token: string; readonly method: string; readonly url: string; readonly now: number }
export type ProofOver = {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly signedBy?: CryptoKey | Uint8Array
}

export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('base64url')

export async function aProver(algorithm = 'ES256', options: { readonly modulusLength?: number } = {}): Promise<AProver> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true, ...options })
  const jwk = await exportJWK(publicKey)
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    jwk,
    privateJwk: await exportJWK(privateKey),
    prove: ({ token, method, url, now }, over = {}) => {
      const claims = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000), ath: hashOfToken(token), ...over.claims }
      const header = { typ: 'dpop+jwt', alg: algorithm, jwk, ...over.header }
      return new SignJWT(claims).setProtectedHeader(header).sign(over.signedBy ?? privateKey)
    },
  }
}
