/**
 * What must hold of every policy, every wall and everybody who asks.
 *
 * A demand or a ceiling of one scope binds all that are granted with it. So taking a scope away can end a step-up and lengthen what is
 * left of the others, and "never adds a scope" alone is not true of decisions. What is true, and held here: whatever is allowed
 * afterwards was to be had before, by asking for just that, and lived at least as long.
 */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addSeconds } from '../instant.js'
import { codeTtlSeconds } from '../oauth/grant.js'
import type { CompiledPolicy } from './compile.js'
import { decide } from './decide.js'
import type { PolicyDecision } from './decision.js'
import { explain } from './explain.js'
import * as arbitrary from './fixtures/any-policy.js'
import type { PolicyInput } from './input.js'

const { anySaid, anySituation, inputOf, leftByRules, named, policyOf, wallOf } = arbitrary

type Asked = readonly [CompiledPolicy, PolicyInput]

function expectNoLonger(after: PolicyDecision, before: PolicyDecision): void {
  if (after.kind !== 'allow' || before.kind !== 'allow') throw new Error(`${after.kind} after ${before.kind}`)
  expect(after.scopes).toEqual(before.scopes)
  expect(after.accessTokenTtl.seconds).toBeLessThanOrEqual(before.accessTokenTtl.seconds)
  expect(after.refreshTokenTtl?.seconds ?? 0).toBeLessThanOrEqual(before.refreshTokenTtl?.seconds ?? 0)
  expect(after.refreshEndsAt ?? 0).toBeLessThanOrEqual(before.refreshEndsAt ?? 0)
  expect(after.endsAt).toBeLessThanOrEqual(before.endsAt)
}

/** Whatever is allowed afterwards was to be had before, for at least as long. */
function expectNoMore([policyAfter, inputAfter]: Asked, [policyBefore, inputBefore]: Asked): void {
  const after = decide(policyAfter, inputAfter)
  const before = decide(policyBefore, inputBefore)
  for (const scope of leftByRules(after)) expect(leftByRules(before)).toContain(scope)
  if (after.kind !== 'allow') return
  expectNoLonger(after, decide(policyBefore, { ...inputBefore, request: { ...inputBefore.request, scopes: after.scopes } }))
}

