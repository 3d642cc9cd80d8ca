import { randomBytes } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { expect, it, test } from 'vitest'
import { dpopNonceAt, dpopNonceEpochSeconds, isDpopNonce } from './dpop-nonce.js'
import { createSealer } from './seal.js'

const old = { version: 1, key: randomBytes(32) }
const young = { version: 2, key: randomBytes(32) }
const sealer = createSealer([old])
const acme = { tenant: 'acme' as TenantId, issuer: 'one' as IssuerId }
const begin = instant(6_000_000 * dpopNonceEpochSeconds * 100)
const nonce = dpopNonceAt(sealer, acme, begin)

test.each([
  { after: 0, good: true },
  { after: 2 * dpopNonceEpochSeconds - 1, good: true },
  { after: 2 * dpopNonceEpochSeconds, good: false },
  { after: -1, good: false },
])('a nonce is good=$good $after seconds after the beginning of its epoch', ({ after, good }) => {
  expect(isDpopNonce(sealer, acme, nonce, addSeconds(begin, after))).toBe(good)
})

it('is of one issuer of one tenant', () => {
  expect(isDpopNonce(sealer, { ...acme, tenant: 'globex' as TenantId }, nonce, begin)).toBe(false)
  expect(isDpopNonce(sealer, { ...acme, issuer: 'two' as IssuerId }, nonce, begin)).toBe(false)
})

it('stays good while the master key changes, and is of no other installation', () => {
  const both = createSealer([old, young])
  expect(isDpopNonce(both, acme, nonce, begin)).toBe(true)
  expect(isDpopNonce(createSealer([old, young], undefined, 1), acme, dpopNonceAt(both, acme, begin), begin)).toBe(true)
  expect(isDpopNonce(createSealer([{ version: 1, key: randomBytes(32) }]), acme, nonce, begin)).toBe(false)
})

test.each(['', 'x', `${nonce}A`, nonce.slice(0, -1), `2${nonce.slice(1)}`, `1.${'A'.repeat(43)}`, ` ${nonce}`])('%j is none', (text) => {
  expect(isDpopNonce(sealer, acme, text, begin)).toBe(false)
})
