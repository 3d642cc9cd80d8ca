import { Secret } from '@drawbridge/core/secret'
import { expect, test } from 'vitest'
import { hashCredential, sameHash } from './hash.js'
import { randomOver, systemRandom } from './random.js'

test('a UUID has version 4 and variant 10 whatever the octets: RFC 9562 §5.4', () => {
  expect(randomOver((length) => Buffer.alloc(length, 0xff)).uuid()).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff')
  expect(randomOver((length) => Buffer.alloc(length)).uuid()).toBe('00000000-0000-4000-8000-000000000000')
})

test('a token is 256 bits in base64url', () => {
  expect(systemRandom().token()).toMatch(/^[A-Za-z0-9_-]{43}$/)
})

test('a credential hashes alike as text and as Secret, and differs from any other', () => {
  expect(sameHash(hashCredential('a'), hashCredential(new Secret('a')))).toBe(true)
  expect(sameHash(hashCredential('a'), hashCredential('b'))).toBe(false)
  expect(sameHash(hashCredential('a'), Buffer.alloc(5))).toBe(false)
})

test('no octet of the system is given out twice, however many are drawn and of whatever length', () => {
  const random = systemRandom()
  const drawn = Array.from({ length: 3000 }, (_, index) => random.bytes([12, 16, 32, 64, 65, 5000][index % 6] as number))
  const kept = drawn.map((bytes) => bytes.toString('hex')) // what was given out stays as it was when its block is wiped and filled again
  expect(new Set(kept.map((hex) => hex.slice(0, 24))).size).toBe(drawn.length)
  expect(drawn.map((bytes) => bytes.toString('hex'))).toEqual(kept)
  expect(drawn.every((bytes) => bytes.some((octet) => octet !== 0))).toBe(true)
})