describe('for every policy and everybody', () => {
  test('one deny more gives no more', () => {
    fc.assert(
      fc.property(anySaid, arbitrary.anyRule('deny'), anySituation, (said, deny, situation) => {
        const stricter = { ...said, rules: [...said.rules, deny] }
        expectNoMore([policyOf(named(stricter)), inputOf(situation)], [policyOf(named(said)), inputOf(situation)])
      }),
    )
  })

  test('one rule for clients more gives no more', () => {
    fc.assert(
      fc.property(anySaid, arbitrary.anyClientRule, anySituation, (said, rule, situation) => {
        const stricter = { ...said, clients: [...said.clients, rule] }
        expectNoMore([policyOf(named(stricter)), inputOf(situation)], [policyOf(named(said)), inputOf(situation)])
      }),
    )
  })

  test('one demand more gives no more, and takes no scope from what is allowed all the same', () => {
    fc.assert(
      fc.property(anySaid, arbitrary.anyDemand, anySituation, (said, demand, situation) => {
        const stricter = policyOf(named({ ...said, mfa: [...said.mfa, demand] }))
        const before = decide(policyOf(named(said)), inputOf(situation))
        const after = decide(stricter, inputOf(situation))
        expect(leftByRules(after)).toEqual(leftByRules(before))
        // That nobody could judge it is said, though it is met.
        if (after.kind === 'allow')
          expect({ ...after, explanation: after.explanation.scopes }).toEqual({ ...before, explanation: before.explanation.scopes })
      }),
    )
  })

  test('lower numbers give no more and nothing that lives longer: of tiers, sessions and rules for clients', () => {
    const numbers = arbitrary.anyLimits.chain((loose) => fc.tuple(fc.constant(loose), arbitrary.tightened(loose)))
    fc.assert(
      fc.property(anySaid, numbers, fc.integer({ min: 1, max: 3_600 }), anySituation, (said, [loose, tight], most, situation) => {
        const stricter = { ...said, clients: said.clients.map((rule) => ({ ...rule, ...lowered(rule, most) })) }
        const after = decide(policyOf(named(stricter), arbitrary.written(tight)), inputOf(situation))
        const before = decide(policyOf(named(said), arbitrary.written(loose)), inputOf(situation))
        if (after.kind === 'allow') expectNoLonger(after, before)
        else expect(leftByRules(after)).toEqual(leftByRules(before))
      }),
    )
  })

  test('less time in anything else that a decision is told gives no more and nothing that lives longer', () => {
    fc.assert(
      fc.property(
        anySaid,
        arbitrary.anyLimits,
        anySituation,
        arbitrary.anyTimes.chain((loose) => fc.tuple(fc.constant(loose), arbitrary.lessTime(loose))),
        (said, limits, situation, [loose, tight]) => {
          const policy = policyOf(named(said), arbitrary.written(limits))
          const after = decide(policy, arbitrary.inTime(situation, tight))
          if (after.kind === 'allow') expectNoLonger(after, decide(policy, arbitrary.inTime(situation, loose)))
        },
      ),
    )
  })

  test('whatever is issued, by whatever refresh, ends by what each limit says of it', () => {
    fc.assert(
      fc.property(anySaid, arbitrary.anyLimits, anySituation, arbitrary.anyTimes, (said, limits, situation, times) => {
        const policy = policyOf(named(said), arbitrary.written(limits))
        const input = arbitrary.inTime(situation, times)
        const decision = decide(policy, input)
        if (decision.kind !== 'allow') return
        const { access, refresh, end } = explain(policy, input).ceilings
        expect(decision.endsAt).toBe(end.at)
        expect(addSeconds(input.now, decision.accessTokenTtl.seconds)).toBeLessThanOrEqual(decision.endsAt)
        const { refreshTokenTtl, refreshEndsAt = input.now } = decision
        expect(addSeconds(input.now, refreshTokenTtl?.seconds ?? 0)).toBeLessThanOrEqual(refreshEndsAt)
        expect(refreshEndsAt).toBeLessThanOrEqual(decision.endsAt)
        for (const { seconds } of access) expect(decision.accessTokenTtl.seconds).toBeLessThanOrEqual(seconds)
        for (const { seconds } of refresh?.ceilings ?? []) expect(decision.refreshTokenTtl?.seconds).toBeLessThanOrEqual(seconds)
        const opened = input.session.grantedAt ?? input.now
        for (const tier of new Set(decision.explanation.scopes.filter(({ granted }) => granted).map((scope) => scope.tier))) {
          const limit = policy.tierLimits[tier]
          const most = Math.max(limit.refreshTokenSeconds ?? 0, limit.accessTokenSeconds + codeTtlSeconds)
          expect(decision.endsAt).toBeLessThanOrEqual(addSeconds(opened, most))
          if (decision.refreshTokenTtl)
            expect(decision.refreshEndsAt).toBeLessThanOrEqual(addSeconds(opened, limit.refreshTokenSeconds ?? 0))
        }
      }),
    )
  })

  test('the order of bundles, rules, rules for clients, demands, named or not, and meanings of evidence never matters', () => {
    const shuffled = <T>(list: readonly T[]) => fc.shuffledSubarray([...list], { minLength: list.length })
    const saidOfAll = fc.tuple(anySaid.map(named), fc.boolean(), arbitrary.anyMeanings).map(([said, isNamed, meanings]) => ({
      ...said,
      ...meanings,
      mfa: isNamed ? said.mfa : said.mfa.map(({ name: _name, ...demand }) => demand),
    }))
    const pair = saidOfAll.chain((said) =>
      fc.tuple(
        fc.constant(said),
        fc.record({
          ...{ bundles: shuffled(said.bundles), rules: shuffled(said.rules) },
          ...{ clients: shuffled(said.clients), mfa: shuffled(said.mfa), strength: shuffled(said.strength) },
          acr: shuffled(Object.entries(said.acr)).map((entries) => Object.fromEntries(entries)),
        }),
      ),
    )
    fc.assert(
      fc.property(pair, anySituation, ([one, other], situation) => {
        const input = inputOf(situation)
        expect(decide(policyOf(other), input)).toEqual(decide(policyOf(one), input))
        expect(explain(policyOf(other), input)).toEqual(explain(policyOf(one), input))
      }),
    )
  })

  test.each<[string, Partial<arbitrary.AnySituation>]>([
    ['groups', { groups: 'unknown' }],
    ['claims', { unknownClaims: ['department'] }],
    ['methods', { amr: [], acr: undefined }],
    ['the time of the sign-in', { authenticatedSecondsAgo: 'unknown' }],
    ['the country', { country: undefined }],
  ])('%s that nobody knows give no more than known ones', (_, unknown) => {
    fc.assert(
      fc.property(anySaid, anySituation, (said, situation) => {
        const policy = policyOf(named(said))
        expectNoMore([policy, inputOf({ ...situation, ...unknown })], [policy, inputOf(situation)])
      }),
    )
  })

  test('a client whose host nobody knows gets no more than one with a host', () => {
    fc.assert(
      fc.property(anySaid, anySituation, (said, situation) => {
        const policy = policyOf(named(said))
        const { client } = situation
        expectNoMore([policy, inputOf({ ...situation, client: { ...client, host: undefined } })], [policy, inputOf(situation)])
      }),
    )
  })
})

