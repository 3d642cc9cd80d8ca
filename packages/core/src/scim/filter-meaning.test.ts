/**
 * What a filter means, and whether it is one, beside a reference that reads it by itself (`fixtures/reference-filter`): every kind of attribute with every
 * operator and every kind of literal, in brackets and out of them, joined without more parentheses than somebody happens to write.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchesFilter } from './evaluate-filter.js'
import { referenceFilter } from './fixtures/reference-filter.js'
import type { JsonObject } from './json.js'
import { parseFilter } from './parse-filter.js'
import { groupType, userType } from './resource-type.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const badge = 'urn:acme:params:badge:2.0:User'
const dates = ['2011-05-13T04:42:34Z', '2011-05-13T06:42:34+02:00', '2011-05-13T04:42:34.5z', '9999-12-31T23:59:59Z']
const texts = ['', 'a', 'A', 'ab', 'Ab', 'b', 'é', 'É', '\ue000', '😀', '9', '10', 'true', 'null', 'and', ...dates]
const text = fc.constantFrom(...texts)
const scalar = fc.oneof(text, fc.constantFrom(0, -1, 9, 10, 1.5), fc.boolean())
const some = <Shape extends Record<string, fc.Arbitrary<unknown>>>(shape: Shape) => fc.record(shape, { requiredKeys: [] })
const listOf = (value: fc.Arbitrary<unknown>) =>
  fc.array(some({ value, display: text, type: text, primary: fc.boolean() }), { maxLength: 3 })
const meta = some({
  created: fc.constantFrom(...dates),
  lastModified: fc.constantFrom(...dates),
  resourceType: text,
  location: text,
  version: text,
})
const anything = fc.oneof(
  scalar,
  fc.constant(null),
  fc.array(scalar, { maxLength: 2 }),
  some({ value: scalar, Kind: text }),
  listOf(scalar),
)

const person = some({
  ...{ schemas: fc.array(text, { maxLength: 2 }), id: text, externalId: text, userName: text, title: text, profileUrl: text },
  ...{ active: fc.boolean(), meta, name: some({ givenName: text, familyName: text }), emails: listOf(text), photos: listOf(text) },
  ...{ x509Certificates: listOf(text), roles: listOf(text), groups: fc.array(some({ value: text, display: text }), { maxLength: 2 }) },
  addresses: fc.array(some({ locality: text, primary: fc.boolean() }), { maxLength: 2 }),
  [enterprise]: some({ department: text, manager: some({ value: text, displayName: text }) }),
  [badge]: some({ Color: text, level: scalar }),
  ...{ shoeSize: anything },
})
const team = some({
  ...{ schemas: fc.array(text, { maxLength: 2 }), id: text, externalId: text, displayName: text, meta },
  members: fc.array(some({ value: text, display: text, type: text, $ref: text }), { maxLength: 3 }),
  ...{ [badge]: some({ Color: text, level: scalar }), shoeSize: anything },
})

const inPerson = [
  'userName title id externalId profileUrl active schemas meta meta.created meta.lastModified meta.version meta.resourceType meta.nothing',
  'name name.givenName name.nothing emails emails.value emails.type emails.primary emails.nothing photos photos.value x509Certificates',
  'x509Certificates.value roles roles.display groups groups.value groups.display addresses addresses.locality addresses.primary password',
  `manager manager.value manager.displayName department ${enterprise} ${enterprise}:department ${enterprise}:manager ${enterprise}:manager.value`,
  `${badge}:color ${badge}:level ${badge}:nothing urn:ietf:params:scim:schemas:core:2.0:User:title shoeSize shoeSize.value shoeSize.kind`,
  'nothing members displayName.a.b 5 $ref $.title',
].flatMap((names) => names.split(' '))
const inTeam = [
  'displayName id externalId schemas meta meta.created meta.location members members.value members.display members.type members.$ref',
  `members.nothing ${badge}:color ${badge}:level urn:ietf:params:scim:schemas:core:2.0:Group:displayName shoeSize shoeSize.kind nothing`,
  'manager password userName',
].flatMap((names) => names.split(' '))

/** As it is written: in any case. */
const cased = (words: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...words), fc.boolean()).map(([word, isLoud]) => (isLoud ? word.toUpperCase() : word))
const operator = cased(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'])
const literal = fc.oneof(
  { weight: 4, arbitrary: text.map((one) => JSON.stringify(one)) },
  fc.constantFrom('true', 'FALSE', '"True"', 'null', '"null"', '9', '10', '-1', '1.50', '01', '1e999', 'a', '00u1', '"\\u0061"'),
)
const termOf = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(cased(names), operator, literal).map((parts) => parts.join(' ')) },
    { weight: 1, arbitrary: fc.tuple(cased(names), cased(['pr'])).map((parts) => parts.join(' ')) },
  )

