/** What a login brings need not be of the type that a policy declares: then nobody can judge the condition, whichever way it asks. */
import { expect, test } from 'vitest'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const declared = 'claims: { level: number, tags: list, cleared: boolean }'
const all = '{ name: all, effect: grant, scopes: ["*"], everyone: true }'

test.each<[string, Record<string, unknown>]>([
  ["claims.department == 'a'", { department: ['a'] }],
  ["claims.department != 'a'", { department: ['a'] }],
  ["claims.department == '3'", { department: 3 }],
  ["claims.department in ['a']", { department: ['a'] }],
  ["!(claims.department in ['a'])", { department: ['a'] }],
  ["claims.department > 'a'", { department: true }],
  ["claims.department.startsWith('a')", { department: ['a'] }],
  ['has(claims.department)', { department: ['a'] }],
  ['!has(claims.department)', { department: 3 }],
  ['claims.cleared', { cleared: 'true' }],
  ['!claims.cleared', { cleared: 'false' }],
  ['claims.cleared == true', { cleared: 1 }],
  ["'x' in claims.tags", { tags: 'x' }],
  ["!('x' in claims.tags)", { tags: 'x' }],
  ["claims.tags.exists(tag, tag == 'x')", { tags: 'x' }],
  ["claims.tags.all(tag, tag == 'x')", { tags: 3 }],
  ['size(claims.tags) == 1', { tags: 'x' }],
  ['claims.level == 3.0', { level: '3' }],
  ['claims.level != 3.0', { level: '3' }],
  ['claims.level > 2.0', { level: ['3'] }],
])('%s of %j is unclear', (when, claims) => {
  const input = aSituation({ request: ['orders:read'], claims } as never)
  const denied = decide(aPolicy(`${declared}\nrules: [${all}, { name: d, effect: deny, scopes: ["*"], when: "${when}" }]`), input)
  expect(denied).toMatchObject({ kind: 'deny', explanation: { unclear: 1 } })
  const granting = aPolicy(`${declared}\nrules: [{ name: g, effect: grant, scopes: ["*"], when: "${when}" }]`)
  expect(decide(granting, input)).toMatchObject({ kind: 'deny', explanation: { unclear: 1 } })
  const demanding = aPolicy(`${declared}\nrules: [${all}]\nmfa: [{ name: m, when: "${when}" }]`)
  expect(decide(demanding, input)).toMatchObject({ kind: 'stepUp', demand: 'mfa', explanation: { unclear: 1 } })
})
