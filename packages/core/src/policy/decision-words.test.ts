/** What a decision says of itself: fit for an admin, and, where something is missing, for the person who signs in. */
import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import { decide } from './decide.js'
import { aPolicy, aSituation, aWall } from './fixtures/a-situation.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'
const aRequest = (given: object = {}) => aSituation({ request: ['orders:read'], ...given })
const decided = (text: string, given: object = {}, wall?: string) =>
  decide(aPolicy(text, { version: 7, ...(wall !== undefined && { wall: aWall(wall) }) }), aRequest(given))

describe('a decision says in words', () => {
  const because = (...asked: Parameters<typeof decided>) => decided(...asked).explanation.scopes[0]?.because
  const missing = (...asked: Parameters<typeof decided>) => {
    const decision = decided(...asked)
    return decision.kind === 'allow' ? undefined : decision.missing
  }
  const unclear = 'when: "claims.department == \'x\'"'

  test.each<[string, string, object, string, string?]>([
    ['which rule grants', everything, {}, 'granted by rule all (line 2)'],
    ['that none does', '', {}, 'no rule grants it'],
    [
      'which rule denies',
      `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["*"], everyone: true }]`,
      {},
      'denied by rule no (line 2)',
    ],
    [
      'which unclear rule denies',
      `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["*"], ${unclear} }]`,
      {},
      'denied by rule no (line 2) (unclear, so it holds)',
    ],
    [
      'which rule of the vendor denies',
      everything,
      {},
      "denied by the vendor's rule no (line 2)",
      'rules: [{ name: no, effect: deny, scopes: ["*"], everyone: true }]',
    ],
    ['which rule for clients refuses', `${everything}\nclients: [{ name: c, refuse: true }]`, {}, 'outside what client rule c leaves'],
    [
      'which rule for clients leaves it out',
      `${everything}\nclients: [{ name: c, scopes: ["*:write"] }]`,
      {},
      'outside what client rule c leaves',
    ],
    [
      'which rule for clients of the vendor does',
      everything,
      {},
      "outside what the vendor's client rule c leaves",
      'clients: [{ name: c, refuse: true }]',
    ],
    ['that the client may not have it', everything, { client: { scopeCeiling: ['orders:write'] } }, "outside the client's ceiling"],
    ['that there is no such scope', everything, { request: ['nothing'] }, 'the resource has no such scope'],
    [
      'what else is missing',
      `${everything}\nmfa: [{ name: d }]`,
      {},
      'would be granted by rule all (line 2), but this is missing: multi-factor authentication, which d demands; the identity provider proved single factor',
    ],
  ])('%s', (_, text, given, says, ...[wall]) => {
    expect(because(text, given, wall)).toBe(says)
  })

  test.each<[string, string, object, string, string?]>([
    ['that no rule grants anything', '', {}, 'no rule grants any of the requested scopes'],
    [
      'that her groups are unknown',
      '',
      { groups: 'unknown' },
      "your groups: your company's sign-in did not name them, and without them no rule grants any of the requested scopes",
    ],
    [
      'that her groups are absent',
      '',
      { groups: 'absent' },
      "your groups: your company's sign-in did not name them, and without them no rule grants any of the requested scopes",
    ],
    [
      'that no time is left',
      everything,
      { idpSessionEndsInSeconds: 0 },
      'a new sign-in, because no time is left: the IdP ends its session then',
    ],
  ])('what is missing: %s', (_, text, given, says) => {
    expect(missing(text, given)).toBe(says)
  })

  test('that the directory has ended an account, from the very moment on', () => {
    const at = (deactivatesInSeconds: number) => decided(everything, { deactivatesInSeconds })
    expect(at(0)).toMatchObject({ reason: 'subject_deactivated', missing: 'an account that is active: the directory has ended this one' })
    expect(at(1).kind).toBe('allow')
  })

  test('of each rule that nobody can judge, once, that it counts strictly; and how many there were', () => {
    const rules = `rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }, { name: no, effect: deny, scopes: ["orders:write", "orders:refund"], ${unclear} }]\nclients: [{ name: c, accessTokenSeconds: 60, ${unclear} }]`
    const { explanation } = decided(rules, { request: ['orders:read', 'orders:write', 'orders:refund'] })
    expect(explanation.notes).toEqual([
      'client rule c could not be evaluated and counts strictly',
      'rule no (line 2) could not be evaluated and counts strictly',
    ])
    expect(explanation.unclear).toBe(2)
    expect(decided(everything).explanation).toMatchObject({ notes: [], unclear: 0, policyVersion: 7 })
  })

  test('that groups are unknown', () => {
    expect(decided(everything, { groups: 'unknown' }).explanation.notes).toEqual([
      'the groups of this person are unknown: rules that need them are decided strictly',
    ])
  })

  test('which scope is of which tier, and one that the resource does not declare is sensitive', () => {
    const { scopes } = decided(everything, { request: ['orders:write', 'nothing', 'orders:write'] }).explanation
    expect(scopes).toEqual([
      { scope: 'orders:write', tier: 'write', granted: true, because: 'granted by rule all (line 2)', rule: 'all', line: 2 },
      { scope: 'nothing', tier: 'sensitive', granted: false, because: 'the resource has no such scope', rule: undefined, line: undefined },
    ])
  })

  test('that time ended the session of somebody who was sent back in vain, before all else that is missing', () => {
    const ended = { idpSessionEndsInSeconds: 0, stepUpsDone: 1 }
    expect(decided(`${everything}\nmfa: [{}]`, ended)).toMatchObject({ kind: 'deny', reason: 'session_ended' })
    expect(decided(`${everything}\nmfa: [{}]`, { stepUpsDone: 1 })).toMatchObject({ kind: 'deny', reason: 'mfa_missing' })
  })
})

test('a session of which one second is left is worth a token, and of which less is left is not', () => {
  const input = aRequest()
  const kindWith = (milliseconds: number) =>
    decide(aPolicy(everything), { ...input, identity: { ...input.identity, sessionExpiresAt: instant(input.now + milliseconds) } }).kind
  expect([kindWith(1_000), kindWith(999)]).toEqual(['allow', 'stepUp'])
})
