import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import { inputOfSituation, parsePolicyCases, policyCasesSchema, policySituation, resourcesOfCases, runPolicyCases } from './cases.js'
import { policyLimits } from './error.js'
import { aPolicy, orders } from './fixtures/a-situation.js'

const policy = aPolicy(`
bundles: [{ name: staff, groups: [staff], scopes: ["orders:read", "orders:admin"] }]
mfa: [{ name: strong, tiers: [admin] }]`)
const failuresOf = (text: string, resources = [orders]) => {
  const cases = parsePolicyCases(text)
  if (!cases.ok) throw new Error(JSON.stringify(cases.error))
  return runPolicyCases(policy, cases.value, resources).map(({ say }) => say)
}
const oneCase = (rest: string): string => `cases: [{ name: c, groups: [staff], request: ["orders:read"], ${rest} }]`

describe('a case', () => {
  test.each([
    ['that holds', oneCase('expect: { granted: ["orders:read"], accessTokenSeconds: 1800, refreshTokenSeconds: 28800 }'), []],
    ['that wants other scopes', oneCase('expect: { granted: [] }'), ['wanted [], got [orders:read] for 1800 s, refresh 28800']],
    [
      'that wants a denial',
      oneCase('expect: { denied: nothing_granted }'),
      ['wanted nothing_granted, got [orders:read] for 1800 s, refresh 28800'],
    ],
    ['that wants a step-up', oneCase('expect: { stepUp: true }'), ['wanted a step-up, got [orders:read] for 1800 s, refresh 28800']],
    [
      'that wants another life',
      oneCase('expect: { accessTokenSeconds: 60 }'),
      ['wanted an access token of 60 s, got [orders:read] for 1800 s, refresh 28800'],
    ],
    [
      'that wants no refresh token',
      oneCase('expect: { refreshTokenSeconds: none }'),
      ['wanted a refresh token of none s, got [orders:read] for 1800 s, refresh 28800'],
    ],
    [
      'with a resource that is not there',
      oneCase('resource: "https://no.example", expect: { granted: [] }'),
      ['names no known resource: https://no.example'],
    ],
  ])('%s', (_, text, failures) => {
    expect(failuresOf(text)).toEqual(failures)
  })

  test.each([
    ['in another order', '["orders:read", "orders:write"]', '["orders:write", "orders:read"]', true],
    ['said twice', '["orders:read"]', '["orders:read", "orders:read"]', true],
    ['and one less', '["orders:read", "orders:write"]', '["orders:read"]', false],
    ['and one more', '["orders:read"]', '["orders:read", "orders:write"]', false],
    ['and another', '["orders:read"]', '["orders:write"]', false],
  ])('wants exactly its scopes: the same %s', (_, request, granted, holds) => {
    const staff = aPolicy('bundles: [{ name: staff, groups: [staff], scopes: ["*"] }]')
    const cases = parsePolicyCases(`cases: [{ name: c, groups: [staff], request: ${request}, expect: { granted: ${granted} } }]`)
    if (!cases.ok) throw new Error(JSON.stringify(cases.error))
    expect(runPolicyCases(staff, cases.value, [orders]).map(({ name }) => name)).toEqual(holds ? [] : ['c'])
  })

  test.each([
    ['a step-up', 'request: ["orders:admin"], expect: { granted: [] }', []],
    ['a step-up', 'request: ["orders:admin"], expect: { stepUp: true, granted: [] }', []],
    ['a step-up', 'request: ["orders:admin"], expect: { stepUp: fresh }', ['wanted a step-up (fresh), got a step-up (mfa): multi-factor']],
    ['a step-up', 'request: ["orders:admin"], expect: { denied: mfa_missing }', ['wanted mfa_missing, got a step-up (mfa): multi-factor']],
    ['a step-up', 'request: ["orders:admin"], expect: { refreshTokenSeconds: none }', ['wanted a refresh token of none s, got a step-up']],
    ['a denial', 'groups: [], expect: { denied: nothing_granted }', []],
    ['a denial', 'groups: [], expect: { denied: mfa_missing }', ['wanted mfa_missing, got nothing_granted: no rule grants any']],
    ['a denial', 'groups: [], expect: { stepUp: true }', ['wanted a step-up, got nothing_granted: no rule grants any']],
    ['a denial', 'groups: [], expect: { accessTokenSeconds: 60 }', ['wanted an access token of 60 s, got nothing_granted: no rule']],
    [
      'no refresh token',
      'request: ["orders:admin"], amr: [mfa], expect: { refreshTokenSeconds: 60 }',
      ['got [orders:admin] for 300 s, refresh none'],
    ],
    [
      'two scopes',
      'request: ["orders:read", "orders:admin"], amr: [mfa], expect: { granted: [] }',
      ['got [orders:read, orders:admin] for 300 s'],
    ],
    ['one scope', 'request: ["orders:read"], expect: { granted: ["a", "b"] }', ['wanted [a, b], got [orders:read] for']],
  ])('that came to %s: %s', (_, rest, failures) => {
    const found = failuresOf(`cases: [{ name: c, ${rest.startsWith('groups') ? '' : 'groups: [staff], '}${rest} }]`)
    expect(found).toEqual(failures.map((say) => expect.stringContaining(say)))
  })

  test('tells one kind of step-up from the other', () => {
    const admin = (rest: string, expected: string) =>
      `cases: [{ name: c, groups: [staff], request: ["orders:admin"], ${rest}, expect: { ${expected} } }]`
    expect(failuresOf(admin('amr: [pwd]', 'stepUp: mfa'))).toEqual([])
    expect(failuresOf(admin('amr: [pwd]', 'stepUp: fresh'))).toHaveLength(1)
    const old = (expected: string) =>
      `cases: [{ name: c, groups: [staff], request: ["orders:read"], sessionSecondsAgo: 30000, isOwnSession: false, expect: { ${expected} } }]`
    expect(failuresOf(old('stepUp: fresh'))).toEqual([])
    expect(failuresOf(old('stepUp: mfa'))).toHaveLength(1)
    expect(failuresOf(admin('amr: [mfa]', 'granted: ["orders:admin"], refreshTokenSeconds: none'))).toEqual([])
  })

  test('may bring a resource of its own', () => {
    const text =
      'resource: https://x.example\nscopes: { "orders:read": admin }\ncases: [{ name: c, groups: [staff], amr: [mfa], expect: { granted: ["orders:read"], accessTokenSeconds: 300 } }]'
    expect(failuresOf(text, [])).toEqual([])
  })

  test('without a resource means the only one, and there must be one', () => {
    const other = { ...orders, identifier: 'https://other.example' as never }
    expect(failuresOf(oneCase('expect: { granted: ["orders:read"] }'), [orders, other])).toEqual(['names no known resource'])
  })
})

