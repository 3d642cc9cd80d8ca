/**
 * A second opinion on PATCH: random operations on random people, by us and by the npm package scim-patch. Where both differ, the difference is
 * on the list below with the reason why ours holds, or the test fails; a reason that explains nothing any more fails it too.
 */

import * as fc from 'fast-check'
import { scimPatch } from 'scim-patch'
import { describe, expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import { isList, isObject, isUnset, type Json, type JsonObject, sameJson } from './json.js'
import { planGroupPatch } from './member-change.js'
import { parsePatch } from './patch.js'
import { groupType, userType } from './resource-type.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
type Operation = { readonly op: 'add' | 'replace' | 'remove'; readonly path?: string; readonly value?: Json }

const word = fc.constantFrom('a', 'b', 'c')
const email = fc.record(
  { type: fc.constantFrom('work', 'home'), value: word, primary: fc.constant(true) },
  { requiredKeys: ['type', 'value'] },
)
const emails = fc
  .uniqueArray(email, { maxLength: 3, selector: (one) => `${one.type} ${one.value}` })
  .map((list) => list.map(({ type, value, primary }, at) => (at === 0 && primary === true ? { type, value, primary } : { type, value })))
const person = fc.record(
  {
    userName: word,
    active: fc.boolean(),
    title: word,
    name: fc.record({ givenName: word, familyName: word }, { requiredKeys: ['givenName'] }),
    emails,
    [enterprise]: fc.record({ department: word, manager: fc.record({ value: word, displayName: word }) }, { requiredKeys: ['department'] }),
  },
  { requiredKeys: ['userName', 'active'] },
)
const kind = fc.constantFrom('add' as const, 'replace' as const)
const wheres = [
  'type eq "work"',
  'type eq "home"',
  'value eq "a"',
  'type eq "work" and value eq "b"',
  'type eq "work" or value eq "c"',
] as const
const where = fc.constantFrom(...wheres)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    op: kind,
    path: fc.constantFrom('title', 'userName', 'name.givenName', 'name.familyName', `${enterprise}:department`),
    value: word,
  }),
  fc.record({ op: kind, path: fc.constant('active'), value: fc.boolean() }),
  fc.record({ op: kind, path: fc.constant('name'), value: fc.record({ givenName: word, familyName: word }, { requiredKeys: [] }) }),
  fc.record({ op: kind, path: fc.constant('emails'), value: emails }),
  fc.record({ op: kind, path: where.map((one) => `emails[${one}].value`), value: word }),
  fc.record({ op: kind, path: where.map((one) => `emails[${one}]`), value: email }),
  fc.record({
    op: kind,
    value: fc.record({ title: word, active: fc.boolean(), name: fc.record({ givenName: word }), emails }, { requiredKeys: [] }),
  }),
  fc.record({
    op: fc.constant('remove' as const),
    path: fc.constantFrom('title', 'name', 'name.givenName', 'emails', 'userName', `${enterprise}:department`),
  }),
  fc.record({ op: fc.constant('remove' as const), path: where.map((one) => `emails[${one}]`) }),
)

type Outcome = JsonObject | 'refused'

function ours(document: JsonObject, ...given: readonly Operation[]): Outcome {
  const parsed = parsePatch(userType, { Operations: given as unknown as Json })
  const applied = parsed.ok ? applyPatch(document, parsed.value) : parsed
  return applied.ok ? applied.value : 'refused'
}

function theirs(document: JsonObject, ...given: readonly Operation[]): Outcome {
  try {
    const [copy, operations] = JSON.parse(JSON.stringify([document, given])) as [never, never]
    return withoutUnset(scimPatch(copy, operations, { treatMissingAsAdd: true }) as unknown as JsonObject)
  } catch {
    return 'refused'
  }
}

/** An empty list and no list are the same to a client: RFC 7643 §2.5. */
const withoutUnset = (document: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(document)
      .filter(([, value]) => !isUnset(value))
      .map(([name, value]) => [name, isObject(value) ? withoutUnset(value) : value]),
  )

type Case = { readonly document: JsonObject; readonly one: Operation; readonly ours: Outcome; readonly theirs: Outcome }

