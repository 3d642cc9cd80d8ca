import { expect, test } from 'vitest'
import { decide } from './decide.js'
import { aPolicy, aSituation, aWall } from './fixtures/a-situation.js'

const guid = '0D9F2C1E-5B7A-4C3D-9E8F-112233445566'

/** Each denies, and each is one that a hasty reading of its condition would look for in the wrong place. */
test.each([
  ['one of two facts', `claims.title == 'a' || request.country == 'CH'`, { claims: { title: 'b' }, country: 'CH' }],
  ['the first of two values', `claims.title == 'a' || claims.title == 'b'`, { claims: { title: 'a' } }],
  ['the second of two values', `claims.title == 'a' || claims.title == 'b'`, { claims: { title: 'b' } }],
  ['the other branch of a choice', `claims.title == 'a' ? false : true`, { claims: { title: 'b' } }],
  ['a list that is not all literal', `claims.title in ['a', claims.name]`, { claims: { title: 'b', name: 'b' } }],
  ['a text in a list that is not her groups', `'a' in claims.roles`, { claims: { roles: ['a'] } }],
  ['two groups at once', `'a' in groups && 'b' in groups`, { groups: ['a', 'b'] }],
  ['a group by its id, as it is written', `'${guid}' in groups`, { groups: [guid] }],
  ['the resource', `resource == 'https://mcp.example'`, { claims: { e: 'x' } }],
  ['a host that nobody knows', `client.host == 'a.example'`, {}],
  ['a client’s id, beside a host', `client.id == 'robot'`, { client: { id: 'robot', host: 'a.example' } }],
  ['a client’s host, beside an id', `client.host == 'a.example'`, { client: { id: 'robot', host: 'a.example' } }],
  ['what is not equal', `claims.title != 'a'`, { claims: { title: 'b' } }],
  ['a claim of another type than it should be', `claims.title == 'a'`, { claims: { title: 5 } }],
  ['a variable that a macro hides', `['a'].exists(claims, claims == 'a')`, {}],
] as const)('a deny is found that stands under %s', (_, when, given) => {
  const rules = [
    { name: 'all', effect: 'grant', scopes: ['*'], everyone: true },
    { name: 'no', effect: 'deny', scopes: ['*'], when },
  ]
  const input = aSituation({ request: ['orders:read'], ...(given as object) })
  expect(decide(aPolicy(`rules: ${JSON.stringify(rules)}`), input)).toMatchObject({ kind: 'deny', reason: 'nothing_granted' })
})

test.each([
  ['the client’s id', { clients: { ids: ['robot'] } }],
  ['the client’s host', { clients: { hosts: ['a.example'] } }],
  ['the resource', { resource: 'https://mcp.example', everyone: true }],
  ['the resource and a group', { resource: 'https://mcp.example', groups: ['g'] }],
])('a grant is found that is for %s', (_, rest) => {
  const rules = [{ name: 'r', effect: 'grant', scopes: ['orders:read'], ...rest }]
  const input = aSituation({ request: ['orders:read'], groups: ['g'], client: { id: 'robot', host: 'a.example' } })
  expect(decide(aPolicy(`rules: ${JSON.stringify(rules)}`), input).kind).toBe('allow')
})

test('a deny of the vendor is found that reads a claim which the vendor’s policy makes', () => {
  const wall = aWall(
    `claims: { made: { type: string, from: "'a'" } }\nrules: [{ name: no, effect: deny, scopes: ["*"], when: "claims.made == 'a'" }]`,
  )
  const policy = aPolicy('rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]', { wall })
  expect(decide(policy, aSituation({ request: ['orders:read'], claims: { made: 'b' } })).kind).toBe('deny')
})

test('of several rules that hold the first by name is told, wherever the index finds it', () => {
  const rules = ['b', 'a', 'c'].map((name) => ({ name, effect: 'grant', scopes: ['orders:read'], groups: [name] }))
  const decision = decide(aPolicy(`rules: ${JSON.stringify(rules)}`), aSituation({ request: ['orders:read'], groups: ['c', 'a', 'b'] }))
  expect(decision.explanation.scopes[0]).toMatchObject({ rule: 'a' })
})

test('a group that the document defines is indexed once, however many rules name it', () => {
  const names = Array.from({ length: 998 }, (_, index) => `n${index}`)
  const bundles = Array.from({ length: 150 }, (_, index) => ({ name: `b${index}`, groups: ['all', `own-${index}`], scopes: [`s${index}`] }))
  const policy = aPolicy(`groups: { all: { names: [${names.join(', ')}], paths: [/a, /b] } }\nbundles: ${JSON.stringify(bundles)}`)
  const { definedByName, definedByPlace, byGroup } = policy.index
  expect([definedByName.size, definedByPlace.size, byGroup.byValue.size]).toEqual([998, 2, 150])
  expect(new Set([...definedByName.values(), ...definedByPlace.values()].flat()).size).toBe(1)
  expect(new Set(policy.rules.map(({ groups }) => groups?.defined[0])).size).toBe(1)
})

test.each([[['n7']], [['n7', 'n8', 'own']], [['/a/b']], [['x', '/b']], [['own']]])(
  'whoever is in %j is found by a defined group, or by a name beside it',
  (groups) => {
    const defined = 'groups: { all: { names: [n7, n8], paths: [/a, /b] }, none: { names: [m] } }'
    const rules = [
      { name: 'grant', effect: 'grant', scopes: ['orders:read'], groups: ['all', 'none', 'own'] },
      { name: 'deny', effect: 'deny', scopes: ['orders:read'], groups: ['none'] },
    ]
    const policy = aPolicy(`${defined}\nrules: ${JSON.stringify(rules)}`)
    expect(decide(policy, aSituation({ request: ['orders:read'], groups })).kind).toBe('allow')
    expect(decide(policy, aSituation({ request: ['orders:read'], groups: [...groups, 'm'] })).kind).toBe('deny')
    expect(decide(policy, aSituation({ request: ['orders:read'], groups: ['y'] })).kind).toBe('deny')
  },
)
