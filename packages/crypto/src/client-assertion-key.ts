/** A key by which we prove to one OpenID provider that we are its client. Made for this alone, and for this provider alone. */
import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Instant } from '@drawbridge/core/instant'
import type { Random } from './random.js'
import { certify } from './saml-key.js'
import { thumbprint } from './signing-keys.js'

/** RS256 is what every provider takes; Entra takes PS256, too; ES256 is the smallest. */
export const clientAssertionAlgorithms = ['RS256', 'PS256', 'ES256'] as const
export type ClientAssertionAlgorithm = (typeof clientAssertionAlgorithms)[number]

/** Some providers refuse longer ones, none a shorter one. */
const modulusBits = 2048

export type GeneratedClientKey = {
  readonly id: string
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** PEM, for a provider that wants one uploaded (Entra); RSA alone. */
  readonly certificate: string | undefined
  /** PKCS #8 DER: seal it, then forget it. */
  readonly privateKey: Buffer
}

const makePair = promisify(generateKeyPair)

/** The randomness of the key is OpenSSL's own. `name` is what an admin reads in the provider's list of certificates. */
export async function generateClientKey(
  random: Random,
  { algorithm, name, now }: { readonly algorithm: ClientAssertionAlgorithm; readonly name: string; readonly now: Instant },
): Promise<GeneratedClientKey> {
  const pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =
    algorithm === 'ES256' ? await makePair('ec', { namedCurve: 'P-256' }) : await makePair('rsa', { modulusLength: modulusBits })
  const jwk = pair.publicKey.export({ format: 'jwk' })
  const id = thumbprint(jwk)
  const privateKey = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const certificate = algorithm === 'ES256' ? undefined : await certify(privateKey, random, name, now)
  return { id, publicJwk: { ...jwk, kid: id, alg: algorithm, use: 'sig' }, certificate, privateKey }
}
