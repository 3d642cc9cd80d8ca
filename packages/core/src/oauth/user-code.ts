/**
 * The code that a person reads off a device and types elsewhere.
 *
 * Consonants only, so that it spells no word and holds nothing that looks like a digit. Eight of twenty are 34.5 bits: too few to be a secret by
 * itself, so it lives a quarter of an hour, and whoever guesses is stopped long before (`userCodeGuesses`).
 *
 * @spec RFC 8628 §6.1 alphabet, case and punctuation
 */
import type { Brand } from '../brand.js'

/** As it is compared: upper case, nothing between the letters. */
export type UserCode = Brand<string, 'UserCode'>

export const userCodeAlphabet = 'BCDFGHJKLMNPQRSTVWXZ'
export const userCodeLength = 8

/**
 * Codes that are none, after which nobody is listened to for `lockSeconds`: from one address, and from anywhere at one tenant. With a thousand open
 * codes, those of a tenant find one of them once in 250 000 such times.
 *
 * @spec RFC 8628 §5.1 brute force
 */
export const userCodeGuesses = {
  mostWrongOfAddress: 10,
  mostWrongOfTenant: 100,
  /** Of all at the front issuer, where the people of every company type: from a few addresses nobody shall lock them all out. */
  mostWrongAtFront: 1000,
  lockSeconds: 600,
} as const

/** Longer is not even looked at. */
const longestTyped = 64

const shape = new RegExp(`^[${userCodeAlphabet}]{${userCodeLength}}$`)

/** What somebody typed, with whatever stands between the letters. `undefined`: it cannot be a code. */
export function parseUserCode(typed: string | undefined): UserCode | undefined {
  if (typed === undefined || typed.length > longestTyped) return undefined
  const letters = typed.toUpperCase().replace(/[\s\p{Pd}_.]/gu, '')
  return shape.test(letters) ? (letters as UserCode) : undefined
}

/** As a device shows it. */
export const formatUserCode = (code: UserCode): string => `${code.slice(0, userCodeLength / 2)}-${code.slice(userCodeLength / 2)}`
