import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { defaultTierLimits } from '../policy/tier.js'
import { longestAccessTokenSeconds, planRevocation } from './revocation-plan.js'

const payload = { eventId: 'e', target: 'subject', targetId: 's', epoch: 4 } as const
const at = instant(1_800_000_000_000)

test('every issuer of the tenant gets a revocation of the same epoch', () => {
  const plan = planRevocation(payload, ['tenant', 'front'], at)
  expect(plan.revocations.map(({ issuer, epoch, targetId }) => ({ issuer, epoch, targetId }))).toEqual([
    { issuer: 'tenant', epoch: 4, targetId: 's' },
    { issuer: 'front', epoch: 4, targetId: 's' },
  ])
  expect(planRevocation(payload, ['tenant', 'front'], at)).toEqual(plan)
})

test('a revocation is kept longer than any access token can live', () => {
  expect(longestAccessTokenSeconds).toBe(defaultTierLimits.read.accessTokenSeconds)
  const [only] = planRevocation(payload, ['tenant'], at).revocations
  expect(only?.expiresAt).toBeGreaterThan(addSeconds(at, longestAccessTokenSeconds))
})
