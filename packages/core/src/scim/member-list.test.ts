/** What is folded into sets and maps is what each operation in turn would do to a set of ids, said once more as plainly as possible. */

import * as fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { scimLimits } from './error.js'
import type { ScimMember } from './group.js'
import { type MemberChange, planGroupPatch } from './member-change.js'
import { patchMembers, patchRefusedMembers } from './member-list.js'
import { type PatchOperation, parsePatch } from './patch.js'
import { groupType } from './resource-type.js'

const baseUrl = 'https://x.example/scim/v2'
const ids = ['a', 'b', 'c', 'd'] as const
type Id = (typeof ids)[number]
const memberOf = (id: string): ScimMember => ({ id, isGroup: id === 'd', display: `${id} of the house` })

function parsed(...Operations: readonly object[]): readonly PatchOperation[] {
  const operations = parsePatch(groupType, { Operations })
  if (!operations.ok) throw new Error(operations.error.detail)
  return operations.value
}

/** Of whom a request adds neither name nor kind is known. `makes`: who is made of a filter that finds nobody; `none`: nobody who has an id. */
type Where = { readonly finds: (id: Id, isKnown: boolean) => boolean; readonly makes?: Id | 'none'; readonly byIdAlone?: true }
const filters: Readonly<Record<string, Where>> = {
  'value eq "a"': { finds: (id) => id === 'a', makes: 'a', byIdAlone: true },
  'value eq "a" or value eq "B"': { finds: (id) => id === 'a' || id === 'b', byIdAlone: true },
  'value eq "A" and type eq "User"': { finds: (id, isKnown) => id === 'a' && isKnown, makes: 'a' },
  'type eq "User" and (value eq "b" or value eq "d")': { finds: (id, isKnown) => id === 'b' && isKnown },
  'value eq "c" or display sw "b"': { finds: (id, isKnown) => id === 'c' || (id === 'b' && isKnown) },
  'type eq "Group"': { finds: (id, isKnown) => id === 'd' && isKnown, makes: 'none' },
  'type ne "User"': { finds: (id, isKnown) => id === 'd' || !isKnown },
  'not (value eq "a")': { finds: (id) => id !== 'a' },
  'display pr': { finds: (_, isKnown) => isKnown },
}

type Word =
  | { readonly op: 'add' | 'replace' | 'remove'; readonly list: readonly Id[] | undefined }
  | { readonly op: 'remove'; readonly where: string }
  | { readonly op: 'add' | 'replace'; readonly where: string; readonly becomes: Id | undefined }

const said = (word: Word): object => {
  if (!('where' in word)) return { op: word.op, path: 'members', ...(word.list && { value: word.list.map((value) => ({ value })) }) }
  const path = `members[${word.where}]`
  return 'becomes' in word
    ? { op: word.op, path, value: word.becomes === undefined ? { display: 'x' } : { value: word.becomes } }
    : { op: word.op, path }
}

const list = fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 3 })
const where = fc.constantFrom(...Object.keys(filters))
const word: fc.Arbitrary<Word> = fc.oneof(
  fc.record({ op: fc.constantFrom('add' as const, 'replace' as const), list }),
  fc.record({ op: fc.constant('remove' as const), list: fc.option(list, { nil: undefined }) }),
  fc.record({ op: fc.constant('remove' as const), where }),
  fc.record({ op: fc.constant('remove' as const), where }),
  fc.record({
    op: fc.constantFrom('add' as const, 'replace' as const),
    where,
    becomes: fc.option(fc.constantFrom(...ids), { nil: undefined }),
  }),
)

type State = ReadonlyMap<Id, { readonly isKnown: boolean; readonly isNamed: boolean }>

/** The set with some out of it and others in. */
const changed = (state: State, out: readonly Id[], into: readonly Id[]): State =>
  new Map([
    ...[...state].filter(([id]) => !out.includes(id) && !into.includes(id)),
    ...into.map((id) => [id, { isKnown: state.get(id)?.isKnown ?? false, isNamed: true }] as const),
  ])

