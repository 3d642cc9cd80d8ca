/** How much one PATCH may say, counted before it is read. */
import { describe, expect, test } from 'vitest'
import { scimLimits } from './error.js'
import { leavesByPatch } from './leaving.js'
import { memberOperations } from './leaving-members.js'
import { parsePatch } from './patch.js'
import { groupType, userType } from './resource-type.js'

const many = <T>(count: number, of: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => of(at))
const names = (count: number, of: (at: number) => unknown) => Object.fromEntries(many(count, (at) => [`x${at}`, of(at)]))
const parsed = (...Operations: readonly object[]) => parsePatch(userType, { Operations })
const { operations: limit, refusedOperations } = scimLimits

/** Counts how often somebody looks into it. */
function watched() {
  const looks = { count: 0 }
  const operation = new Proxy(
    { op: 'add', path: 'members', value: [] },
    {
      ownKeys: (target) => {
        looks.count += 1
        return Reflect.ownKeys(target)
      },
    },
  )
  return { looks, operation }
}

describe('a PATCH says no more than the limit operations', () => {
  test.each<{ what: string; given: (count: number) => readonly object[] }>([
    { what: 'operations', given: (count) => many(count, () => ({ op: 'replace', path: 'title', value: 'x' })) },
    { what: 'keys of an object without a path', given: (count) => [{ op: 'replace', value: names(count, () => 1) }] },
    {
      what: 'keys of several such objects',
      given: (count) => [
        { op: 'replace', value: names(count - 40, () => 1) },
        { op: 'replace', value: names(40, () => 1) },
      ],
    },
    {
      what: 'parts of a complex value that are unset',
      given: (count) => [{ op: 'replace', path: 'name', value: names(count, () => null) }],
    },
    {
      what: 'parts of several such values',
      given: (count) => [
        { op: 'replace', path: 'name', value: names(60, () => null) },
        { op: 'replace', value: { name: names(count - 60, () => null) } },
      ],
    },
  ])('as $what', ({ given }) => {
    const full = parsed(...given(limit))
    expect(full.ok && full.value.length).toBe(limit)
    expect(parsed(...given(limit + 1))).toMatchObject({
      error: { reason: 'scim_body_malformed', detail: expect.stringContaining('the limit operations') },
    })
  })

  test('as keys that are ours to say, and ignored', () => {
    const ignored = (count: number) =>
      Object.fromEntries(many(count, (at) => [`meta.${at % 2 ? 'created' : 'version'}${' '.repeat(at)}`, 1]))
    expect(parsed({ op: 'replace', value: ignored(limit) })).toEqual({ ok: true, value: [] })
    expect(parsed({ op: 'replace', value: ignored(limit + 1) })).toMatchObject({ error: { reason: 'scim_body_malformed' } })
  })

  test('and of more nothing is read', () => {
    const { looks, operation } = watched()
    expect(parsePatch(groupType, { Operations: many(limit + 1, () => operation) }).ok).toBe(false)
    expect(looks.count).toBe(0)
  })
})

describe('a PATCH that is refused', () => {
  const out = { op: 'remove', path: 'members[value eq "a"]' }

  test('is read beyond that limit for who leaves, up to another', () => {
    const other = many(limit, () => ({ op: 'replace', path: 'displayName', value: 'x' }))
    expect(memberOperations({ Operations: [...other, out] })).toHaveLength(1)
    expect(memberOperations({ Operations: many(refusedOperations, () => out) })).toHaveLength(refusedOperations)
    expect(memberOperations({ Operations: many(refusedOperations + 1, () => out) })).toBeUndefined()
  })

  test('is read by each key of an object without a path, however many there are', () => {
    const keys = many(limit + 1, (at) => [`members${' '.repeat(at + 1)}`, [{ value: 'a' }]] as const)
    expect(memberOperations({ Operations: [{ op: 'replace', value: { displayName: 'x', ...Object.fromEntries(keys) } }] })).toHaveLength(
      limit + 1,
    )
    expect(leavesByPatch({ Operations: [{ op: 'replace', value: { ...names(limit, () => 1), active: false } }] })).toBe(true)
  })

  test('counts only what speaks of them', () => {
    const other = many(refusedOperations + 1, () => ({ op: 'replace', path: 'displayName', value: 'x' }))
    expect(memberOperations({ Operations: [...other, out] })).toHaveLength(1)
    expect(leavesByPatch({ Operations: other })).toBe(false)
  })

  test('is not read further, and says the worst', () => {
    const { looks, operation } = watched()
    expect(memberOperations({ Operations: [...many(refusedOperations + 1, () => out), ...many(1_000, () => operation)] })).toBeUndefined()
    expect(looks.count).toBe(0)
    const active = { op: 'replace', path: 'active', value: true }
    expect(leavesByPatch({ Operations: many(refusedOperations, () => active) })).toBe(false)
    expect(leavesByPatch({ Operations: many(refusedOperations + 1, () => active) })).toBe(true)
  })
})
