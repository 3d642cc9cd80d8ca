import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Scope } from '../tenant/ids.js'
import { compilePolicy } from './compile.js'
import { decide } from './decide.js'
import { policyLimits } from './error.js'
import { type ConsideredRule, explain, explainLimits, shownValueLimits } from './explain.js'
import { aPolicy, aSituation, aWall, orders } from './fixtures/a-situation.js'

describe('an explanation', () => {
  const policy = aPolicy(`
bundles: [{ name: staff, groups: [staff], scopes: ["orders:read"] }]
rules:
  - { name: buyers, effect: grant, scopes: ["orders:write"], when: "claims.department == 'buying'" }
  - { name: fridays, effect: deny, scopes: ["orders:write"], when: "request.time.getDayOfWeek() == 5" }
  - { name: claude, effect: grant, scopes: ["orders:refund"], clients: { hosts: ["*.claude.example"] } }
clients: [{ name: slow, accessTokenSeconds: 120, clients: { kinds: [metadata_document] } }]
mfa: [{ name: strong, tiers: [write], freshSeconds: 60 }]`)
  const found = explain(
    policy,
    aSituation({ groups: ['staff'], claims: { department: 'buying' }, amr: ['pwd', 'otp'], client: { host: 'a.claude.example' } }),
  )
  const rulesOf = (scope: string): readonly ConsideredRule[] => found.scopes.find((one) => one.scope === scope)?.rules ?? []

  test('shows for each scope every rule that covers it, with line, outcome and the values that it read', () => {
    expect(rulesOf('orders:write')).toEqual([
      {
        name: 'buyers',
        owner: 'tenant',
        line: 5,
        effect: 'grant',
        outcome: 'yes',
        because: 'applies',
        values: [{ variable: 'claims.department', value: 'buying' }],
      },
      {
        name: 'fridays',
        owner: 'tenant',
        line: 6,
        effect: 'deny',
        outcome: 'no',
        because: 'its condition is false',
        values: [{ variable: 'request.time', value: '2026-11-23T10:00:00.000Z' }],
      },
    ])
    expect(rulesOf('orders:refund')).toMatchObject([{ name: 'claude', outcome: 'yes', values: [] }])
    expect(rulesOf('orders:admin')).toEqual([])
  })

  test('shows demands, rules for clients, strength and every ceiling', () => {
    expect(found.demands).toMatchObject([{ name: 'strong', outcome: 'yes', strength: 'multi_factor', missing: undefined }])
    expect(found.clientRules).toMatchObject([{ name: 'slow', outcome: 'yes' }])
    expect(found.strength).toEqual({ vendor: 'multi_factor', tenant: 'multi_factor' })
    expect(found.ceilings.access.map(({ by, seconds }) => [by, seconds])).toEqual([
      ['tier', 1800],
      ['tier', 900],
      ['tier', 600],
      ['client_rule', 120],
      ['session_absolute', 43_200],
      ['tier', 3600],
    ])
    expect(found.decision).toMatchObject({ kind: 'allow', accessTokenTtl: { seconds: 120, by: 'client_rule' } })
  })

  test.each([
    ['groups: [other]', { groups: ['staff'] }, 'no', 'she is in none of its groups'],
    ['groups: [other]', { groups: 'unknown' }, 'unclear', 'nobody knows her groups'],
    ['clients: { ids: [x] }', {}, 'no', 'it is for other clients'],
    ['clients: { hosts: [x.example] }', {}, 'unclear', 'nobody knows the host of this client'],
    [`when: "claims.department == 'x'"`, {}, 'unclear', 'its condition reads what is absent or unknown'],
    [`when: "claims.department == 'x'"`, { claims: { department: 'y' } }, 'no', 'its condition is false'],
  ] as const)('says why a rule with %s for %j is %s', (rule, given, outcome, because) => {
    const explained = explain(aPolicy(`rules: [{ name: r, effect: grant, scopes: ["*"], ${rule} }]`), aSituation(given as object))
    expect(explained.scopes[0]?.rules).toMatchObject([{ outcome, because }])
  })

  test('shows absent values as absent, and no more of a value than its limit', () => {
    const when = "claims.name == 'x' || claims.title == 'y' || 'z' in groups"
    const groups = Array.from({ length: 100 }, (_, index) => `g${index}`)
    const explained = explain(
      aPolicy(`rules: [{ name: r, effect: grant, scopes: ["*"], when: "${when}" }]`),
      aSituation({ groups, claims: { title: 'x'.repeat(1000) } }),
    )
    const values = explained.scopes[0]?.rules[0]?.values ?? []
    expect(values.map(({ variable }) => variable)).toEqual(['claims.name', 'claims.title', 'groups'])
    expect(values[0]?.value).toBe('(absent)')
    expect(values.every(({ value }) => value.length <= shownValueLimits.characters + 1)).toBe(true)
    expect(values[2]?.value).toContain('100 in all')
  })
})

