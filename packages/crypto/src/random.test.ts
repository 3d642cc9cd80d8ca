import { Secret } from '@drawbridge/core/secret'
import { expect, test } from '@jest/globals'
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
