import { describe, expect, test } from 'vitest'
import { decide } from './decide.js'
import { explain } from './explain.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const small = '6f9619ff-8b86-d011-b42d-00cf4fc964ff'
const large = small.toUpperCase()
const mixed = '6F9619ff-8b86-D011-b42d-00CF4FC964FF'
const spellings = [small, large, mixed]
const pairs = spellings.flatMap((written) => spellings.map((sent) => [written, sent] as const))

const decided = (rule: string, situation: object) => {
  const policy = aPolicy(`rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }, ${rule}]`)
  const input = aSituation({ request: ['orders:read'], ...situation })
  const decision = decide(policy, input)
  expect(explain(policy, input).decision).toEqual(decision)
  return decision.kind
}
const denying = (when: string) => `{ name: no, effect: deny, scopes: ["*"], when: "${when}" }`

describe('a GUID in a condition is the same in any case', () => {
  test.each([
    ['a group', (id: string) => `'${id}' in groups`, (id: string) => ({ groups: ['others', id] })],
    ['one group of several', (id: string) => `groups.exists(g, g in ['x', '${id}'])`, (id: string) => ({ groups: [id] })],
    ['any of a list', (id: string) => `['x', '${id}'].exists(g, g in groups)`, (id: string) => ({ groups: [id] })],
    ['a claim', (id: string) => `claims.employee_number == '${id}'`, (id: string) => ({ claims: { employee_number: id } })],
    ['a claim that is a list', (id: string) => `'${id}' in claims.roles`, (id: string) => ({ claims: { roles: [id] } })],
    ['a client', (id: string) => `client.id == '${id}'`, (id: string) => ({ client: { id } })],
  ])('%s', (_what, written, sent) => {
    for (const [one, other] of pairs) {
      const policy = aPolicy(`rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }, ${denying(written(one))}]`)
      const input = aSituation({ request: ['orders:read'], ...sent(other) })
      expect([one, other, decide(policy, input).kind]).toEqual([one, other, 'deny'])
      expect(explain(policy, input).decision.kind).toBe('deny')
    }
  })

  test('and another one is another', () => {
    expect(decided(denying(`'${large}' in groups`), { groups: [small.replace('6', '7')] })).toBe('allow')
  })

  test.each(['Engineering', `${large} `, `x${large}`, large.replace('F', 'G')])('the case of %j counts', (text) => {
    expect(decided(denying(`'${text}' in groups`), { groups: [text] })).toBe('deny')
    expect(decided(denying(`'${text}' in groups`), { groups: [text.toLowerCase()] })).toBe('allow')
  })
})
