/** When a factor of ours is asked for, and what it may prove: every situation as a line. */
import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import type { AuthorizationRequestId, ConnectionId, SubjectId } from '../tenant/ids.js'
import {
  type EnrolmentProof,
  type Factor,
  type FactorKind,
  type FactorSituation,
  factorLimits,
  guessPauses,
  mayProve,
  nextFactorStep,
  noSecondFactor,
  refuseRemoval,
  secondFactorFromJson,
  turnOfOwnFactor,
} from './second-factor.js'

const [here, elsewhere] = ['r1' as AuthorizationRequestId, 'r0' as AuthorizationRequestId]
const factor = (kind: FactorKind, enrolledBy: EnrolmentProof = 'code', enrolledIn = elsewhere, rpId = 'login.example'): Factor => ({
  ...{ id: kind, subjectId: 's' as SubjectId, kind, name: kind, enrolledBy, enrolledIn, createdAt: instant(0), usedAt: undefined },
  rpId: kind === 'passkey' ? rpId : undefined,
})
const asked = (change: Partial<FactorSituation<Factor>>): string => {
  const step = nextFactorStep({
    ...{ factors: [], requestId: here, rpId: 'login.example', helps: () => true, idpWasAsked: true, idpProvedSeveral: false },
    ...change,
  })
  if (step === undefined) return 'nothing'
  return step.kind === 'challenge' ? step.usable.map(({ kind }) => kind).join() : `enrol ${step.kinds.join()} by ${step.by}`
}
const passkeysAlone = (kind: FactorKind) => kind === 'passkey'

describe('she is asked', () => {
  test.each([
    ['for one of those that help', { factors: [factor('passkey'), factor('totp')] }, 'passkey,totp'],
    ['only for what helps', { factors: [factor('passkey'), factor('totp')], helps: passkeysAlone }, 'passkey'],
    ['before the IdP is, where nothing but ours is missing', { factors: [factor('totp')], idpWasAsked: false }, 'totp'],
    ['to enrol one, with a code', {}, 'enrol passkey,totp by code'],
    ['to enrol one, because the IdP proved several', { idpProvedSeveral: true, helps: passkeysAlone }, 'enrol passkey by idp'],
    ['to enrol a stronger one, by the one she has', { factors: [factor('totp')], helps: passkeysAlone }, 'enrol passkey by factor'],
    [
      '… and by that alone, whatever the IdP proved',
      { factors: [factor('totp')], helps: passkeysAlone, idpProvedSeveral: true },
      'enrol passkey by factor',
    ],
    [
      '… also where the one she has is of another RP ID',
      { factors: [factor('passkey', 'code', elsewhere, 'old.example')] },
      'enrol passkey,totp by factor',
    ],
    ['nothing before the IdP was', { idpWasAsked: false }, 'nothing'],
    ['nothing where nothing of ours helps', { helps: () => false }, 'nothing'],
    ['nothing more once she enrolled one that may not be used here', { factors: [factor('passkey', 'idp', here)] }, 'nothing'],
    ['for the one that a code let her enrol here', { factors: [factor('passkey', 'code', here)] }, 'passkey'],
  ] as const)('%s', (_, change, step) => {
    expect(asked(change)).toBe(step)
  })
})

test.each([
  ['code', here, true],
  ['idp', here, false],
  ['factor', here, false],
  ['code', elsewhere, true],
  ['idp', elsewhere, true],
  ['factor', elsewhere, true],
] as const)('a factor enrolled by %s in %s proves something in r1: %s', (by, request, may) => {
  expect(mayProve(factor('passkey', by, request), here)).toBe(may)
})

