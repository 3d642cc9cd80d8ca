import { expect, test } from 'vitest'
import { decide } from './decide.js'
import type { SensitivityTier } from './decision.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import { asksConsentAnew, defaultSessionLimits, defaultTierLimits, strictestTier } from './tier.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'
const minutes = 60
const hours = 3_600

test.each<[SensitivityTier, number, number | undefined, boolean]>([
  ['read', 30 * minutes, 8 * hours, false],
  ['write', 15 * minutes, 4 * hours, false],
  ['sensitive', 10 * minutes, 1 * hours, true],
  ['admin', 5 * minutes, undefined, true],
])('tier %s: an access token lives %i s, a refresh token %p s; consent is asked for anew: %p', (tier, access, refresh, isAskedAnew) => {
  expect(defaultTierLimits[tier]).toEqual({ accessTokenSeconds: access, refreshTokenSeconds: refresh })
  expect(asksConsentAnew(tier)).toBe(isAskedAnew)
})

test('a session lasts half a day, and eight hours without use', () => {
  expect(defaultSessionLimits).toMatchObject({ absoluteSeconds: 12 * hours, idleSeconds: 8 * hours })
})

test.each<[readonly SensitivityTier[], SensitivityTier]>([
  [[], 'read'],
  [['write'], 'write'],
  [['read', 'sensitive', 'write'], 'sensitive'],
  [['admin', 'read'], 'admin'],
  [['write', 'admin', 'sensitive'], 'admin'],
])('of %j the strictest is %s, in whatever order', (tiers, strictest) => {
  expect([strictestTier(tiers), strictestTier(tiers.toReversed())]).toEqual([strictest, strictest])
})

test('a decision is of the strictest tier of what it grants', () => {
  const decisionOf = (...request: string[]) => decide(aPolicy(everything), aSituation({ request }))
  expect(decisionOf('orders:write', 'orders:refund', 'orders:read')).toMatchObject({ tier: 'sensitive', asksConsentAnew: true })
  expect(decisionOf('orders:read')).toMatchObject({ tier: 'read', asksConsentAnew: false })
})

test.each([
  ['several factors', 'orders:read', 'mfa: [{ tiers: [read] }]'],
  ['a sign-in for what is privileged', 'orders:admin', ''],
])('%s must have been shown within the last five minutes, where nothing else is said', (_, scope, demand) => {
  const kindAfter = (authenticatedSecondsAgo: number) =>
    decide(aPolicy(`${everything}\n${demand}`), aSituation({ request: [scope], amr: ['mfa'], authenticatedSecondsAgo })).kind
  expect([kindAfter(300), kindAfter(301)]).toEqual(['allow', 'stepUp'])
})
