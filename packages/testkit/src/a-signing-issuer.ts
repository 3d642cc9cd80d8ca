/** The keys of an OpenID provider, behind the port of the safe fetch, and whatever it would sign with them: any kind of message, true or not. */
import { generateKeyPairSync } from 'node:crypto'
import { ok } from '@drawbridge/core/result'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'

export type ASigningIssuer = {
  readonly issuer: string
  readonly fetchSafely: FetchSafely
  sign(header: Readonly<Record<string, string>>, claims: Readonly<Record<string, unknown>>): string
}

export function aSigningIssuer(issuer: string): ASigningIssuer {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'idp', alg: 'ES256', use: 'sig' }
  const discovery = {
    issuer,
    ...{ authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` },
  }
  return {
    issuer,
    fetchSafely: async (url) => {
      const body = url.endsWith('/jwks') ? { keys: [jwk] } : discovery
      return ok({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(body)) })
    },
    sign: (header, claims) => signForeignJwt({ algorithm: 'ES256', privateKey: pair.privateKey }, { kid: 'idp', ...header }, claims),
  }
}
