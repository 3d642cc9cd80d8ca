/** What conditions are given is what they read, no less, and nothing that only the language underneath would say is there. */
import { describe, expect, test } from '@jest/globals'
import { conditionCompiler } from './cel.js'
import { type VariableName, variableNames } from './cel-variables.js'
import { variablesOf } from './context.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

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
