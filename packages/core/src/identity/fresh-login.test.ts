import { expect, test } from 'vitest'
import { addSeconds, type Instant, instant } from '../instant.js'
import { freshLoginSkewSeconds, judgeFreshness } from './fresh-login.js'

const barrier = instant(1_800_000_000_900)
const after = (seconds: number): Instant => addSeconds(barrier, seconds)

test.each([
  { when: 'nothing was ever taken away', at: undefined, authenticated: undefined, demanded: undefined, verdict: 'fresh' },
  { when: 'she signed in after the barrier', at: barrier, authenticated: after(1), demanded: undefined, verdict: 'fresh' },
  { when: 'she signed in before it', at: barrier, authenticated: after(-3600), demanded: undefined, verdict: 'fresh_login_required' },
  { when: 'it was in the same second', at: barrier, authenticated: after(0.05), demanded: undefined, verdict: 'fresh_login_required' },
  { when: 'the IdP does not say when', at: barrier, authenticated: undefined, demanded: undefined, verdict: 'fresh_login_required' },
  { when: 'the IdP does not say when, asked again', at: barrier, authenticated: undefined, demanded: after(9), verdict: 'login_not_fresh' },
  { when: 'the demand was ignored', at: barrier, authenticated: after(-3600), demanded: after(9), verdict: 'login_not_fresh' },
  { when: 'the demand was met by a slow clock', at: barrier, authenticated: after(9 - 180), demanded: after(9), verdict: 'fresh' },
  { when: 'the clock is slower than that', at: barrier, authenticated: after(9 - 181), demanded: after(9), verdict: 'login_not_fresh' },
  {
    when: 'the demand is older than the barrier',
    at: barrier,
    authenticated: after(-5),
    demanded: after(-9),
    verdict: 'fresh_login_required',
  },
  { when: 'the demand was in that second', at: barrier, authenticated: after(-5), demanded: after(0.05), verdict: 'fresh_login_required' },
])('a login is $verdict when $when', ({ at, authenticated, demanded, verdict }) => {
  expect(freshLoginSkewSeconds).toBe(180)
  expect(judgeFreshness(at, { authenticatedAt: authenticated, freshDemandedAt: demanded })).toBe(verdict)
  // Whatever the times say.
  const instants = { authenticatedAt: authenticated, freshDemandedAt: demanded, beganBeforeBarrier: true }
  expect(judgeFreshness(at, instants)).toBe('fresh_login_required')
})