describe('the resource of cases', () => {
  const resourceOf = (text: string) => {
    const cases = parsePolicyCases(`${text}\ncases: []`)
    if (!cases.ok) throw new Error(JSON.stringify(cases.error))
    return resourcesOfCases(cases.value, [orders])
  }
  test('is the one that they declare with its scopes', () => {
    expect(resourceOf('resource: https://x.example\nscopes: { a: admin }')).toEqual([
      {
        identifier: 'https://x.example',
        scopes: [{ name: 'a', tier: 'admin', description: 'a', isDefault: false }],
        accessTokenTtlSeconds: undefined,
      },
    ])
  })
  test.each(['', 'resource: https://x.example', 'scopes: { a: admin }'])(
    'is the tenant’s own where they declare no whole one: %s',
    (text) => {
      expect(resourceOf(text)).toEqual([orders])
    },
  )
})

describe('a situation', () => {
  test('says everything that a decision may depend on', () => {
    const situation = policySituation.parse({
      ...{ at: '2026-11-27T12:00:00+01:00', groups: ['g'], claims: { email: 'ada@acme.example' }, connection: 'c', acr: 'a', amr: ['mfa'] },
      ...{
        authenticatedSecondsAgo: 10,
        sessionSecondsAgo: 20,
        isOwnSession: false,
        idpSessionEndsInSeconds: 30,
        deactivatesInSeconds: -40,
      },
      client: { id: 'robot', host: 'robot.example', kind: 'dynamic', scopeCeiling: ['orders:read'] },
      ...{ resource: orders.identifier, request: ['orders:write'], kind: 'refresh', stepUpsDone: 1, address: '192.0.2.1', country: 'AT' },
    })
    const now = Date.parse('2026-11-27T11:00:00Z')
    const seconds = (after: number) => instant(now + after * 1000)
    expect(inputOfSituation(situation, [{ ...orders, identifier: 'https://other.example' as never }, orders])).toEqual({
      identity: {
        connectionId: 'c',
        stableId: 'person',
        subjectId: undefined,
        claims: new Map([['email', 'ada@acme.example']]),
        groups: { state: 'known', value: ['g'] },
        authentication: { acr: 'a', amr: ['mfa'], authenticatedAt: seconds(-10) },
        sessionExpiresAt: seconds(30),
        idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
      },
      deactivatesAt: seconds(-40),
      client: { id: 'robot', host: 'robot.example', kind: 'dynamic', scopeCeiling: ['orders:read'], accessTokenTtlSeconds: undefined },
      resource: orders,
      request: { scopes: ['orders:write'], stepUpsDone: 1, kind: 'refresh', address: '192.0.2.1', country: 'AT' },
      session: { startedAt: seconds(-20), isOwn: false },
      now,
    })
  })

  test('of which nothing is said is somebody with a password at an agent, on a Monday, who asks for all there is', () => {
    const now = instant(Date.parse('2026-11-23T10:00:00Z'))
    expect(inputOfSituation(policySituation.parse({}), [orders])).toMatchObject({
      identity: {
        ...{ connectionId: 'connection', claims: new Map(), groups: { state: 'known', value: [] }, sessionExpiresAt: undefined },
        authentication: { acr: undefined, amr: ['pwd'], authenticatedAt: now },
      },
      deactivatesAt: undefined,
      client: { id: 'agent', host: undefined, kind: 'metadata_document', scopeCeiling: [] },
      request: { scopes: orders.scopes.map(({ name }) => name), stepUpsDone: 0, kind: 'new_grant', address: undefined, country: undefined },
      session: { startedAt: now, isOwn: true },
      now,
    })
  })

  test('may say that groups are unknown, or that there are none', () => {
    const groupsOf = (groups: string) => inputOfSituation(policySituation.parse({ groups }), [orders])?.identity.groups
    expect([groupsOf('unknown'), groupsOf('absent')]).toEqual([{ state: 'unknown' }, { state: 'absent' }])
  })

  const letters = (length: number): string => 'x'.repeat(length)
  test.each<[string, number, number, (size: number) => object]>([
    ['a claim', 0, 1_024, (size) => ({ claims: { a: letters(size) } })],
    ['an item of a claim', 0, 1_024, (size) => ({ claims: { a: [letters(size)] } })],
    ['a list of claims', 0, 100, (size) => ({ claims: { a: Array.from({ length: size }, String) } })],
    ['claims', 0, 200, (size) => ({ claims: Object.fromEntries(Array.from({ length: size }, (_, index) => [`c${index}`, 1])) })],
    ['groups', 0, 1_000, (size) => ({ groups: Array.from({ length: size }, String) })],
    ['methods', 0, 20, (size) => ({ amr: Array.from({ length: size }, String) })],
    ['seconds since the sign-in', 0, 31_536_000, (size) => ({ authenticatedSecondsAgo: size })],
    ['seconds of the session', 0, 31_536_000, (size) => ({ sessionSecondsAgo: size })],
    ['the id of a client', 0, 2_048, (size) => ({ client: { id: letters(size) } })],
    ['scopes', 0, 100, (size) => ({ request: Array.from({ length: size }, (_, index) => `s${index}`) })],
    ['a scope', 1, 200, (size) => ({ request: [letters(size)] })],
    ['step-ups', 0, 1, (size) => ({ stepUpsDone: size })],
  ])('has of %s from %i to %i', (_, least, most, make) => {
    const takes = (size: number) => policySituation.safeParse(make(size)).success
    expect([takes(least), takes(most), takes(most + 1)]).toEqual([true, true, false])
    if (least > 0) expect(takes(least - 1)).toBe(false)
  })

  test.each<[string, object]>([
    ['a time without a zone', { at: '2026-11-27T12:00:00' }],
    ['groups of another word', { groups: 'none' }],
    ['a client of another kind', { client: { kind: 'other' } }],
    ['a misspelt member of the client', { client: { hosts: 'x' } }],
    ['seconds before the beginning', { sessionSecondsAgo: -1 }],
    ['half a second', { authenticatedSecondsAgo: 0.5 }],
    ['half a step-up', { stepUpsDone: 0.5 }],
    ['another kind of request', { kind: 'exchange' }],
    ['an age of another word', { authenticatedSecondsAgo: 'never' }],
  ])('is none with %s', (_, situation) => {
    expect(policySituation.safeParse(situation).success).toBe(false)
  })
})

