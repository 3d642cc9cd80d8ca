import { parseUserCode, type UserCode, userCodeAlphabet } from '@drawbridge/core/oauth/user-code'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { expect, test } from 'vitest'
import { systemRandom } from './random.js'
import { createSealer } from './seal.js'
import { drawUserCode, hashUserCode } from './user-code.js'

const acme = 'aaaaaaaa-0000-4000-8000-000000000001' as TenantId
const globex = 'bbbbbbbb-0000-4000-8000-000000000002' as TenantId
const code = 'BCDFGHJK' as UserCode
const key = (version: number) => ({ version, key: Buffer.alloc(32, version) })

test('a drawn code is one that can be typed', () => {
  for (let draw = 0; draw < 100; draw += 1) expect(parseUserCode(drawUserCode(systemRandom()))).toBeDefined()
})

test('every letter comes of as many octets as every other, and octets that are too many are drawn again', () => {
  const drawn: string[] = []
  let next = 0
  const everyOctet = { bytes: () => Buffer.from([next++ % 256]) }
  // 240 of 256 octets count, which are 30 codes.
  for (let draw = 0; draw < 30; draw += 1) drawn.push(...drawUserCode(everyOctet).split(''))
  expect(next).toBe(240)
  for (const letter of userCodeAlphabet) expect(drawn.filter((one) => one === letter)).toHaveLength(12)
  drawUserCode(everyOctet)
  expect(next).toBe(256 + 8)
})

test('what is kept of a code is of its tenant and of the key', () => {
  const [kept] = hashUserCode(createSealer([key(1)]), acme, code)
  expect(hashUserCode(createSealer([key(1)]), acme, code)[0]).toEqual(kept)
  expect(hashUserCode(createSealer([key(1)]), globex, code)[0]).not.toEqual(kept)
  expect(hashUserCode(createSealer([key(2)]), acme, code)[0]).not.toEqual(kept)
})

test('a code that was drawn before the key changed is found after it', () => {
  const [kept] = hashUserCode(createSealer([key(1)]), acme, code)
  const later = hashUserCode(createSealer([key(1), key(2)]), acme, code)
  expect(later).toHaveLength(2)
  expect(later[0]).not.toEqual(kept)
  expect(later[1]).toEqual(kept)
})
