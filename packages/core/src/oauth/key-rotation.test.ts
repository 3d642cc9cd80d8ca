/** When a key takes over by itself: never before verifiers can know it, whatever is set and whatever the clock says. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { policyLimits } from '../policy/error.js'
import { longestAccessTokenSeconds } from '../revocation/revocation-plan.js'
import { idTokenTtlSeconds } from './access-token.js'
import { activationOf, type KeyRules, keyOverlapSeconds, nextKeyStep, retiredKeySeconds, type SigningPair } from './key-rotation.js'
import { tokenAlgorithms } from './token-algorithm.js'

const day = 86_400
const start = instant(1_800_000_000_000)
const after = (days: number) => addSeconds(start, days * day)
const pair = (next: Partial<NonNullable<SigningPair['next']>> = {}): SigningPair => ({
  active: { algorithm: 'ES256', activatedAt: start },
  next: { algorithm: 'ES256', createdAt: start, activatesAt: after(90), ...next },
})
const rules = (over: Partial<KeyRules> = {}): KeyRules => ({ algorithm: 'ES256', ageSeconds: 90 * day, ...over })
const off = { ageSeconds: undefined }

test.each([
  { when: 'all is as it was planned', at: 1, step: undefined },
  { when: 'its time has not quite come', at: 89.999, step: undefined },
  { when: 'the active key is of age', at: 90, step: { kind: 'activate' } },
  { when: 'a worker comes late', at: 200, step: { kind: 'activate' } },
  { when: 'there is no next key', at: 200, pair: { ...pair(), next: undefined }, step: { kind: 'publish' } },
  { when: 'age rotates nothing', at: 200, rules: off, pair: pair({ activatesAt: undefined }), step: undefined },
  { when: 'age rotates nothing any more', at: 200, rules: off, step: { kind: 'plan', activatesAt: undefined } },
  { when: 'nothing was planned yet', at: 1, pair: pair({ activatesAt: undefined }), step: { kind: 'plan', activatesAt: after(90) } },
  {
    when: 'the installation has chosen a shorter age',
    at: 1,
    rules: { ageSeconds: 30 * day },
    step: { kind: 'plan', activatesAt: after(30) },
  },
  {
    when: 'the next key was published late: the overlap comes first',
    at: 90,
    pair: pair({ createdAt: after(89.5) }),
    step: { kind: 'plan', activatesAt: after(90.5) },
  },
  { when: 'an age shorter than the overlap is set', at: 0.5, rules: { ageSeconds: 60 }, step: { kind: 'plan', activatesAt: after(1) } },
  { when: 'another algorithm was chosen', at: 3, rules: { algorithm: 'EdDSA' as const }, step: { kind: 'publish' } },
  {
    when: 'its key waits for the overlap, whether age rotates or not',
    at: 10,
    rules: { algorithm: 'EdDSA' as const, ...off },
    pair: pair({ algorithm: 'EdDSA', createdAt: after(9.5), activatesAt: after(10.5) }),
    step: undefined,
  },
  {
    when: 'its key is known',
    at: 10.5,
    rules: { algorithm: 'EdDSA' as const, ...off },
    pair: pair({ algorithm: 'EdDSA', createdAt: after(9.5), activatesAt: after(10.5) }),
    step: { kind: 'activate' },
  },
  { when: 'the choice was taken back', at: 10, pair: pair({ algorithm: 'EdDSA' }), step: { kind: 'publish' } },
] as const)('$when', ({ at, step, ...given }) => {
  const over = 'rules' in given ? given.rules : {}
  expect(nextKeyStep('pair' in given ? given.pair : pair(), rules(over), after(at))).toEqual(step)
})

const algorithm = fc.constantFrom(...tokenAlgorithms)
const moment = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => instant(seconds * 1000))
const pairs = fc.record({
  active: fc.record({ algorithm, activatedAt: moment }),
  next: fc.option(fc.record({ algorithm, createdAt: moment, activatesAt: fc.option(moment, { nil: undefined }) }), { nil: undefined }),
})
const allRules = fc.record({ algorithm, ageSeconds: fc.option(fc.integer({ min: 1, max: 400 * day }), { nil: undefined }) })

describe('whatever there is', () => {
  it('no key signs before it was published for the overlap, nor one of an algorithm that is not chosen', () => {
    fc.assert(
      fc.property(pairs, allRules, moment, (given, chosen, now) => {
        if (nextKeyStep(given, chosen, now)?.kind !== 'activate') return
        expect(now - (given.next?.createdAt ?? now)).toBeGreaterThanOrEqual(keyOverlapSeconds * 1000)
        expect(given.next?.algorithm).toBe(chosen.algorithm)
      }),
    )
  })

  it('what was planned is not planned again', () => {
    fc.assert(
      fc.property(pairs, allRules, moment, (given, chosen, now) => {
        const step = nextKeyStep(given, chosen, now)
        if (step?.kind !== 'plan' || given.next === undefined) return
        const planned = { ...given, next: { ...given.next, activatesAt: step.activatesAt } }
        expect([activationOf(planned, chosen), nextKeyStep(planned, chosen, now)]).toEqual([step.activatesAt, undefined])
      }),
    )
  })
})

it('a retired key is published for longer than any token lives, and than any session that an ID token may sign out of', () => {
  expect(retiredKeySeconds).toBeGreaterThan(longestAccessTokenSeconds)
  expect(retiredKeySeconds).toBeGreaterThan(policyLimits.sessionSeconds + idTokenTtlSeconds)
})
