/** What conditions are given is what they read, no less, and nothing that only the language underneath would say is there. */
import { describe, expect, test } from 'vitest'
import { addSeconds } from '../instant.js'
import { conditionCompiler } from './cel.js'
import { type VariableName, variableNames } from './cel-variables.js'
import { unknownClaim, variablesOf } from './context.js'
import { decide } from './decide.js'
import { policyLimits } from './error.js'
import { aPolicy, aSituation, orders } from './fixtures/a-situation.js'

const compile = conditionCompiler({})
const given = {
  claims: { department: 'a', roles: ['a'] },
  groups: ['a', 'b'],
  acr: 'a',
  amr: ['pwd'],
  authenticatedSecondsAgo: 1,
  address: 'a',
  country: 'AT',
  client: { id: 'a', host: 'a' },
}
const seen = () => variablesOf(aSituation(given), { strength: () => 'single_factor', derivedClaims: [] })

describe('a condition is given all that it reads', () => {
  test.each([
    ["claims.department == 'a'", ['claims']],
    ["claims['department'] == 'a'", ['claims']],
    ['has(claims.department)', ['claims']],
    ["'a' in groups && subject.stableId == 'person'", ['groups', 'subject']],
    ["groups.exists(g, g == claims.department && auth.acr == 'a')", ['groups', 'claims', 'auth']],
    ["[client.host, resource].exists(x, x == 'a')", ['client', 'resource']],
    ["request.country == 'AT' ? auth.strength == 'single_factor' : 'a' in claims.roles", ['request', 'auth', 'claims']],
    ["groups.filter(g, g != request.address) == ['b']", ['groups', 'request']],
    ["['a'].exists(claims, claims == 'a')", ['claims']],
    ['-auth.ageSeconds == -1 && !client.attested', ['auth', 'client']],
  ] as const)('%s', (source, variables) => {
    const compiled = compile(source)
    if (!compiled.ok) throw new Error(compiled.error.say)
    const { value } = compiled
    expect(value.variables).toEqual(variables)
    const everything = seen()([...variableNames])
    expect(value.evaluate(seen()(value.variables))).toBe(value.evaluate(everything))
    expect(value.evaluate(everything)).toBe(true)
  })

  test('and what it does not read is not made', () => {
    const made = variablesOf(aSituation(given), { strength: () => 'unknown', derivedClaims: [] })(['groups'])
    const names = (Object.keys(made) as VariableName[]).filter((name) => made[name] !== undefined)
    expect(names).toEqual(['groups'])
  })
})

describe.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'get', 'size'])('a claim of the name %s', (name) => {
  const policy = aPolicy(
    `claims: { ${name}: string }\nrules:\n - { name: all, effect: grant, scopes: ["*"], everyone: true }\n - { name: no, effect: deny, scopes: ["*"], when: "has(claims.${name}) && claims.${name} == 'x'" }`,
  )
  const kindFor = (claims: Record<string, string>) => decide(policy, aSituation({ request: ['orders:read'], claims })).kind

  test('is absent until a login brings it', () => {
    expect(kindFor({})).toBe('allow')
    expect(kindFor({ [name]: 'y' })).toBe('allow')
    expect(kindFor({ [name]: 'x' })).toBe('deny')
  })
})

type Input = Parameters<typeof variablesOf>[0]
type Person = NonNullable<Parameters<typeof variablesOf>[1]>
const allOf = (input: Input, person: Person | undefined) => variablesOf(input, person)([...variableNames])
const somebody = (strength: ReturnType<Person['strength']>, derivedClaims: Person['derivedClaims'] = []): Person => ({
  strength: () => strength,
  derivedClaims,
})

