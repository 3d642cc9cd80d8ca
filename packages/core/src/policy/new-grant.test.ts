import { describe, expect, test } from 'vitest'
import type { Scope } from '../tenant/ids.js'
import { asksForInteraction, decide } from './decide.js'
import { explain } from './explain.js'
import { aPolicy, aSituation, aWall, orders } from './fixtures/a-situation.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'

describe('a new grant', () => {
  const outcomeOf = (given: object, text = ''): string => {
    const decision = decide(aPolicy(`${everything}\n${text}`), aSituation(given))
    return decision.kind === 'stepUp'
      ? decision.demand
      : decision.kind === 'deny'
        ? decision.reason
        : decision.asksConsentAnew
          ? 'consent'
          : 'allow'
  }
  const [hours, read, write, refund, admin] = [3600, ['orders:read'], ['orders:write'], ['orders:refund'], ['orders:admin']]
  test.each([
    ['what is privileged, right after signing in for it', { request: admin }, 'consent'],
    ['what is privileged, from a session of before', { request: admin, isOwnSession: false }, 'fresh'],
    ['what is privileged, though the IdP did not ask her', { request: admin, authenticatedSecondsAgo: 301 }, 'fresh'],
    ['what is privileged, when nobody knows when she signed in', { request: admin, authenticatedSecondsAgo: 'unknown' }, 'fresh'],
    [
      'what is privileged, after she was sent back in vain',
      { request: admin, authenticatedSecondsAgo: 301, stepUpsDone: 1 },
      'login_not_fresh',
    ],
    ['what is privileged, at a refresh', { request: admin, isOwnSession: false, kind: 'refresh' }, 'consent'],
    ['what is sensitive, within the hour', { request: refund, sessionSecondsAgo: hours, isOwnSession: false }, 'consent'],
    ['what is sensitive, after it', { request: refund, sessionSecondsAgo: hours + 1, isOwnSession: false }, 'fresh'],
    ['to write, within four hours', { request: write, sessionSecondsAgo: 4 * hours, isOwnSession: false }, 'allow'],
    ['to write, after them', { request: write, sessionSecondsAgo: 4 * hours + 1, isOwnSession: false }, 'fresh'],
    ['to read, within eight hours', { request: read, sessionSecondsAgo: 8 * hours, isOwnSession: false }, 'allow'],
    ['to read, after them', { request: read, sessionSecondsAgo: 8 * hours + 1, isOwnSession: false }, 'fresh'],
    ['to read, after them, at a refresh', { request: read, sessionSecondsAgo: 8 * hours + 1, kind: 'refresh' }, 'allow'],
  ])('of %s', (_, given, outcome) => {
    expect(outcomeOf(given)).toBe(outcome)
  })
  test('a sign-in anew, where a demand stands that she meets, is asked for with the second factor: what she proved before counts no more', () => {
    const mfa = 'mfa: [{ name: strong, tiers: [admin] }]'
    const met = { isOwnSession: false, amr: ['mfa'] }
    expect([outcomeOf({ ...met, request: admin }, mfa), outcomeOf({ ...met, request: admin })]).toEqual(['mfa', 'fresh'])
    expect(outcomeOf({ ...met, request: read, sessionSecondsAgo: 8 * hours + 1 }, mfa)).toBe('fresh')
  })
  test.each([
    ['refreshTokenSeconds: 3600', 3600],
    ['refreshTokenSeconds: 1861', 1861],
    // The first access token may live longer, and its code a minute before it.
    ['refreshTokenSeconds: 600', 1860],
    ['refreshTokenSeconds: none', 1860],
    ['accessTokenSeconds: 600, refreshTokenSeconds: none', 660],
    ['accessTokenSeconds: 60, refreshTokenSeconds: none', 300],
  ])('a tier that the tenant tightened needs a session as young as a grant of it may become: %s', (limits, most) => {
    const outcomes = [most, most + 1].map((sessionSecondsAgo) =>
      outcomeOf({ request: read, sessionSecondsAgo, isOwnSession: false }, `limits: { read: { ${limits} } }`),
    )
    expect(outcomes).toEqual(['allow', 'fresh'])
  })
  test.each([
    [[], ['a', 'b'], true, true],
    [['a'], ['a', 'b'], false, true],
    [['a', 'b'], [], true, true],
    [['nothing'], ['b'], false, false],
    [[], [], false, false],
  ])(
    'asked for %s, with %s by default, needs a sign-in of its own: %s; where the vendor gives no refresh token: %s',
    (asked, defaults, privileged, walled) => {
      const scopes = ['a', 'b'].map((name) => {
        const tier = name === 'b' ? ('admin' as const) : ('read' as const)
        return { name: name as Scope, tier, description: name, isDefault: (defaults as readonly string[]).includes(name) }
      })
      const of = { request: { scopes: asked as Scope[] }, resource: { ...orders, scopes } }
      expect(asksForInteraction(aPolicy(everything), of)).toBe(privileged)
      const wall = aWall('limits: { read: { refreshTokenSeconds: none } }')
      expect(asksForInteraction(aPolicy(everything, { wall }), of)).toBe(walled)
    },
  )
})

