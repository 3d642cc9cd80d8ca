/**
 * Codes of authenticator apps.
 *
 * A code is worth one time step, and a step is worth one use: whoever verifies one keeps the step, and accepts none that is not later.
 *
 * @spec RFC 6238 §5.2
 */
import type { Instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import { Secret as OtpSecret, TOTP } from 'otpauth'
import type { Random } from './random.js'

/** RFC 4226 §4 R6 recommends 160 bits. */
const secretBytes = 20
const periodSeconds = 30
/** Steps before and after ours: a clock may differ by half a minute, and a person needs time to type. RFC 6238 §5.2 allows no more. */
const window = 1
const sixDigits = /^\d{6}$/

/** In base 32, as apps take it. */
export const newTotpSecret = (random: Random): Secret => new Secret(new OtpSecret({ buffer: bufferOf(random.bytes(secretBytes)) }).base32)

const bufferOf = (octets: Buffer): ArrayBuffer => Uint8Array.from(octets).buffer

const totpOf = (secret: Secret, names?: { readonly issuer: string; readonly label: string }): TOTP =>
  new TOTP({ ...names, secret: OtpSecret.fromBase32(secret.reveal()), algorithm: 'SHA1', digits: 6, period: periodSeconds })

/** What an app reads from a link. `label` and `issuer` are shown in it. */
export const totpUri = (secret: Secret, names: { readonly issuer: string; readonly label: string }): Secret =>
  new Secret(totpOf(secret, names).toString())

/** The step whose code this is, of those that are near. `undefined`: of none. Spaces, as apps show them, do not count. */
export function totpStepOf(secret: Secret, code: string, now: Instant): number | undefined {
  const token = code.replaceAll(/\s/g, '')
  if (!sixDigits.test(token)) return undefined
  const delta = totpOf(secret).validate({ token, timestamp: now, window })
  return delta === null ? undefined : Math.floor(now / 1000 / periodSeconds) + delta
}
