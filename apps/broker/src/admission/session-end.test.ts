/** Our own end of a session is never told as the IdP's. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import { policyLimits } from '@drawbridge/core/policy/error'
import { describe, expect, it } from 'vitest'
import { idpEndOf, sessionEndOf } from './session-end.js'

const now = instant(Date.UTC(2026, 10, 23, 10))
const hours = (count: number) => addSeconds(now, count * 3_600)

describe('a session ends', () => {
  it.each([
    ['by our limit, where the IdP says nothing', undefined, policyLimits.sessionSeconds, undefined],
    ['by our limit, where the IdP says later', hours(24), policyLimits.sessionSeconds, undefined],
    ['with that of the IdP, where it is earlier', hours(2), 7_200, hours(2)],
    ['at once, where that of the IdP has ended', hours(-1), -3_600, hours(-1)],
  ])('%s', (_, sessionExpiresAt, seconds, idpEnd) => {
    const expiresAt = sessionEndOf({ sessionExpiresAt }, now)
    expect(expiresAt).toBe(addSeconds(now, seconds))
    expect(idpEndOf({ createdAt: now, expiresAt })).toBe(idpEnd)
  })
})