test('explanation and decision never disagree, whatever the index skips', () => {
  const scope = fc.constantFrom(...orders.scopes.map(({ name }) => name as string), '*', 'orders:*', '*:write')
  const text = fc.constantFrom('a', 'b')
  const fact = fc.oneof(
    text.map((value) => `claims.department == '${value}'`),
    text.map((value) => `'${value}' in groups`),
    text.map((value) => `client.id == '${value}'`),
    text.map((value) => `client.host in ['${value}', 'c']`),
    text.map((value) => `claims.own == '${value}'`),
    fc.constant('auth.ageSeconds < 10'),
    fc.constant("resource == 'https://mcp.example'"),
  )
  const when = fc.oneof(
    fact,
    fc.tuple(fact, fact, fc.constantFrom('&&', '||')).map(([one, other, how]) => `(${one}) ${how} (${other})`),
    fact.map((one) => `!(${one})`),
  )
  const group = fc.oneof(text, fc.constantFrom({ path: '/x' }, { path: '/x/y' }))
  const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
  const rule = fc.record({
    effect: fc.constantFrom('grant', 'deny'),
    scopes: fc.array(scope, { minLength: 1, maxLength: 2 }),
    groups: optional(fc.array(group, { minLength: 1, maxLength: 2 })),
    clients: optional(
      fc.oneof(
        fc.record({ ids: fc.array(text, { minLength: 1 }) }),
        fc.constant({ hosts: ['*.example'] }),
        fc.constant({ kinds: ['dynamic'] }),
      ),
    ),
    when: optional(when),
  })
  const given = fc.record({
    groups: fc.oneof(fc.subarray(['a', 'b', '/x/y/z', '/x']), fc.constantFrom('unknown' as const, 'absent' as const)),
    claims: fc.oneof(fc.constant({}), fc.record({ department: text, own: text })),
    client: fc.record({
      id: text,
      host: optional(fc.constantFrom('a', 'c', 'd.example')),
      kind: fc.constantFrom('dynamic' as const, 'preregistered' as const),
    }),
    authenticatedSecondsAgo: fc.constantFrom(0, 100, 'unknown' as const),
  })
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 12 }), given, fc.boolean(), (rules, situation, derives) => {
      const document = {
        version: 1,
        claims: { own: derives ? { type: 'string', from: "'a'" } : 'string' },
        rules: rules.map((one, index) => ({ name: `r${index}`, everyone: true, ...one })),
      }
      const compiled = compilePolicy(JSON.stringify(document))
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
      const input = aSituation(situation)
      const decision = decide(compiled.value, input)
      for (const { scope: name, granted, because, rules: considered } of explain(compiled.value, input).scopes) {
        const isDenied = considered.some(({ effect, outcome }) => effect === 'deny' && outcome !== 'no')
        const isGranted = considered.some(({ effect, outcome }) => effect === 'grant' && outcome === 'yes')
        // Something else may be missing; what the rules say is then in the words.
        const said = granted || because.startsWith('would be granted')
        expect([name, said]).toEqual([name, isGranted && !isDenied])
        expect(decision.kind === 'allow' ? decision.scopes.includes(name) : false).toBe(granted)
      }
    }),
    { numRuns: 5 * (fc.readConfigureGlobal().numRuns ?? 100) },
  )
})

test('of many rules for one scope shows those that apply first, and says how many it leaves out', () => {
  const rules = Array.from(
    { length: explainLimits.rulesOfScope + 5 },
    (_, index) => `{ name: a${index}, groups: [g${index}], scopes: ["*"] }`,
  )
  const found = explain(
    aPolicy(`bundles: [${rules.join(', ')}, { name: z, groups: [staff], scopes: ["*"] }]`),
    aSituation({ groups: ['staff'] }),
  )
  const [scope] = found.scopes
  expect([scope?.rules.length, scope?.rulesLeftOut]).toEqual([explainLimits.rulesOfScope, 6])
  expect(scope?.rules[0]).toMatchObject({ name: 'z', outcome: 'yes' })
})

