/** Input that nobody honest sends: it is refused by name, and never becomes a fault of ours. */
import { instant } from '@drawbridge/core/instant'
import { describe, expect, it } from 'vitest'
import { limitKey } from './client-address.js'
import { createRateLimiter, rateLimits } from './rate-limit.js'
import { parseJsonBody } from './read-body.js'

describe('a JSON body', () => {
  it.each([
    ['half a surrogate pair', String.raw`{"a":"\ud800"}`],
    ['the other half', String.raw`{"a":["\uDC00 "]}`],
    ['half a pair in a name', String.raw`{"\uDBFF":1}`],
    ['an escaped NUL', String.raw`{"a":"\u0000"}`],
  ])('with %s is refused, because PostgreSQL cannot keep it', (_what, text) => {
    expect(parseJsonBody(Buffer.from(text))).toEqual({ ok: false, error: 'json_malformed' })
  })

  it('with a whole pair, escaped or not, is read', () => {
    expect(parseJsonBody(Buffer.from(String.raw`["\ud83d\ude00","😀"]`))).toEqual({ ok: true, value: ['😀', '😀'] })
  })
})

describe('a rate limit', () => {
  const limiter = createRateLimiter({ now: () => instant(0) })
  const spend = (address: string) => limiter.take('register', limitKey(address)).allowed

  it('counts an IPv6 network of one customer as one address', () => {
    for (let index = 0; index < rateLimits.register.burst; index += 1) expect(spend(`2001:db8:1:2::${index.toString(16)}`)).toBe(true)
    expect(spend('2001:0db8:0001:0002:ffff::1')).toBe(false)
    expect(spend('2001:db8:1:3::1')).toBe(true)
    expect(limitKey('2001:db8::1')).not.toBe(limitKey('2001:db8:0:1::1'))
    expect(limitKey('2001:db8::1:2:3:4:5')).toBe(limitKey('2001:db8:0:1::5'))
  })

  it('counts an IPv4 address as one, however it is written', () => {
    for (let index = 0; index < rateLimits.register.burst; index += 1) expect(spend('192.0.2.7')).toBe(true)
    expect(spend('::ffff:192.0.2.7')).toBe(false)
    expect(spend('192.0.2.8')).toBe(true)
    expect(spend('::ffff:192.0.2.9')).toBe(true)
  })
})
