/** Values that are added or removed by what they say, and what a PATCH may make of a resource. */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import { scimLimits } from './error.js'
import { parseScimGroup } from './group.js'
import { isPartOf, type Json, type JsonObject } from './json.js'
import { parsePatch } from './patch.js'
import { userType } from './resource-type.js'
import { parseScimUser } from './user.js'
import { withoutValues, withValues } from './value-list.js'

const many = <T>(count: number, of: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => of(at))
const names = (count: number, from = 0) => Object.fromEntries(many(count, (at) => [`x${from + at}`, 1]))
const ada: JsonObject = { userName: 'ada', active: true }
const patched = (document: JsonObject, ...Operations: readonly object[]) => {
  const operations = parsePatch(userType, { Operations })
  return operations.ok ? applyPatch(document, operations.value) : operations
}
const beyond = (limit: keyof typeof scimLimits) => ({
  ok: false,
  error: { reason: 'scim_value_invalid', detail: expect.stringContaining(`the limit ${limit}`) },
})

describe('values of a list', () => {
  const leaf = fc.constantFrom<Json>('a', 'b', 1, true, null)
  const value: fc.Arbitrary<Json> = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('value', 'type', 'display'), fc.oneof(leaf, fc.array(leaf, { maxLength: 1 })), { maxKeys: 2 }),
  )
  const list = fc.array(value, { maxLength: 6 })

  test('are added where none says as much, and removed where one says as much, as if each were compared with each', () => {
    fc.assert(
      fc.property(list, list, (held, given) => {
        const added = given.reduce<readonly Json[]>((all, one) => (all.some((item) => isPartOf(one, item)) ? all : [...all, one]), held)
        expect(withValues(held, given, { comparisons: 0 })).toEqual(added)
        const left = held.filter((item) => !given.some((one) => isPartOf(one, item)))
        expect(withoutValues(held, given, { comparisons: 0 })).toEqual(left)
      }),
      { numRuns: 3_000 },
    )
  })

  test('are compared with those of the same value alone', () => {
    const [held, given] = [many(1_000, (at) => ({ value: `${at}` })), many(1_000, (at) => ({ value: `${at + 500}`, type: 'work' }))]
    for (const change of [withValues, withoutValues]) {
      const effort = { comparisons: 0 }
      change(held, given, effort)
      expect(effort.comparisons).toBeLessThanOrEqual(1_000)
    }
  })
})