/** One operation, done to the set. */
function step(state: State, word: Word): State | string {
  const all = [...state.keys()]
  if (!('where' in word)) {
    if (word.op === 'add') return changed(state, [], word.list ?? [])
    if (word.op === 'replace') return changed(state, all, word.list ?? [])
    return changed(state, word.list ?? all, [])
  }
  const { finds, makes, byIdAlone } = filters[word.where] as Where
  const found = all.filter((id) => finds(id, state.get(id)?.isKnown === true))
  if (!('becomes' in word)) return found.length === 0 && !byIdAlone ? 'scim_no_target' : changed(state, found, [])
  if (found.length > 0) {
    if (word.becomes !== undefined) return changed(state, found, [word.becomes])
    return word.op === 'add' ? state : 'scim_value_invalid'
  }
  if (word.op === 'replace' || makes === undefined) return 'scim_no_target'
  const made = word.becomes ?? makes
  return made === 'none' ? 'scim_value_invalid' : changed(state, [], [made])
}

const stateOf = (before: readonly Id[]): State => new Map(before.map((id) => [id, { isKnown: true, isNamed: false }]))
const resultOf = (before: readonly string[], { from, add, remove }: MemberChange) =>
  new Set([...(from === 'none' ? [] : before.filter((id) => !remove.has(id))), ...add])
const namedOf = (state: State) => new Set([...state].flatMap(([id, { isNamed }]) => (isNamed ? [id] : [])))

describe('operations that look at the members', () => {
  test('come to what each of them, in turn, does to the set, or are refused as the first that cannot be done', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...ids)), fc.array(word, { minLength: 1, maxLength: 6 }), (before, words) => {
        let state: State | string = stateOf(before)
        for (const one of words) if (typeof state !== 'string') state = step(state, one)
        const operations = parsed(...words.map(said))
        const patched = patchMembers(before.map(memberOf), operations, baseUrl)
        seen.add(typeof state === 'string' ? state : 'done')
        if (typeof state === 'string') expect(patched).toMatchObject({ ok: false, error: { reason: state } })
        else {
          if (!patched.ok) throw new Error(patched.error.detail)
          expect(resultOf(before, patched.value)).toEqual(new Set(state.keys()))
          // Whoever is only let stay is not added: she may be in it with nothing.
          expect(patched.value.add).toEqual(namedOf(state))
          const plan = planGroupPatch(operations)
          if (plan.ok && plan.value.kind === 'clear') expect(resultOf(before, plan.value.members)).toEqual(new Set(state.keys()))
        }
      }),
      { numRuns: 3_000 },
    )
    expect([...seen].toSorted()).toEqual(['done', 'scim_no_target', 'scim_value_invalid'])
  })

  test('of a refused request come to the same without those that cannot be done', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...ids)), fc.array(word, { minLength: 1, maxLength: 6 }), (before, words) => {
        const state = words.reduce<State>((held, one) => {
          const next = step(held, one)
          return typeof next === 'string' ? held : next
        }, stateOf(before))
        expect(resultOf(before, patchRefusedMembers(before.map(memberOf), parsed(...words.map(said)), baseUrl))).toEqual(
          new Set(state.keys()),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  test('change nobody’s id beside a filter', () => {
    const operations = parsed(
      { op: 'remove', path: 'members[display pr]' },
      { op: 'replace', path: 'members[value eq "a"].value', value: 'b' },
    )
    expect([patchMembers([memberOf('a')], operations, baseUrl), planGroupPatch(operations)]).toMatchObject([
      { error: { reason: 'scim_mutability' } },
      { error: { reason: 'scim_mutability' } },
    ])
  })
})