const hasFilter = ({ path }: Operation): boolean => path?.includes('[') === true
const isWholeValue = (one: Operation): boolean => hasFilter(one) && one.path?.endsWith(']') === true
const emailsOf = (outcome: Outcome): readonly Json[] => (outcome !== 'refused' && isList(outcome['emails']) ? outcome['emails'] : [])
const isPrimary = (item: Json): boolean => isObject(item) && item['primary'] === true
const count = (outcome: Outcome): number => emailsOf(outcome).filter(isPrimary).length
const without = (outcome: Outcome, ...names: readonly string[]): Outcome =>
  outcome === 'refused' ? outcome : Object.fromEntries(Object.entries(outcome).filter(([name]) => !names.includes(name)))

/** Said once more, by hand: what the filters of this file find. */
const finds: Readonly<Record<(typeof wheres)[number], (type: Json | undefined, value: Json | undefined) => boolean>> = {
  'type eq "work"': (type) => type === 'work',
  'type eq "home"': (type) => type === 'home',
  'value eq "a"': (_, value) => value === 'a',
  'type eq "work" and value eq "b"': (type, value) => type === 'work' && value === 'b',
  'type eq "work" or value eq "c"': (type, value) => type === 'work' || value === 'c',
}

/** Nothing but the values that the filter finds became another, and each became what was given. Which of them is primary is another reason's matter. */
function isReplacedAsAWhole({ document, one, ours }: Case): boolean {
  const where = wheres.find((filter) => one.path === `emails[${filter}]`)
  if (where === undefined || ours === 'refused' || !same(without(ours, 'emails'), without(withoutUnset(document), 'emails'))) return false
  const expected = emailsOf(document).map((item) => (isObject(item) && finds[where](item['type'], item['value']) ? one.value : item))
  const told = (list: readonly (Json | undefined)[]) =>
    [...new Set(list.map((item) => (isObject(item) ? `${JSON.stringify(item['type'])} ${JSON.stringify(item['value'])}` : 'none')))].sort()
  return JSON.stringify(told(expected)) === JSON.stringify(told(emailsOf(ours)))
}

/** Why ours holds, and where. */
const differences: Readonly<Record<string, (given: Case) => boolean>> = {
  'a filter that yields no match is noTarget, in a removal too: RFC 7644 §3.12': ({ one, ours, theirs }) =>
    hasFilter(one) && ours === 'refused' && theirs !== 'refused',
  'nobody is without a userName: mutability, RFC 7644 §3.5.2.2': ({ one, ours }) =>
    one.op === 'remove' && one.path === 'userName' && ours === 'refused',
  'what the filter says is made when it is not there, by and as well and without a list: Entra': ({ one, ours, theirs, document }) =>
    one.op !== 'remove' &&
    hasFilter(one) &&
    ours !== 'refused' &&
    (theirs === 'refused' || (isWholeValue(one) && same(theirs, withoutUnset(document)))),
  'a matching value is replaced as a whole: RFC 7644 §3.5.2.3': (given) =>
    given.one.op === 'replace' && isWholeValue(given.one) && isReplacedAsAWhole(given),
  'at most one value is primary, and setting one takes the mark from the other: RFC 7644 §3.5.2': ({ ours, theirs }) =>
    count(theirs) > 1 && count(ours) === 1,
  'sub-attributes that are not mentioned stay, without a path as well: RFC 7644 §3.5.2.3': ({ one, ours, theirs }) =>
    one.path === undefined && same(without(ours, 'name', 'emails'), without(theirs, 'name', 'emails')),
  'a value is there already when all that was said of it is there': ({ one, ours, theirs }) =>
    one.op === 'add' && one.path === 'emails' && emailsOf(ours).length < emailsOf(theirs).length,
}

const same = (one: Outcome, other: Outcome): boolean => (one === 'refused' || other === 'refused' ? one === other : sameJson(one, other))

test('scim-patch comes to the same, but for what is listed', () => {
  const used = new Set<string>()
  fc.assert(
    fc.property(person, operation, (given, one) => {
      const document = JSON.parse(JSON.stringify(given)) as JsonObject
      const mine = ours(document, one)
      const found: Case = { document, one, ours: mine === 'refused' ? mine : withoutUnset(mine), theirs: theirs(document, one) }
      if (same(found.ours, found.theirs)) return
      const reason = Object.keys(differences).find((name) => differences[name]?.(found) === true)
      expect({ ...found, reason }).toEqual({ ...found, reason: expect.any(String) })
      used.add(String(reason))
    }),
    { numRuns: 5_000 },
  )
  expect([...used].sort()).toEqual(Object.keys(differences).sort())
})