test('shows so many values in all, however many scopes stand under the rules that read them: an answer of 80 megabytes stops a process', () => {
  const names = Array.from({ length: 150 }, (_, index) => `c${index}`)
  const condition = names.slice(0, 60).map((name) => `claims.${name} == ''`)
  const rules = Array.from(
    { length: 50 },
    (_, index) => `{ name: r${index}, effect: grant, scopes: ["*"], when: "${condition.join(' || ')}" }`,
  )
  const scopes = Array.from({ length: policyLimits.requestScopes }, (_, index) => `s${index}`)
  const policy = aPolicy(`claims: { ${names.map((name) => `${name}: string`).join(', ')} }\nrules: [${rules.join(', ')}]`)
  const claims = Object.fromEntries(names.map((name) => [name, 'x'.repeat(policyLimits.claimCharacters)]))
  const resource = {
    ...orders,
    scopes: scopes.map((name) => ({ name: name as Scope, tier: 'read' as const, description: name, isDefault: false })),
  }
  const found = explain(policy, aSituation({ claims, request: scopes }, resource))
  const shown = found.scopes.flatMap((scope) => scope.rules.flatMap(({ values }) => values))
  expect(shown).toHaveLength(explainLimits.values)
  expect(found.valuesLeftOut).toBe(scopes.length * rules.length * 60 - explainLimits.values)
  expect(JSON.stringify(found).length).toBeLessThan(4_000_000)
})