/** Terms that are joined as they come: which belongs to which is for whoever reads them. */
function joined(term: fc.Arbitrary<string>, maxDepth: number): fc.Arbitrary<string> {
  const { filter } = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth, depthSize: 'small', withCrossShrink: true },
      term,
      fc.tuple(tie('filter'), cased(['and', 'or']), tie('filter')).map((parts) => parts.join(' ')),
      tie('filter').map((inner) => `(${inner})`),
      fc.tuple(cased(['not']), fc.constantFrom('', ' ', '  '), tie('filter')).map(([not, gap, inner]) => `${not}${gap}( ${inner})`),
    ),
  }))
  return filter
}
const bracketed = (outer: readonly string[], subs: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(cased(outer), joined(termOf(subs), 2), fc.option(termOf(subs), { nil: undefined }))
    .map(([name, inner, behind]) => `${name}[${inner}]${behind === undefined ? '' : `.${behind}`}`)

const kinds = [
  {
    of: 'people',
    type: userType,
    resource: person,
    term: fc.oneof(
      { weight: 3, arbitrary: termOf(inPerson) },
      bracketed(['emails', 'photos', 'x509Certificates', 'roles', 'emails.value'], ['value', 'type', 'primary', 'display', 'nothing']),
      bracketed(
        ['groups', 'addresses', 'shoeSize', 'nothing', `${enterprise}:manager`],
        ['value', 'display', 'locality', 'kind', 'primary'],
      ),
    ),
  },
  {
    of: 'groups',
    type: groupType,
    resource: team,
    term: fc.oneof(
      { weight: 3, arbitrary: termOf(inTeam) },
      bracketed(['members', 'shoeSize'], ['value', 'type', 'display', '$ref', 'kind']),
    ),
  },
] as const

describe.each(kinds)('a filter of $of', ({ type, resource, term }) => {
  /** What it says of each, or that it is none. */
  const ours = (filter: string, resources: readonly unknown[]) => {
    const parsed = parseFilter(type, filter)
    // Of limits the reference knows nothing.
    fc.pre(parsed.ok || !/than the limit filter/.test(String(parsed.error.detail)))
    return parsed.ok ? resources.map((one) => matchesFilter(parsed.value, one as JsonObject)) : 'refused'
  }
  const reference = (filter: string, resources: readonly unknown[]) => {
    const judge = referenceFilter(type.name, filter)
    return judge === undefined ? 'refused' : resources.map((one) => judge(one as JsonObject))
  }
  const several = fc.array(resource, { minLength: 4, maxLength: 8 })

  test.each([
    { joining: 'by itself', filters: term, numRuns: 3_000 },
    {
      joining: 'joined with others',
      filters: joined(
        term.filter((one) => reference(one, []) !== 'refused'),
        4,
      ),
      numRuns: 3_000,
    },
  ])('says what the reference says of it, $joining', ({ filters, numRuns }) => {
    const told = { refused: 0, true: 0, false: 0 }
    fc.assert(
      fc.property(filters, several, (filter, resources) => {
        const said = ours(filter, resources)
        expect({ filter, resources, said }).toEqual({ filter, resources, said: reference(filter, resources) })
        for (const one of said === 'refused' ? ['refused' as const] : said) told[`${one}`] += 1
      }),
      { numRuns },
    )
    expect(told.true > numRuns / 2 && told.false > numRuns / 2).toBe(true)
  })

  test('is none where the reference finds none, whatever words stand beside each other', () => {
    const word = fc.constantFrom(
      'title',
      'members',
      'emails',
      'eq',
      'pr',
      'and',
      'OR',
      'not',
      '(',
      ')',
      '[',
      ']',
      '.value',
      '"a"',
      '"',
      '5',
    )
    let accepted = 0
    fc.assert(
      fc.property(fc.array(word, { maxLength: 9 }), (parts) => {
        const filter = parts.join(' ')
        const said = ours(filter, [{}])
        expect({ filter, said }).toEqual({ filter, said: reference(filter, [{}]) })
        if (said !== 'refused') accepted += 1
      }),
      { numRuns: 8_000 },
    )
    expect(accepted).toBeGreaterThan(20)
  })
})
