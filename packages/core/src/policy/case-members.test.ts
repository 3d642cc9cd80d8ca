/** What a test case of a policy may say of a decision, and what it may expect of it. */
import { describe, expect, test } from 'vitest'
import { parsePolicyCases, runPolicyCases } from './cases.js'
import { aPolicy, orders } from './fixtures/a-situation.js'

describe('a case says all that a decision depends on', () => {
  const grant = 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }'
  const holds = (policy: string, given: object, expected: object): string | undefined => {
    const document = parsePolicyCases(JSON.stringify({ cases: [{ name: 'c', request: ['orders:read'], ...given, expect: expected }] }))
    if (!document.ok) throw new Error(JSON.stringify(document.error))
    return runPolicyCases(aPolicy(policy), document.value, [orders])[0]?.say
  }
  test.each<[string, string, object, object, object]>([
    [
      'her id at the IdP',
      `${grant}, { name: d, effect: deny, scopes: ["*"], when: "subject.stableId == 'ada'" }]`,
      { stableId: 'ada' },
      {},
      { denied: 'nothing_granted' },
    ],
    [
      'her id here',
      `${grant}, { name: d, effect: deny, scopes: ["*"], when: "subject.id == 'ada'" }]`,
      { subjectId: 'ada' },
      { subjectId: 'ben' },
      { denied: 'nothing_granted' },
    ],
    [
      'an attested client',
      `${grant}, { name: d, effect: deny, scopes: ["*"], when: "!client.attested" }]`,
      { client: { attested: true } },
      {},
      { granted: ['orders:read'] },
    ],
    ['a limit of the client', `${grant}]`, { client: { accessTokenSeconds: 9 } }, {}, { accessTokenBy: 'client' }],
    ['a factor of ours', `${grant}]\nmfa: [{ name: m }]`, { ownFactor: { methods: ['hwk', 'user'] } }, {}, { granted: ['orders:read'] }],
    [
      'a factor of ours that is stale',
      `${grant}]\nmfa: [{ name: m }]`,
      { ownFactor: { methods: ['hwk', 'user'], provedSecondsAgo: 301 } },
      { ownFactor: { methods: ['hwk', 'user'] } },
      { stepUp: 'mfa' },
    ],
    [
      'when the grant was opened',
      `${grant}]`,
      { kind: 'refresh', grantedSecondsAgo: 28_000 },
      { kind: 'refresh' },
      { refreshTokenSeconds: 800 },
    ],
    [
      'what waits after a reset',
      `${grant}]`,
      { request: ['orders:admin'], privilegedInSeconds: 1 },
      { request: ['orders:admin'] },
      { denied: 'nothing_granted' },
    ],
    [
      'the limit that wins',
      `${grant}]`,
      { idpSessionEndsInSeconds: 60 },
      {},
      { accessTokenBy: 'idp_session', refreshTokenBy: 'idp_session' },
    ],
    [
      'the rule that denies',
      `${grant}, { name: d, effect: deny, scopes: ["*:read"], groups: [g] }]`,
      { groups: ['g'] },
      {},
      { rules: { 'orders:read': 'd' } },
    ],
    [
      'that no rule has a say',
      'rules: [{ name: all, effect: grant, scopes: ["*"], groups: [g] }]',
      {},
      { groups: ['g'] },
      { rules: { 'orders:read': null } },
    ],
  ])('%s', (_, policy, given, otherwise, expected) => {
    expect(holds(policy, given, expected)).toBeUndefined()
    expect(holds(policy, otherwise, expected)).toMatch(/^wanted /)
  })

  test('and tells what came instead', () => {
    expect(holds(`${grant}]`, {}, { rules: { 'orders:read': 'other' } })).toContain('wanted rule other for orders:read, got all')
    expect(holds(`${grant}]`, {}, { refreshTokenBy: 'client' })).toContain('wanted the limit client for the refresh token instead of tier')
  })
})
