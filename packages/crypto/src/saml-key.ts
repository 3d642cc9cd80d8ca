/**
 * A key with which we stand before corporate IdPs: it signs our requests and opens what they encrypt to us.
 *
 * RSA, because that is what every IdP accepts, and with a certificate around it, because metadata has no other way to carry a key. Nobody
 * is to trust that certificate's issuer or dates: an IdP believes the key that it was told. The certificate outlives every sensible
 * rotation, so that no IdP stops a login because of a date.
 */
import { generateKeyPair, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import type { Instant } from '@drawbridge/core/instant'
import type { Random } from './random.js'
import { describeKey, type GeneratedKey } from './signing-keys.js'

export const samlKeyLimits = {
  /** As the IdPs themselves have. 3072 would make every encrypted login cost 2 ms more of our CPU; a rotation raises it for all when it must be. */
  modulusBits: 2048,
  certificateYears: 10,
  /** A clock that is behind ours must not find a certificate of tomorrow. */
  certificateBackdatedDays: 1,
  /** X.520: a common name is no longer, and strict importers count. */
  commonNameLength: 64,
} as const

/** `certificate` is PEM. */
export type GeneratedSamlKey = GeneratedKey<'saml'> & { readonly certificate: string }

/** `name` is what an admin reads in the IdP's list of certificates. The randomness of an RSA key is OpenSSL's own. */
export async function generateSamlKey(random: Random, name: string, now: Instant): Promise<GeneratedSamlKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: samlKeyLimits.modulusBits })
  const key = describeKey(privateKey, 'saml', 'RS256')
  return { ...key, certificate: await certify(key.privateKey, random, name, now) }
}

const dayMs = 86_400_000
const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** The library is loaded here and not with the file: a broker that never makes a key never holds it. */
export async function certify(pkcs8: Buffer, random: Random, name: string, now: Instant): Promise<string> {
  await import('reflect-metadata') // demanded by a dependency of @peculiar/x509, before it
  const x509 = await import('@peculiar/x509')
  const { subtle } = globalThis.crypto
  const privateKey = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const { n, e } = await subtle.exportKey('jwk', privateKey)
  const publicKey = await subtle.importKey('jwk', { kty: 'RSA', n, e } as webcrypto.JsonWebKey, algorithm, true, ['verify'])
  const notAfter = new Date(now)
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + samlKeyLimits.certificateYears)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Positive and of one length, whatever the first bits are (RFC 5280 §4.1.2.2).
    serialNumber: `1${random.bytes(16).toString('hex').slice(1)}`,
    name: [{ CN: [name.slice(0, samlKeyLimits.commonNameLength)] }],
    notBefore: new Date(now - samlKeyLimits.certificateBackdatedDays * dayMs),
    notAfter,
    signingAlgorithm: algorithm,
    keys: { privateKey, publicKey },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
    ],
  })
  return certificate.toString('pem')
}