describe('a PATCH is refused', () => {
  const emails = (count: number, from = 0) => many(count, (at) => ({ value: `${from + at}@x` }))
  const alike = (count: number, from = 0) => many(count, (at) => ({ value: 'same', display: `${from + at}` }))

  test.each<{ what: string; document: JsonObject; full: readonly object[]; more: object }>([
    {
      what: 'of filters',
      document: { ...ada, emails: emails(1_000) },
      // Each finds somebody by its last term, and is compared with the thousand by twenty.
      full: many(50, () => ({
        op: 'replace',
        path: `emails[${many(19, (at) => `value eq "${at}"`).join(' or ')} or value eq "5@x"].display`,
        value: 'x',
      })),
      more: { op: 'replace', path: 'emails[value eq "1@x"].display', value: 'x' },
    },
    {
      what: 'of values that are added',
      document: { ...ada, emails: alike(700) },
      full: [
        { op: 'add', path: 'emails', value: alike(300) },
        { op: 'add', path: 'emails', value: alike(300, 400) },
      ],
      more: { op: 'add', path: 'emails', value: alike(700) },
    },
    {
      what: 'of values that are removed',
      document: { ...ada, emails: alike(700) },
      full: [{ op: 'remove', path: 'emails', value: alike(700, 1_000) }],
      more: { op: 'remove', path: 'emails', value: alike(700, 1_000) },
    },
  ])('for more comparisons than the limit $what', ({ document, full, more }) => {
    expect(patched(document, ...full).ok).toBe(true)
    expect(patched(document, ...full, more, more)).toMatchObject(beyond('comparisons'))
  })

  test('for parts that go to many values at once', () => {
    const document = { ...ada, emails: emails(1_000) }
    const parts = (count: number) => ({ op: 'add', path: 'emails[value pr]', value: names(count) })
    expect(patched(document, parts(10)).ok).toBe(true)
    expect(patched(document, parts(scimLimits.names))).toMatchObject(beyond('comparisons'))
    expect(patched(document, ...many(3, (at) => ({ op: 'add', path: 'emails[value pr]', value: names(30, at * 30) })))).toMatchObject(
      beyond('documentCharacters'),
    )
  })

  test('where a list, an object or the resource becomes larger than any that may be sent', () => {
    const { arrayItems, names: mostNames } = scimLimits
    const urn = 'urn:acme:x:2.0:User'
    const one = (path: string, value: unknown) => ({ op: 'add', path, value })
    expect(patched({ ...ada, emails: emails(arrayItems - 1) }, one('emails', emails(1, arrayItems))).ok).toBe(true)
    expect(patched({ ...ada, emails: emails(arrayItems) }, one('emails', emails(1, arrayItems)))).toMatchObject(beyond('arrayItems'))
    expect(patched({ ...ada, emails: emails(arrayItems) }, one('emails[value eq "new"].type', 'work'))).toMatchObject(beyond('arrayItems'))
    expect(patched({ ...ada, [urn]: names(mostNames - 1) }, one(`${urn}:y`, 1)).ok).toBe(true)
    expect(patched({ ...ada, [urn]: names(mostNames) }, one(`${urn}:y`, 1))).toMatchObject(beyond('names'))
    expect(patched({ ...ada, [urn]: names(mostNames) }, one(urn, { y: 1 }))).toMatchObject(beyond('names'))
    expect(patched({ ...ada, ...names(mostNames - 2) }, one('y', 1))).toMatchObject(beyond('names'))
    const long = many(15, (at) => one(`y${at}`, 'x'.repeat(scimLimits.textCharacters)))
    expect(patched(ada, ...long).ok).toBe(true)
    expect(patched(ada, ...long, one('z', 'x'.repeat(scimLimits.textCharacters)), one('zz', 'x'))).toMatchObject(
      beyond('documentCharacters'),
    )
  })

  test('and not for what was larger before, as long as it does not grow', () => {
    const document = { ...ada, emails: emails(1_200), ...names(1_200), long: 'x'.repeat(scimLimits.documentCharacters) }
    const done = patched(
      document,
      { op: 'replace', path: 'active', value: false },
      { op: 'replace', path: 'emails[value eq "1@x"].display', value: 'x' },
      { op: 'remove', path: 'x1' },
    )
    expect(done).toMatchObject({ ok: true, value: { active: false } })
  })
})

test('what is sent has no more names in an object than the limit, and no more than is kept of a resource', () => {
  const { names: mostNames, documentCharacters } = scimLimits
  expect(parseScimUser({ userName: 'ada', ...names(mostNames - 1) }).ok).toBe(true)
  expect(parseScimUser({ userName: 'ada', ...names(mostNames) })).toMatchObject(beyond('names'))
  expect(parseScimUser({ userName: 'ada', deep: { deeper: [names(mostNames + 1)] } })).toMatchObject(beyond('names'))
  const long = many(Math.ceil(documentCharacters / 16_000), () => 'x'.repeat(16_000))
  expect(parseScimUser({ userName: 'ada', long })).toMatchObject(beyond('documentCharacters'))
  expect(parseScimGroup({ displayName: 'Engineers', long })).toMatchObject(beyond('documentCharacters'))
  const members = many(documentCharacters / 16, (at) => ({ value: `member ${at}` }))
  expect(parseScimGroup({ displayName: 'Engineers', members }).ok).toBe(true)
})