describe('the setting of a tenant', () => {
  const connection = '0f0e7d0a-0000-4000-8000-000000000000' as ConnectionId
  test.each([
    [{ mode: 'off', cannotProve: [connection] }, 'never'],
    [{ mode: 'on', cannotProve: [] }, 'after_idp'],
    [{ mode: 'on', cannotProve: [connection] }, 'instead_of_idp'],
    [{ mode: 'where_unproven', cannotProve: [] }, 'never'],
    [{ mode: 'where_unproven', cannotProve: [connection] }, 'instead_of_idp'],
  ] as const)('%j: %s', (setting, turn) => {
    expect(turnOfOwnFactor(secondFactorFromJson(setting), connection)).toBe(turn)
  })
  test.each([undefined, null, {}, { mode: 'always' }, { mode: 'on', cannotProve: ['x'] }, { mode: 'on', else: 1 }])(
    'that is unreadable switches nothing on: %j',
    (json) => {
      expect(secondFactorFromJson(json)).toEqual(noSecondFactor)
    },
  )
})

describe('a person takes one of hers away', () => {
  const day = 86_400_000
  const now = instant(100 * day)
  const added = (id: string, kind: FactorKind, daysAgo: number, rpId?: string): Factor => ({
    ...factor(kind, 'factor', elsewhere, rpId),
    ...{ id, createdAt: instant(now - daysAgo * day) },
  })
  const [old, other, young, app] = [
    added('old', 'passkey', 9),
    added('other', 'passkey', 8),
    added('young', 'passkey', 0.5),
    added('app', 'totp', 9),
  ]
  const dead = added('dead', 'passkey', 9, 'old.example')
  test.each([
    ['an older one by a younger that is no newcomer', [old, other], 'old', 'other', undefined],
    ['a younger one by an older', [old, young], 'young', 'old', undefined],
    ['the one that she has shown', [old, other], 'old', 'old', undefined],
    ['a newcomer by itself', [old, young], 'young', 'young', undefined],
    ['an app by a passkey', [old, app], 'app', 'old', undefined],
    ['an app by itself', [old, app], 'app', 'app', undefined],
    ['one of another RP ID by one that works', [old, dead], 'dead', 'old', undefined],
    ['one of two apps by the other', [app, added('app2', 'totp', 8)], 'app', 'app2', undefined],
    ['the only one', [old], 'old', 'old', 'factor_last'],
    ['the last that works here', [old, dead], 'old', 'old', 'factor_last'],
    ['a passkey by a code', [old, app], 'old', 'app', 'factor_too_weak'],
    ['an older one by a newcomer', [old, young], 'old', 'young', 'factor_too_young'],
    ['… not by a code of one either', [app, added('app2', 'totp', 0.9)], 'app', 'app2', 'factor_too_young'],
    ['what she has shown nothing for', [old, other], 'old', undefined, 'factor_not_shown'],
    ['by one that is gone itself', [old, other], 'old', 'gone', 'factor_not_shown'],
    ['one that she does not have', [old, other], 'gone', 'old', 'factor_gone'],
  ] as const)('%s', (_, factors, id, provedBy, refusal) => {
    expect(refuseRemoval({ factors, id, provedBy, rpId: 'login.example', now })).toBe(refusal)
  })
  test('a newcomer is none from a day on', () => {
    const of = (daysAgo: number) =>
      refuseRemoval({ factors: [old, added('x', 'passkey', daysAgo)], id: 'old', provedBy: 'x', rpId: 'login.example', now })
    expect([of(1), of(1 - 1 / 86_400)]).toEqual([undefined, 'factor_too_young'])
  })
})

test('whoever guesses waits longer and longer, and is stopped', () => {
  expect(guessPauses).toHaveLength(factorLimits.guesses)
  expect(guessPauses.slice(0, 8)).toEqual([0, 0, 0, 0, 30, 60, 120, 240])
  expect(guessPauses.every((pause, n) => n === 0 || pause >= (guessPauses[n - 1] as number))).toBe(true)
  // Within the last hour before the end: at most three codes of a million are right at any time.
  expect((factorLimits.guesses * 3) / 1_000_000).toBeLessThan(0.0001)
})
