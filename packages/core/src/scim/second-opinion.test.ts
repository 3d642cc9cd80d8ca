/**
 * A second opinion on PATCH: random operations on random people, by us and by the npm package scim-patch. Where both differ, the difference is
 * on the list below with the reason why ours holds, or the test fails; a reason that explains nothing any more fails it too.
 */

import * as fc from 'fast-check'
import { scimPatch } from 'scim-patch'
import { expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import { isList, isObject, isUnset, type Json, type JsonObject, sameJson } from './json.js'
import { parsePatch } from './patch.js'
import { userType } from './resource-type.js'

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
const where = fc.constantFrom(
  'type eq "work"',
  'type eq "home"',
  'value eq "a"',
  'type eq "work" and value eq "b"',
  'type eq "work" or value eq "c"',
)
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

function ours(document: JsonObject, one: Operation): Outcome {
  const parsed = parsePatch(userType, { Operations: [one as unknown as Json] })
  const applied = parsed.ok ? applyPatch(document, parsed.value) : parsed
  return applied.ok ? applied.value : 'refused'
}

function theirs(document: JsonObject, one: Operation): Outcome {
  try {
    const [copy, operations] = JSON.parse(JSON.stringify([document, [one]])) as [never, never]
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
  'a matching value is replaced as a whole: RFC 7644 §3.5.2.3': ({ one }) => one.op === 'replace' && isWholeValue(one),
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