test('cases may be named in as many letters as people read, and expect each thing in its own way', () => {
  const takes = (each: object) => policyCasesSchema.safeParse({ cases: [{ name: 'c', expect: { granted: [] }, ...each }] }).success
  expect([0, 1, 200, 201].map((length) => takes({ name: 'x'.repeat(length) }))).toEqual([false, true, true, false])
  const expectations = [{ stepUp: true }, { stepUp: 'mfa' }, { stepUp: 'fresh' }, { denied: 'x' }, { refreshTokenSeconds: 'none' }]
  expect(expectations.map((one) => takes({ expect: one }))).toEqual(expectations.map(() => true))
  const mistaken = [{ stepUp: false }, { stepUp: 'other' }, { refreshTokenSeconds: 'never' }, { grant: [] }, {}]
  expect(mistaken.map((one) => takes({ expect: one }))).toEqual(mistaken.map(() => false))
})

test.each([
  ['too large', `#${'x'.repeat(policyLimits.casesBytes)}`, 'cases_too_large', '', undefined, 'casesBytes: 262145'],
  ['unreadable', 'cases:\n  - [', 'cases_shape', '', 2, 'the test cases do not have their shape: '],
  ['nothing', '', 'cases_shape', 'cases', undefined, 'the test cases do not have their shape: '],
  [
    'a misspelt member',
    'cases:\n  - name: c\n    expect:\n      granted: []\n      grants: []',
    'cases_shape',
    'cases[0].expect',
    4,
    'Unrecognized key',
  ],
  [
    'an expectation of nothing',
    'cases:\n  - name: c\n    expect: {}',
    'cases_shape',
    'cases[0].expect',
    3,
    'expects nothing, so it could not fail',
  ],
  [
    'a name that is missing',
    'cases:\n  - name: c\n    expect: { granted: [] }\n  - expect: { granted: [] }',
    'cases_shape',
    'cases[1].name',
    4,
    '',
  ],
  [
    'more claims than a login brings',
    `cases:\n  - name: c\n    expect: { granted: [] }\n    claims: { ${Array.from({ length: 201 }, (_, index) => `c${index}: 1`).join(', ')} }`,
    'cases_shape',
    'cases[0].claims',
    4,
    'more than the limit claims: 200',
  ],
])('a mistake in cases is told with its place: %s', (_, text, reason, path, line, says) => {
  const parsed = parsePolicyCases(text)
  expect(parsed.ok ? [] : parsed.error).toMatchObject([{ reason, path, line, say: expect.stringContaining(says) }])
})