test('a new grant of a tier that the vendor gives no refresh token needs a sign-in for this very request', () => {
  const policy = aPolicy(everything, { wall: aWall('limits: { read: { refreshTokenSeconds: none } }') })
  const asked = { request: ['orders:read'], isOwnSession: false, sessionSecondsAgo: 1 }
  expect(decide(policy, aSituation(asked))).toMatchObject({ kind: 'stepUp', demand: 'fresh' })
  expect(decide(policy, aSituation({ ...asked, isOwnSession: true })).kind).toBe('allow')
  expect(decide(policy, aSituation({ ...asked, kind: 'refresh' })).kind).toBe('allow')
})

describe('claims that a policy makes', () => {
  const manager =
    'claims: { is_manager: { type: boolean, from: "\'managers\' in groups" }, level: { type: number, from: "size(claims.roles)" } }'
  const rule = (when: string) => `rules: [{ name: r, effect: grant, scopes: ["*"], when: "${when}" }]`
  const kindOf = (text: string, given: object): string => decide(aPolicy(text), aSituation({ request: ['orders:read'], ...given })).kind

  test('are read like those that a login brings', () => {
    expect(kindOf(`${manager}\n${rule('claims.is_manager')}`, { groups: ['managers'] })).toBe('allow')
    expect(kindOf(`${manager}\n${rule('claims.is_manager')}`, { groups: [] })).toBe('deny')
    expect(kindOf(`${manager}\n${rule('claims.level >= 2.0')}`, { claims: { roles: ['a', 'b'] } })).toBe('allow')
  })

  const all = '{ name: all, effect: grant, scopes: ["*"], everyone: true }'
  const deny = (when: string) => `rules: [${all}, { name: d, effect: deny, scopes: ["*"], when: "${when}" }]`
  const demand = (when: string) => `rules: [${all}]\nmfa: [{ name: m, when: "${when}" }]`
  const ofGroups = 'claims: { external: { type: boolean, from: "\'ext\' in groups" } }'
  const ofClaims = 'claims: { external: { type: boolean, from: "claims.employee_type == \'ext\'" } }'

  test.each<[string, string, string, object, object]>([
    ['a deny', ofGroups, deny('claims.external'), { groups: 'unknown' }, { groups: [] }],
    ['a deny of whoever has it', ofGroups, deny('has(claims.external) && claims.external'), { groups: 'unknown' }, { groups: [] }],
    ['a deny of whoever has it not', ofGroups, deny('!has(claims.external)'), { groups: 'unknown' }, { groups: [] }],
    ['a demand', ofGroups, demand('has(claims.external) && claims.external'), { groups: 'unknown' }, { groups: [] }],
    ['a grant to whoever has it', ofGroups, rule('has(claims.external)'), { groups: 'unknown' }, { groups: [] }],
    ['a grant to whoever has it not', ofGroups, rule('!has(claims.external) || !claims.external'), { groups: 'unknown' }, { groups: [] }],
    ['a deny, made of what is absent', ofClaims, deny('has(claims.external) && claims.external'), {}, { claims: { employee_type: 'int' } }],
  ])('are unknown where they have no result, and count strictly: in %s', (_, made, text, unknown, known) => {
    const policy = aPolicy(`${made}\n${text}`)
    const decided = (given: object) => decide(policy, aSituation({ request: ['orders:read'], ...given }))
    expect(decided(known).kind).toBe('allow')
    const strict = decided(unknown)
    expect(strict.kind).not.toBe('allow')
    // What could not be made, and the rule that needed it.
    expect(strict.explanation.unclear).toBe(2)
    expect(strict.explanation.notes.filter((note) => note.startsWith('claim external'))).toEqual([
      'claim external could not be made: it is unknown, and rules that need it are decided strictly',
    ])
  })

  test('hide what the login says under the same name', () => {
    const made = 'claims: { color: { type: string, from: "\'red\'" } }'
    expect(kindOf(`${made}\n${rule("claims.color == 'red'")}`, { claims: { color: 'blue' } })).toBe('allow')
    expect(kindOf(`${made}\n${rule("claims.color == 'blue'")}`, { claims: { color: 'blue' } })).toBe('deny')
  })

  test('hide it also where they have no result', () => {
    const made = `claims: { cleared: { type: boolean, from: "'vetted' in claims.roles" } }`
    expect(kindOf(`${made}\n${rule('claims.cleared')}`, { claims: { cleared: true } })).toBe('deny')
  })

  test('larger than the limit are unknown', () => {
    const long = 'claims: { long: { type: string, from: "claims.name + claims.name" } }'
    const given = (length: number) => ({ claims: { name: 'x'.repeat(length) } })
    expect(kindOf(`${long}\n${rule('has(claims.long)')}`, given(512))).toBe('allow')
    expect(kindOf(`${long}\n${rule('has(claims.long)')}`, given(513))).toBe('deny')
    expect(kindOf(`${long}\n${rule('!has(claims.long)')}`, given(513))).toBe('deny')
  })
})

