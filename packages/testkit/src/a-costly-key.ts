/**
 * RSA keys of any size and exponent that really sign, made in an instant: those that nobody should verify by.
 *
 * OpenSSL makes no long exponent, and takes seconds for a long modulus. The product of many small primes is as long, and signs as well; it
 * is worth nothing against who factors, which nobody here does.
 */
import { createHash, generatePrimeSync } from 'node:crypto'

const primeBits = 128

export type CostlyKey = {
  readonly jwk: Readonly<Record<string, unknown>>
  /** RS256. */
  readonly sign: (input: Buffer) => Buffer
}

/** `modulusBits`: at least so many, and less than two hundred more. `exponent`: odd. */
export function aCostlyKey({ modulusBits = 2048, exponent = 65_537n }: { modulusBits?: number; exponent?: bigint } = {}): CostlyKey {
  // Each prime has its two highest bits set, so it adds more than 127.5 bits.
  const primes = Array.from({ length: Math.ceil(modulusBits / (primeBits - 0.5)) }, () => primeFor(exponent))
  const modulus = primes.reduce((product, prime) => product * prime, 1n)
  const secret = inverse(
    exponent,
    primes.reduce((product, prime) => product * (prime - 1n), 1n),
  )
  return {
    jwk: { kty: 'RSA', n: octetsOf(modulus).toString('base64url'), e: octetsOf(exponent).toString('base64url') },
    sign: (input) => {
      const octets = octetsOf(modulus).length
      const signature = octetsOf(power(numberOf(encoded(input, octets)), secret, modulus))
      return Buffer.concat([Buffer.alloc(octets - signature.length), signature])
    },
  }
}

/** Nothing that the exponent divides: it would have no inverse. */
function primeFor(exponent: bigint): bigint {
  const prime = generatePrimeSync(primeBits, { bigint: true })
  return greatestDivisor(prime - 1n, exponent) === 1n ? prime : primeFor(exponent)
}

/** @spec RFC 8017 §9.2 EMSA-PKCS1-v1_5 */
function encoded(input: Buffer, octets: number): Buffer {
  const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')
  const told = Buffer.concat([Buffer.of(0), digestInfo, createHash('sha256').update(input).digest()])
  return Buffer.concat([Buffer.of(0, 1), Buffer.alloc(octets - told.length - 2, 0xff), told])
}

const numberOf = (octets: Buffer): bigint => BigInt(`0x${octets.toString('hex')}`)
function octetsOf(number: bigint): Buffer {
  const digits = number.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
}

const greatestDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestDivisor(b, a % b))

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n]
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let [result, square, rest] = [1n, base % modulus, exponent]
  for (; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}