describe('filters that name nobody by id', () => {
  const thousand = Array.from({ length: 1_000 }, (_, at) => memberOf(`m${at}`))
  /** Finds everybody by its last term, so that each is compared with all of them. */
  const termed = (terms: number) => [...Array.from({ length: terms - 1 }, (_, at) => `display eq "${at}"`), 'display pr'].join(' or ')
  const looking = (operations: number, filter: string) =>
    parsed(...Array.from({ length: operations }, () => ({ op: 'add', path: `members[${filter}]`, value: { display: 'x' } })))
  const atLimit = scimLimits.comparisons / thousand.length / 100

  test('are compared with as many members as the limit says, and refused beyond it', () => {
    expect(patchMembers(thousand, looking(100, termed(atLimit)), baseUrl).ok).toBe(true)
    const more = [...looking(100, termed(atLimit)), ...looking(1, 'display pr')]
    expect(patchMembers(thousand, more, baseUrl)).toMatchObject({
      error: { reason: 'scim_value_invalid', detail: expect.stringContaining('comparisons') },
    })
  })

  test.each([
    { what: 'the text of a filter', members: thousand, filter: `display eq "${'x'.repeat(64 * atLimit)}" or display pr` },
    { what: 'the name of a member', members: thousand.map((one) => ({ ...one, display: 'x'.repeat(64 * atLimit) })), filter: 'display pr' },
  ])('count $what several times when it is long', ({ members, filter }) => {
    expect(patchMembers(members, looking(100, filter), baseUrl).ok).toBe(false)
  })

  test('are compared with nobody else where they name somebody, too', () => {
    const named = looking(100, `${termed(40).replaceAll(' or ', ' and ')} and value eq "m1"`)
    const nobody = patchMembers(thousand, named, baseUrl)
    expect(nobody).toMatchObject({ error: { reason: 'scim_no_target' } })
    expect(patchMembers(thousand, looking(100, `(${termed(40)}) and value eq "m1"`), baseUrl).ok).toBe(true)
  })

  test('take everybody out of a refused request beyond it, but whom a later operation adds', () => {
    const beyond = [...looking(100, termed(atLimit)), ...parsed({ op: 'remove', path: 'members[display eq "m1 of the house"]' })]
    const everybody = patchRefusedMembers(thousand, beyond, baseUrl)
    expect(
      resultOf(
        thousand.map(({ id }) => id),
        everybody,
      ),
    ).toEqual(new Set())
    const added = patchRefusedMembers(thousand, [...beyond, ...parsed({ op: 'add', path: 'members', value: [{ value: 'm2' }] })], baseUrl)
    expect(
      resultOf(
        thousand.map(({ id }) => id),
        added,
      ),
    ).toEqual(new Set(['m2']))
  })
})

describe('a body at its limits', () => {
  afterEach(() => vi.restoreAllMocks())

  const each = 200
  const body = Array.from({ length: scimLimits.operations }, (_, at) => ({
    op: at % 3 === 2 ? 'remove' : 'add',
    path: 'members',
    value: Array.from({ length: each }, (_, i) => ({ value: `m${at * 100 + i}` })),
  }))
  const named = scimLimits.operations * each

  /** How often something is put into a set or a map. */
  function putsOf(run: () => { readonly ok: boolean }): number {
    const spies = [vi.spyOn(Set.prototype, 'add'), vi.spyOn(Map.prototype, 'set')]
    expect(run().ok).toBe(true)
    return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
  }

  test('is folded by putting each whom it names into a few sets, and not by as many sets as operations', () => {
    const operations = parsed(...body)
    expect(putsOf(() => planGroupPatch(operations))).toBeLessThanOrEqual(3 * named)
  })

  test('… and so where the members are looked at', () => {
    const operations = parsed({ op: 'remove', path: 'members[display sw "m1 "]' }, ...body.slice(1))
    const before = Array.from({ length: each }, (_, at) => memberOf(`m${at}`))
    expect(putsOf(() => patchMembers(before, operations, baseUrl))).toBeLessThanOrEqual(4 * (named + each))
  })
})