describe('how near a look an explanation takes', () => {
  const rule = (name: string, rest: string): string => `{ name: ${name}, effect: grant, scopes: ["*"], ${rest} }`
  const lookAt = (rules: readonly string[], given: object, wall?: string) => {
    const policy = aPolicy(`rules: [${rules.join(', ')}]`, wall === undefined ? {} : { wall: aWall(wall) })
    return explain(policy, aSituation({ request: ['orders:read'], ...given }))
  }
  const rulesFor = (...[rules, given, wall]: Parameters<typeof lookAt>) => lookAt(rules, given, wall).scopes[0]?.rules ?? []
  const valueOf = (when: string, given: object): string | undefined => rulesFor([rule('r', `when: "${when}"`)], given)[0]?.values[0]?.value

  test.each([
    ['a text', 'resource.size() > 0', {}, 'https://mcp.example'],
    ['a number', 'claims.level > 1.0', { claims: { level: 2 } }, '2'],
    ['a truth', 'claims.email_verified', { claims: { email_verified: false } }, 'false'],
    ['a whole number of seconds', 'auth.ageSeconds > 1', { authenticatedSecondsAgo: 7 }, '7'],
    ['a moment', 'auth.authenticatedAt < request.time', { authenticatedSecondsAgo: 1 }, '2026-11-23T09:59:59.000Z'],
    ['a list', "'b' in claims.roles", { claims: { roles: ['a', 'b'] } }, '[a, b]'],
    ['an empty list', "'b' in groups", { groups: [] }, '[]'],
    ['of what nobody knows, nothing', "'b' in groups", { groups: 'unknown' }, '(absent)'],
    ['of a claim that is absent, nothing', "claims.name == 'a'", {}, '(absent)'],
    ['of all claims, that they are several', "claims['name'] == 'a'", { claims: { name: 'a' } }, '(several fields)'],
  ] as const)('of %s it shows what was read', (_, when, given, shown) => {
    const policy = aPolicy(`claims: { level: number }\nrules: [${rule('r', `when: "${when}"`)}]`)
    expect(explain(policy, aSituation({ request: ['orders:read'], ...(given as object) })).scopes[0]?.rules[0]?.values[0]?.value).toBe(
      shown,
    )
  })

  test('of a long text and of a long list it shows the beginning, to the last character and item', () => {
    const { characters, items } = shownValueLimits
    const text = (length: number) => valueOf("claims.name == 'a'", { claims: { name: 'x'.repeat(length) } })
    expect([text(characters), text(characters + 1)]).toEqual(['x'.repeat(characters), `${'x'.repeat(characters)}…`])
    const list = (length: number) => valueOf("'a' in groups", { groups: Array.from({ length }, () => 'g') })
    const whole = Array.from({ length: items }, () => 'g').join(', ')
    expect([list(items), list(items + 1)]).toEqual([`[${whole}]`, `[${whole}, … ${items + 1} in all]`])
  })

  test.each([
    ['a rule that applies', 'everyone: true', {}, 'yes', 'applies'],
    ['groups that she is in, and another client', 'groups: [g], clients: { ids: [x] }', { groups: ['g'] }, 'no', 'it is for other clients'],
    ['groups that she is not in, and another client', 'groups: [g], clients: { ids: [x] }', {}, 'no', 'she is in none of its groups'],
    [
      'groups that she is in, and a false condition',
      `groups: [g], when: "claims.name == 'x'"`,
      { groups: ['g'], claims: { name: 'y' } },
      'no',
      'its condition is false',
    ],
    [
      'groups that she is in, and an unclear condition',
      `groups: [g], when: "claims.name == 'x'"`,
      { groups: ['g'] },
      'unclear',
      'its condition reads what is absent or unknown',
    ],
    [
      'its client, and a false condition',
      `clients: { ids: [agent] }, when: "claims.name == 'x'"`,
      { claims: { name: 'y' } },
      'no',
      'its condition is false',
    ],
    [
      'its client, and an unclear condition',
      `clients: { ids: [agent] }, when: "claims.name == 'x'"`,
      {},
      'unclear',
      'its condition reads what is absent or unknown',
    ],
    [
      'groups that nobody knows, and a client of a host',
      'groups: [g], clients: { hosts: [a.example] }',
      { groups: 'unknown', client: { host: 'a.example' } },
      'unclear',
      'nobody knows her groups',
    ],
    [
      'groups that she is in, and a client without a host',
      'groups: [g], clients: { hosts: [a.example] }',
      { groups: ['g'] },
      'unclear',
      'nobody knows the host of this client',
    ],
    [
      'groups that nobody knows, and another client',
      'groups: [g], clients: { ids: [x] }',
      { groups: 'unknown' },
      'no',
      'it is for other clients',
    ],
  ] as const)('it says of %s why: %s', (_, rest, given, outcome, because) => {
    expect(rulesFor([rule('r', rest)], given as object)).toMatchObject([{ outcome, because }])
  })

  test('it shows rules for the scope and the resource alone, the vendor’s among them', () => {
    const rules = [
      rule('all', 'everyone: true'),
      rule('here', 'everyone: true, resource: "https://mcp.example"'),
      rule('there', 'everyone: true, resource: "https://other.example"'),
      '{ name: write, effect: deny, scopes: ["orders:write"], everyone: true }',
    ]
    const found = rulesFor(rules, {}, 'rules: [{ name: wall, effect: deny, scopes: ["orders:r*"], groups: [g] }]')
    expect(found.map(({ owner, name, effect, outcome }) => [owner, name, effect, outcome])).toEqual([
      ['vendor', 'wall', 'deny', 'no'],
      ['tenant', 'all', 'grant', 'yes'],
      ['tenant', 'here', 'grant', 'yes'],
    ])
  })

  test('it shows demands with what they miss, and no refresh ceilings where there is no refresh token', () => {
    const policy = aPolicy(
      `rules: [${rule('all', 'everyone: true')}]\nmfa: [{ name: strong, when: "claims.name == 'x'" }, { name: other, tiers: [admin] }]`,
    )
    const found = explain(policy, aSituation({ request: ['orders:read'] }))
    expect(found.demands).toMatchObject([
      {
        name: 'strong',
        owner: 'tenant',
        line: 3,
        outcome: 'unclear',
        strength: 'multi_factor',
        missing: expect.stringContaining('multi-factor authentication'),
      },
    ])
    expect(found.demands[0]?.values).toEqual([{ variable: 'claims.name', value: '(absent)' }])
    expect(explain(policy, aSituation({ request: ['orders:admin'], amr: ['mfa'] })).ceilings.refresh).toBeUndefined()
  })

  test('it tells how strong she is in the eyes of each', () => {
    const policy = aPolicy('acr: { "urn:a": multi_factor }')
    expect(explain(policy, aSituation({ acr: 'urn:a' })).strength).toEqual({ vendor: 'single_factor', tenant: 'multi_factor' })
  })

  test('of more rules than it shows, those that nobody can judge come after those that apply and before the others', () => {
    const many = Array.from({ length: explainLimits.rulesOfScope - 1 }, (_, index) => rule(`a${index + 10}`, 'groups: [other]'))
    const few = [rule('u', 'when: "claims.name == \'x\'"'), rule('y', 'everyone: true')]
    const look = lookAt([...many.slice(1), ...few], {})
    expect([look.scopes[0]?.rules.length, look.scopes[0]?.rulesLeftOut]).toEqual([explainLimits.rulesOfScope, 0])
    expect(look.scopes[0]?.rules[0]).toMatchObject({ name: 'a11' })
    const closer = lookAt([...many, ...few], {})
    expect([closer.scopes[0]?.rules.length, closer.scopes[0]?.rulesLeftOut]).toEqual([explainLimits.rulesOfScope, 1])
    expect(closer.scopes[0]?.rules.slice(0, 3)).toMatchObject([{ name: 'y' }, { name: 'u' }, { name: 'a10' }])
  })
})