test('several operations are one after the other, or none of them; and where each alone is what scim-patch makes of it, all of them are', () => {
  let [together, refused] = [0, 0]
  fc.assert(
    fc.property(person, fc.array(operation, { minLength: 2, maxLength: 4 }), (given, operations) => {
      const document = JSON.parse(JSON.stringify(given)) as JsonObject
      let [state, isAgreed]: [Outcome, boolean] = [document, true]
      for (const one of operations) {
        if (state === 'refused') break
        const next: Outcome = ours(state, one)
        isAgreed &&= same(next === 'refused' ? next : withoutUnset(next), theirs(state, one))
        state = next
      }
      const mine = ours(document, ...operations)
      expect({ operations, mine }).toEqual({ operations, mine: state })
      if (mine === 'refused') refused += 1
      if (!isAgreed || mine === 'refused') return
      expect({ operations, mine: withoutUnset(mine) }).toEqual({ operations, mine: theirs(document, ...operations) })
      together += 1
    }),
    { numRuns: 3_000 },
  )
  expect([together > 500, refused > 100]).toEqual([true, true])
})

describe('of the members of a group', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const list = fc.uniqueArray(id, { maxLength: 3 }).map((ids): Json => ids.map((value) => ({ value })))
  const some = fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map((ids): Json => ids.map((value) => ({ value })))
  const change: fc.Arbitrary<Operation> = fc.oneof(
    fc.record({ op: kind, path: fc.constant('members'), value: list }),
    fc.record({ op: kind, value: fc.record({ members: list }) }),
    fc.record({ op: fc.constant('remove' as const), path: id.map((one) => `members[value eq "${one}"]`) }),
    fc.record({
      op: fc.constant('remove' as const),
      path: fc.tuple(id, id).map(([one, other]) => `members[value eq "${one}" or value eq "${other}"]`),
    }),
    fc.record({ op: fc.constant('remove' as const), path: fc.constant('members'), value: some }),
    fc.record({ op: fc.constant('remove' as const), path: fc.constant('members') }),
  )
  /** Once each: without a path theirs adds whoever is in it a second time. */
  const idsIn = (members: Json | undefined): readonly string[] =>
    [
      ...new Set(
        (isList(members) ? members : []).map((one) => (isObject(one) && typeof one['value'] === 'string' ? one['value'] : 'none')),
      ),
    ].sort()

  /** As sets, without a look at the members: what `planGroupPatch` says that is done. */
  function asSets(before: readonly string[], operations: readonly Operation[]): readonly string[] | 'refused' | 'unclear' {
    if (operations.length === 0) return before
    const parsed = parsePatch(groupType, { Operations: operations as unknown as Json })
    const plan = parsed.ok ? planGroupPatch(parsed.value) : parsed
    if (!plan.ok) return 'refused'
    if (plan.value.kind === 'unclear') return 'unclear'
    const { from, add, remove } = plan.value.members
    return [...new Set([...(from === 'none' ? [] : before.filter((one) => !remove.has(one))), ...add])].sort()
  }

  /** Whether one of them removes while nobody is in it. */
  const removesFromNone = (before: readonly string[], operations: readonly Operation[]): boolean =>
    operations.some(({ op }, at) => op === 'remove' && asSets(before, operations.slice(0, at)).length === 0)

  test('the sets that a PATCH of several operations comes to are what scim-patch makes of the list', () => {
    let refusals = 0
    fc.assert(
      fc.property(fc.uniqueArray(id), fc.array(change, { minLength: 1, maxLength: 4 }), (before, operations) => {
        const document = { displayName: 'x', members: before.map((value) => ({ value })) } as unknown as JsonObject
        const other = theirs(document, ...operations)
        const mine = asSets(before, operations)
        // From a list that is not there, or not any more, theirs removes nothing and refuses; whoever is in no group can be removed again (`member-change`).
        if (other === 'refused') {
          expect({ operations, mine, removesFromNone: removesFromNone(before, operations) }).toEqual({
            ...{ operations, mine: expect.any(Array) },
            removesFromNone: true,
          })
          refusals += 1
        } else expect({ before, operations, mine }).toEqual({ before, operations, mine: idsIn(other['members']) })
      }),
      { numRuns: 3_000 },
    )
    expect([refusals > 0, refusals < 1_500]).toEqual([true, true])
  })
})