test('a condition sees all that is known, and without a person what is known of the request', () => {
  const whole = aSituation({
    ...{ groups: ['g'], claims: { email: 'ada@acme.example', level: 3 }, connection: 'c', acr: 'urn:a', amr: ['mfa'] },
    ...{ authenticatedSecondsAgo: 90, request: ['orders:read'], address: '192.0.2.1', country: 'AT' },
    client: { id: 'robot', host: 'robot.example', kind: 'dynamic' },
  })
  const input: Input = { ...whole, client: { ...whole.client, attested: true }, identity: { ...whole.identity, subjectId: 's' as never } }
  const ofRequest = {
    client: { id: 'robot', host: 'robot.example', kind: 'dynamic', attested: true },
    resource: orders.identifier,
    request: { scopes: ['orders:read'], time: new Date(input.now), address: '192.0.2.1', country: 'AT' },
  }
  const authenticatedAt = new Date(addSeconds(input.now, -90))
  expect(allOf(input, somebody('multi_factor'))).toEqual({
    subject: { id: 's', stableId: 'person', connection: 'c' },
    claims: new Map<string, unknown>([
      ['email', 'ada@acme.example'],
      ['level', 3],
    ]),
    groups: ['g'],
    auth: { acr: 'urn:a', amr: ['mfa'], strength: 'multi_factor', ageSeconds: 90n, authenticatedAt, connection: 'c' },
    ...ofRequest,
  })
  expect(allOf(input, undefined)).toEqual(ofRequest)
})

test('a condition sees nothing in the place of what nobody knows', () => {
  const input = aSituation({ groups: 'unknown', amr: [], authenticatedSecondsAgo: 'unknown', request: ['orders:read'] })
  expect(allOf(input, somebody('unknown'))).toEqual({
    subject: { stableId: 'person', connection: 'connection' },
    claims: new Map(),
    auth: { connection: 'connection' },
    client: { id: 'agent', kind: 'metadata_document', attested: false },
    resource: orders.identifier,
    request: { scopes: ['orders:read'], time: new Date(input.now) },
  })
})

test('somebody of whom it is known that she has no groups has none', () => {
  expect(allOf(aSituation({ groups: 'absent' }), somebody('unknown')).groups).toEqual([])
})

describe('a claim that a policy makes', () => {
  const seenFor = (result: unknown): unknown => {
    const made = { name: 'made', value: { source: '', cost: 1, variables: [], evaluate: () => result } }
    return allOf(aSituation({ claims: { made: 'by the login', other: 1 } }), somebody('unknown', [made])).claims
  }
  const { claimCharacters, claimListItems } = policyLimits
  test.each([
    ['a text', 'a', true],
    ['the longest text', 'x'.repeat(claimCharacters), true],
    ['a longer one', 'x'.repeat(claimCharacters + 1), false],
    ['the longest list', Array.from({ length: claimListItems }, String), true],
    ['a longer one', Array.from({ length: claimListItems + 1 }, String), false],
    ['a list with too long a text', ['a', 'x'.repeat(claimCharacters + 1)], false],
    ['an empty list', [], true],
    ['a number', 0, true],
    ['a truth', false, true],
    ['a moment', new Date(0), false],
    ['nothing', undefined, false],
  ])('is seen when it comes to %s; otherwise it is unknown', (_, result, isSeen) => {
    const other = ['other', 1] as const
    expect(seenFor(result)).toEqual(new Map<string, unknown>([['made', isSeen ? result : unknownClaim], other]))
  })

  test('is made of what the login said, never of another that is made', () => {
    const claims = 'claims: { a: { type: string, from: "claims.name" }, b: { type: string, from: "claims.department" } }'
    const policy = aPolicy(`${claims}\nrules: [{ name: r, effect: grant, scopes: ["*"], when: "claims.a + claims.b == 'xy'" }]`)
    const decided = (given: Record<string, string>) => decide(policy, aSituation({ request: ['orders:read'], claims: given })).kind
    expect([decided({ name: 'x', department: 'y' }), decided({ name: 'x', b: 'y' })]).toEqual(['allow', 'deny'])
  })
})
