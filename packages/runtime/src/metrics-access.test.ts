import { Secret } from '@drawbridge/core/secret'
import { expect, test } from 'vitest'
import { mayReadMetrics } from './metrics-access.js'

const token = 'a token of 32 characters or more'
const open = { metricsToken: undefined, trustedProxyHops: 0 }
const guarded = { metricsToken: new Secret(token), trustedProxyHops: 0 }
const from = (address: string, authorization?: string) => ({ address, authorization })

test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])('without a token %s may read', (address) => {
  expect(mayReadMetrics(open, from(address))).toBe(true)
})
test.each(['10.0.0.7', '192.0.2.1', '::ffff:10.0.0.7', '2001:db8::1', '', 'localhost'])('without a token "%s" may not', (address) => {
  expect(mayReadMetrics(open, from(address))).toBe(false)
  expect(mayReadMetrics(open, from(address, `Bearer ${token}`))).toBe(false)
})
test('behind a proxy loopback proves nothing', () => {
  expect(mayReadMetrics({ ...open, trustedProxyHops: 1 }, from('127.0.0.1'))).toBe(false)
})
test('with a token whoever carries it may read, from anywhere', () => {
  expect(mayReadMetrics(guarded, from('10.0.0.7', `Bearer ${token}`))).toBe(true)
  expect(mayReadMetrics({ ...guarded, trustedProxyHops: 1 }, from('127.0.0.1', `bearer ${token}`))).toBe(true)
})
test.each([undefined, '', token, 'Bearer ', `Bearer ${token}x`, 'Bearer another', `Basic ${token}`])(
  'with a token "%s" may not, from loopback neither',
  (authorization) => {
    expect(mayReadMetrics(guarded, from('127.0.0.1', authorization))).toBe(false)
  },
)