type ClientRule = arbitrary.AnySaid['clients'][number]

function lowered({ accessTokenSeconds = 3_600, refreshTokenSeconds = 3_600 }: ClientRule, most: number): Partial<ClientRule> {
  return {
    accessTokenSeconds: Math.min(accessTokenSeconds, most),
    refreshTokenSeconds: refreshTokenSeconds === 'none' ? 'none' : Math.min(refreshTokenSeconds, most),
  }
}

describe('for every wall', () => {
  const wallNumbers = arbitrary.anyLimits.chain((loose) => fc.tuple(fc.constant(loose), arbitrary.tightened(loose)))

  const anyOfStrength = fc.tuple(arbitrary.anyAccepted, arbitrary.anyMeanings)

  test('whatever a policy allows inside it, the wall allows by itself, for at least as long', () => {
    fc.assert(
      fc.property(
        arbitrary.anyWallSaid,
        arbitrary.anyLimits,
        anySaid,
        arbitrary.anyLimits,
        anyOfStrength,
        anySituation,
        (said, limits, own, ownLimits, [acceptsStrengthOf, meanings], situation) => {
          const wall = wallOf(named(said), { ...arbitrary.written(limits), acceptsStrengthOf })
          // The wall by itself hears the tenant say the same: a condition that asks for one strength holds of no stronger one.
          const open = policyOf(named(arbitrary.openPolicy), meanings, wall)
          const inside = policyOf(named(own), { ...arbitrary.written(ownLimits), ...meanings }, wall)
          expectNoMore([inside, inputOf(situation)], [open, inputOf(situation)])
        },
      ),
    )
  })

  test('a tighter one gives no more and nothing that lives longer', () => {
    fc.assert(
      fc.property(arbitrary.anyWallSaid, wallNumbers, anySaid, anySituation, (said, [loose, tight], own, situation) => {
        const inside = (limits: arbitrary.AnyLimits) => policyOf(named(own), {}, wallOf(named(said), arbitrary.written(limits)))
        const after = decide(inside(tight), inputOf(situation))
        if (after.kind === 'allow') expectNoLonger(after, decide(inside(loose), inputOf(situation)))
      }),
    )
  })
})

test('explanation and decision never disagree: scopes, demands and ceilings', () => {
  fc.assert(
    fc.property(arbitrary.anyWallSaid, anySaid, arbitrary.anyLimits, anySituation, (wallSaid, said, limits, situation) => {
      const policy = policyOf(named(said), arbitrary.written(limits), wallOf(named(wallSaid)))
      const input = inputOf(situation)
      const decision = decide(policy, input)
      const explained = explain(policy, input)
      expect(explained.decision).toEqual(decision)
      const left = explained.scopes.filter(({ scope, rules }) => {
        const isDenied = rules.some(({ effect, outcome }) => effect === 'deny' && outcome !== 'no')
        const isGranted = rules.some(({ effect, outcome }) => effect === 'grant' && outcome === 'yes')
        const { scopeCeiling } = input.client
        return isGranted && !isDenied && (scopeCeiling.length === 0 || scopeCeiling.includes(scope)) && isLeftByClientRules(scope)
      })
      expect(left.map(({ scope }) => scope)).toEqual(leftByRules(decision))
      if (decision.kind !== 'allow') return
      expect(explained.demands.filter(({ missing }) => missing !== undefined)).toEqual([])
      expect(decision.accessTokenTtl.seconds).toBe(Math.min(...explained.ceilings.access.map(({ seconds }) => seconds)))
      const refresh = explained.ceilings.refresh?.ceilings.map(({ seconds }) => seconds)
      expect(decision.refreshTokenTtl?.seconds).toBe(refresh && Math.min(...refresh))

      function isLeftByClientRules(scope: string): boolean {
        return explained.clientRules.every(({ name, owner, outcome }) => {
          const rule = policy.clientRules.find((one) => one.name === name && one.owner === owner)
          return outcome === 'no' || (rule?.refuse === false && rule.scopes?.covers(scope) !== false)
        })
      }
    }),
  )
})
