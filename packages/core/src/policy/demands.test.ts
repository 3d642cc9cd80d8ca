import { describe, expect, test } from 'vitest'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const granting = 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]'
const missingOf = (demand: string, given: object): string | undefined => {
  const decision = decide(aPolicy(`${granting}\nmfa: [{ name: d, ${demand} }]`), aSituation({ request: ['orders:read'], ...given }))
  return decision.kind === 'allow' ? undefined : decision.missing
}

describe('a demand', () => {
  test('binds the resource that it names and no other', () => {
    expect(missingOf('resource: "https://mcp.example"', {})).toContain('which d demands')
    expect(missingOf('resource: "https://other.example"', {})).toBeUndefined()
    expect(missingOf('strength: multi_factor', {})).toContain('which d demands')
  })

  test.each([
    ['strength: single_factor', 'one proven factor', { amr: [] }],
    ['strength: multi_factor', 'multi-factor authentication', {}],
    ['strength: phishing_resistant', 'phishing-resistant authentication', {}],
    ['strength: phishing_resistant_hardware', 'phishing-resistant authentication by a key in hardware', {}],
    ['strength: multi_factor', 'the identity provider proved single factor', {}],
    ['freshSeconds: 60', 'a sign-in within the last 60 s, which d demands', { amr: ['mfa'], authenticatedSecondsAgo: 61 }],
    ['freshSeconds: 60', 'the time of the sign-in, which d demands', { amr: ['mfa'], authenticatedSecondsAgo: 'unknown' }],
  ] as const)('{ %s } says what is missing: %s', (demand, says, given) => {
    expect(missingOf(demand, given)).toContain(says)
  })
})

describe('what is missing is told whole', () => {
  const own = (given: object, methods: readonly string[]) => {
    const input = aSituation({ request: ['orders:read'], ...given })
    const authentication = { ...input.identity.authentication, ownFactor: { methods, provedAt: input.now } }
    return { ...input, identity: { ...input.identity, authentication } }
  }
  const told = (text: string, input: ReturnType<typeof aSituation>): string | undefined => {
    const decision = decide(aPolicy(`${granting}\n${text}`), input)
    return decision.kind === 'allow' ? undefined : decision.missing
  }
  const asking = (given: object) => aSituation({ request: ['orders:read'], ...given })

  test.each([
    [
      'nothing was proved',
      'mfa: [{ name: d, strength: single_factor }]',
      asking({ amr: [] }),
      'one proven factor, which d demands; the identity provider proved unknown',
    ],
    [
      'one factor was',
      'mfa: [{ name: d }]',
      asking({}),
      'multi-factor authentication, which d demands; the identity provider proved single factor',
    ],
    [
      'our own factor is there too',
      'mfa: [{ name: d, strength: phishing_resistant }]',
      own({ amr: ['pwd'] }, ['otp']),
      'phishing-resistant authentication, which d demands; with the second factor here, multi factor is proved',
    ],
    [
      'a demand has no name',
      'mfa: [{}]',
      asking({}),
      'multi-factor authentication, which unnamed demand 1 demands; the identity provider proved single factor',
    ],
    [
      'the first of two demands that miss something',
      'mfa: [{ name: b }, { name: a }]',
      asking({}),
      'multi-factor authentication, which a demands; the identity provider proved single factor',
    ],
    [
      'the demand that misses something, beside one that does not',
      'mfa: [{ name: a, strength: single_factor }, { name: b }]',
      asking({}),
      'multi-factor authentication, which b demands; the identity provider proved single factor',
    ],
    [
      'what was proved is old',
      'mfa: [{ name: d, freshSeconds: 60 }]',
      asking({ amr: ['mfa'], authenticatedSecondsAgo: 61 }),
      'a sign-in within the last 60 s, which d demands',
    ],
    [
      'nobody knows how old',
      'mfa: [{ name: d, freshSeconds: 60 }]',
      asking({ amr: ['mfa'], authenticatedSecondsAgo: 'unknown' }),
      'the time of the sign-in, which d demands; the identity provider did not say it',
    ],
    [
      'what is privileged needs a sign-in',
      '',
      asking({ request: ['orders:admin'], isOwnSession: false }),
      'a sign-in for this request alone, which every new grant of tier admin demands',
    ],
    [
      'a session is old',
      '',
      asking({ isOwnSession: false, sessionSecondsAgo: 28_801 }),
      'a sign-in within the last 28800 s, which a new grant of tier read demands',
    ],
    [
      'the stricter of two tiers, of which one session is too old',
      '',
      asking({ request: ['orders:read', 'orders:refund'], isOwnSession: false, sessionSecondsAgo: 3_601 }),
      'a sign-in within the last 3600 s, which a new grant of tier sensitive demands',
    ],
  ])('where %s', (_, text, input, missing) => {
    expect(told(text, input)).toBe(missing)
  })

  test('a demand for a place in the directory is of whoever is at it or below', () => {
    const of = (groups: string[]) => told('mfa: [{ name: d, groups: [{ path: /Eng }] }]', asking({ groups }))
    expect(of(['staff', '/Eng/SRE'])).toContain('which d demands')
    expect(of(['staff', '/Sales'])).toBeUndefined()
  })

  test.each([
    ['to the last second', 'mfa: [{ freshSeconds: 60 }]', asking({ amr: ['mfa'], authenticatedSecondsAgo: 60 })],
    [
      'by the factor that is fresh, where the other is old',
      'mfa: [{ freshSeconds: 60 }]',
      own({ amr: ['mfa'], authenticatedSecondsAgo: 9000 }, ['pop', 'user']),
    ],
    ['at a refresh, however old', 'mfa: [{ freshSeconds: 60 }]', asking({ amr: ['mfa'], authenticatedSecondsAgo: 9000, kind: 'refresh' })],
    ['of one factor, however old', 'mfa: [{ strength: single_factor }]', asking({ authenticatedSecondsAgo: 9000 })],
    ['of other tiers', 'mfa: [{ tiers: [write, admin] }]', asking({})],
    ['of other scopes', 'mfa: [{ scopes: ["*:write"] }]', asking({})],
    [
      'of scopes and tiers that are both asked for, though of none at once',
      'mfa: [{ scopes: ["orders:read"], tiers: [write] }]',
      asking({ request: ['orders:read', 'orders:write'] }),
    ],
    ['of other groups', 'mfa: [{ groups: [g] }]', asking({})],
    ['of other clients', 'mfa: [{ clients: { ids: [other] } }]', asking({})],
  ])('nothing is missing where a demand is met %s', (_, text, input) => {
    expect(told(text, input)).toBeUndefined()
  })
})