describe('a claim of which nobody knows whether she has it', () => {
  const all = '{ name: all, effect: grant, scopes: ["*"], everyone: true }'
  const deny = (when: string) => `rules: [${all}, { name: d, effect: deny, scopes: ["*"], when: "${when}" }]`
  const unknown = { request: ['orders:read'], unknownClaims: ['department'] }
  test.each(['has(claims.department)', '!has(claims.department)', "claims.department == 'x'", "claims.department != 'x'"])(
    'counts strictly in %s',
    (when) => {
      const denied = decide(aPolicy(deny(when)), aSituation(unknown))
      expect(denied).toMatchObject({ kind: 'deny', explanation: { unclear: 1 } })
      expect(denied.explanation.notes[0]).toBe(
        'claims of this person are unknown, and rules that need them are decided strictly: department',
      )
      const grant = aPolicy(`rules: [{ name: g, effect: grant, scopes: ["*"], when: "${when}" }]`)
      expect(decide(grant, aSituation(unknown)).kind).toBe('deny')
    },
  )
  test('is unknown in what the policy makes of it, and shown as such', () => {
    const made = 'claims: { own: { type: boolean, from: "has(claims.department)" } }'
    const policy = aPolicy(`${made}\n${deny('has(claims.own) && has(claims.department)')}`)
    const explained = explain(policy, aSituation(unknown))
    expect(explained.decision).toMatchObject({ kind: 'deny', explanation: { unclear: 2 } })
    expect(explained.scopes[0]?.rules.flatMap(({ values }) => values)).toEqual([
      { variable: 'claims.department', value: '(unknown)' },
      { variable: 'claims.own', value: '(unknown)' },
    ])
  })
  test('changes nothing for whoever does not ask for it', () => {
    expect(decide(aPolicy(deny("claims.title == 'x'")), aSituation({ ...unknown, claims: { title: 'y' } })).kind).toBe('allow')
  })
  test('named ones beyond ten are counted', () => {
    const unknownClaims = Array.from({ length: 12 }, (_, index) => `c${index}`)
    const [note] = decide(aPolicy(`rules: [${all}]`), aSituation({ unknownClaims })).explanation.notes
    expect(note).toMatch(/: c0, c1, c10, c11, c2, c3, c4, c5, c6, c7, … 12 in all$/)
  })
})

test.each([
  ['request.address', 'address', '192.0.2.1'],
  ['request.country', 'country', 'CH'],
])('%s is known only where somebody says it', (variable, member, value) => {
  const policy = aPolicy(`rules: [{ name: r, effect: grant, scopes: ["*"], when: "${variable} == '${value}'" }]`)
  expect(decide(policy, aSituation({ request: ['orders:read'], [member]: value })).kind).toBe('allow')
  const absent = decide(policy, aSituation({ request: ['orders:read'] }))
  expect(absent).toMatchObject({
    kind: 'deny',
    explanation: { unclear: 1, notes: ['rule r (line 2) could not be evaluated and counts strictly'] },
  })
})

test('a client is not attested unless somebody proved it', () => {
  const policy = aPolicy('rules: [{ name: r, effect: grant, scopes: ["*"], when: "client.attested" }]')
  const input = aSituation({ request: ['orders:read'] })
  expect(decide(policy, input).kind).toBe('deny')
  expect(decide(policy, { ...input, client: { ...input.client, attested: true } }).kind).toBe('allow')
})

test('rules for clients bound what policy grants, refuse them, and hold where nobody can judge', () => {
  const granting = (clients: string) => decide(aPolicy(`${everything}\nclients: [${clients}]`), aSituation({ client: { id: 'a' } }))
  expect(granting('{ name: c, clients: { ids: [a] }, scopes: ["*:read"] }')).toMatchObject({ kind: 'allow', scopes: ['orders:read'] })
  expect(granting('{ name: c, clients: { ids: [b] }, scopes: ["*:read"] }')).toMatchObject({
    kind: 'allow',
    scopes: orders.scopes.map(({ name }) => name),
  })
  expect(granting('{ name: c, clients: { ids: [a] }, refuse: true }')).toMatchObject({ kind: 'deny', reason: 'nothing_granted' })
  expect(granting('{ name: c, clients: { hosts: [x.example] }, refuse: true }')).toMatchObject({
    kind: 'deny',
    explanation: { notes: ['client rule c could not be evaluated and counts strictly'] },
  })
})