test('what is missing is told with the resource that is not there, and a case that holds is not told', () => {
  const cases = parsePolicyCases(
    'cases: [{ name: a, groups: [staff], request: ["orders:read"], expect: { granted: ["orders:read"] } }, { name: b, resource: "https://no.example", expect: { granted: [] } }]',
  )
  if (!cases.ok) throw new Error(JSON.stringify(cases.error))
  expect(runPolicyCases(policy, cases.value, [orders])).toEqual([{ name: 'b', say: 'names no known resource: https://no.example' }])
})

describe('cases are refused', () => {
  test.each([
    ['that expect nothing', 'cases: [{ name: c, expect: {} }]', 'cases_shape'],
    ['that are no YAML', 'cases: [', 'cases_shape'],
    ['with a misspelt member', 'cases: [{ name: c, gruops: [a], expect: { granted: [] } }]', 'cases_shape'],
    ['that are too large', `# ${'x'.repeat(policyLimits.casesBytes)}`, 'cases_too_large'],
    [
      'beyond the limit',
      JSON.stringify({ cases: Array.from({ length: policyLimits.cases + 1 }, () => ({ name: 'c', expect: { granted: [] } })) }),
      'cases_shape',
    ],
  ])('%s', (_, text, reason) => {
    const parsed = parsePolicyCases(text)
    expect(parsed.ok ? [] : parsed.error.map((one) => one.reason)).toContain(reason)
  })
})

test.each([
  ['claimCharacters', 'a claim', { claims: { name: 'x'.repeat(policyLimits.claimCharacters + 1) } }],
  ['claimListItems', 'a list', { claims: { roles: Array.from({ length: policyLimits.claimListItems + 1 }, String) } }],
  [
    'claims',
    'claims',
    { claims: Object.fromEntries(Array.from({ length: policyLimits.claims + 1 }, (_, index) => [`claim${index}`, 'x'])) },
  ],
  ['groups', 'groups', { groups: Array.from({ length: policyLimits.groups + 1 }, String) }],
  ['claimCharacters', 'a group', { groups: ['x'.repeat(policyLimits.claimCharacters + 1)] }],
])('the limit %s: %s beyond what a login can bring are no situation: what a condition costs is reckoned by it', (limit, _, situation) => {
  const parsed = policySituation.safeParse(situation)
  expect(parsed.error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining(`more than the limit ${limit}`)])
})

test('a resource that cases declare has a bounded number of scopes', () => {
  const scopes = Array.from({ length: policyLimits.caseScopes + 1 }, (_, index) => `s${index}: read`).join(', ')
  expect(parsePolicyCases(`resource: "https://mcp.example"\nscopes: { ${scopes} }\ncases: []\n`)).toMatchObject({
    ok: false,
    error: [{ reason: 'cases_shape', path: 'scopes', say: expect.stringContaining('more than the limit caseScopes') }],
  })
})
