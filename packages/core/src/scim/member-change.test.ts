/** Two sets say what any sequence of operations does to members: as if each had been applied to the list in turn. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import { membersIn, onlyAdds, planGroupPatch } from './member-change.js'
import { parsePatch } from './patch.js'
import { groupType } from './resource-type.js'

const parsed = (Operations: readonly object[]) => {
  const operations = parsePatch(groupType, { Operations } as never)
  if (!operations.ok) throw new Error(operations.error.reason)
  return operations.value
}
const id = fc.constantFrom('a', 'b', 'c', 'd')
const members = fc.uniqueArray(id, { maxLength: 4 })
const values = members.map((ids) => ids.map((value) => ({ value })))
const operation = fc.oneof(
  values.map((value) => ({ op: 'add', path: 'members', value })),
  values.map((value) => ({ op: 'replace', path: 'members', value })),
  values.map((value) => ({ op: 'remove', path: 'members', value })),
  fc.constant({ op: 'remove', path: 'members' }),
  fc.constant({ op: 'replace', value: { displayName: 'Other' } }),
)

test('the sets come to what the operations do to the list, one after the other', () => {
  fc.assert(
    fc.property(members, fc.array(operation, { minLength: 1, maxLength: 6 }), (before, given) => {
      const operations = parsed(given)
      const document = { displayName: 'Group', ...(before.length === 0 ? {} : { members: before.map((value) => ({ value })) }) }
      const applied = applyPatch(document, operations)
      const plan = planGroupPatch(operations)
      if (!applied.ok || !plan.ok || plan.value.kind !== 'clear') throw new Error('such operations are clear')
      const { from, add, remove } = plan.value.members
      const kept = from === 'none' ? [] : before.filter((one) => !remove.has(one))
      const listed = membersIn(applied.value['members'])
      expect({ ok: true, value: new Set([...kept, ...add]) }).toEqual(listed)
      expect([...add].filter((one) => remove.has(one))).toEqual([])
      if (onlyAdds(plan.value.members)) expect(before.every((one) => listed.ok && listed.value.has(one))).toBe(true)
    }),
  )
})

test.each([
  ['members[value eq "a"]', ['a']],
  ['members[value eq "a" or value eq "b"]', ['a', 'b']],
  ['members[value eq "a" and type eq "User"]', 'unclear'],
  ['members[not (value eq "a")]', 'unclear'],
  ['members[display eq "a"]', 'unclear'],
])('whom %s removes', (path, named) => {
  const plan = planGroupPatch(parsed([{ op: 'remove', path }]))
  if (!plan.ok) throw new Error(plan.error.reason)
  expect(plan.value.kind === 'unclear' ? 'unclear' : [...plan.value.members.remove]).toEqual(named)
})

test.each([
  [undefined, []],
  [[{ value: 'a' }, { value: 'a', display: 'twice' }], ['a']],
  [[{ $ref: 'https://x/scim/v2/Users/b' }], ['b']],
  [['c'], ['c']],
  ['d', ['d']],
])('members in %j', (value, ids) => expect(membersIn(value)).toEqual({ ok: true, value: new Set(ids) }))

test.each([[[{ display: 'nobody' }]], [[7]], [[{ value: '' }]], [[{ $ref: 'nowhere/' }]]])('%j names nobody and is refused', (value) => {
  expect(membersIn(value as never)).toMatchObject({ ok: false, error: { reason: 'scim_value_invalid' } })
})

test('the id of a member cannot be changed, and its name is ours to say', () => {
  expect(planGroupPatch(parsed([{ op: 'replace', path: 'members[value eq "a"].value', value: 'b' }]))).toMatchObject({
    error: { reason: 'scim_mutability' },
  })
  expect(planGroupPatch(parsed([{ op: 'replace', path: 'members[value eq "a"].display', value: 'b' }]))).toMatchObject({
    value: { kind: 'clear', attributes: [], members: { from: 'present' } },
  })
})
