import { judgeFreshness } from '@drawbridge/core/identity/fresh-login'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import { describe, expect, test } from 'vitest'
import { later, logIn, now } from './fixtures/a-provider.js'

const accepting = { freshnessEvidence: 'issued_at_after_prompt', promptOnForce: 'select_account', maxAgeOnForce: null }
const forced = { forceAuthn: true }
/** She was thrown out a minute ago; the answer comes now, to a trip that began now. */
const barrierAt = later(-60)
const judged = async (login: Parameters<typeof logIn>[0], freshDemandedAt: Instant | undefined) => {
  const { verdict } = await logIn(login)
  if (!verdict.ok || verdict.value.kind !== 'oidc') return verdict.ok ? 'none' : verdict.error.reason
  return judgeFreshness(barrierAt, { authenticatedAt: verdict.value.authTime, freshDemandedAt })
}

describe('at a provider that never says auth_time', () => {
  test('nobody who was thrown out comes back, unless the connection accepts the time of issue', async () => {
    expect(await judged({ request: forced }, now)).toBe('login_not_fresh')
    expect(await judged({ request: forced, configuration: accepting }, now)).toBe('fresh')
  })
  test('the time of issue counts only in answer to a prompt of ours', async () => {
    expect(await judged({ configuration: accepting }, undefined)).toBe('fresh_login_required')
  })
  test('a token that was made before the prompt is not its answer', async () => {
    const claims = { iat: toSeconds(now) - 181, exp: toSeconds(now) + 300 }
    expect(await judged({ op: { claims }, request: forced, configuration: accepting }, now)).toBe('login_not_fresh')
  })
})

test('auth_time that is there goes before the time of issue, be it ever so old or odd', async () => {
  const login = (authTime: unknown) => ({ op: { claims: { auth_time: authTime } }, request: forced, configuration: accepting })
  expect(await judged(login(toSeconds(now) - 3600), now)).toBe('oidc_authn_not_fresh')
  expect(await judged(login('yesterday'), now)).toBe('login_not_fresh')
  expect(await judged(login(toSeconds(now)), now)).toBe('fresh')
})
