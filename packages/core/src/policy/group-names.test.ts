import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.js'
import { decide } from './decide.js'
import { policyLimits } from './error.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import { depthOfPlace, depthsOfPlaces, groupMatcher, groupName, groupSets, placeOf, placesAbove, sizeOfMatcher } from './group-names.js'

const isGranted = (policy: string, groups: readonly string[]): boolean =>
  decide(aPolicy(policy), aSituation({ groups: [...groups], request: ['orders:read'] })).kind === 'allow'
const bundleFor = (groups: string, rest = ''): string => `${rest}\nbundles: [{ name: b, groups: ${groups}, scopes: ["*"] }]`
const guid = '0D9F2C1E-5B7A-4C3D-9E8F-112233445566'

describe('a group is meant', () => {
  test.each([
    ['by its name', '[staff]', ['staff'], true],
    ['by its name, exactly', '[staff]', ['Staff'], false],
    ['by one of several', '[staff, eng]', ['eng'], true],
    ['by an id that the IdP writes in small letters', `["${guid}"]`, [guid.toLowerCase()], true],
    ['by an id that the policy writes in small letters', `["${guid.toLowerCase()}"]`, [guid], true],
    ['by its place', '[{ path: /Engineering }]', ['/Engineering'], true],
    ['by the place that it is below', '[{ path: /Engineering/ }]', ['/Engineering/Platform/SRE'], true],
    ['not by the beginning of a name', '[{ path: /Engineering }]', ['/Engineering2/Platform'], false],
    ['not from above its place', '[{ path: /Engineering/Platform }]', ['/Engineering'], false],
    ['by the end of its distinguished name', '[{ path: "OU=Eng,DC=acme,DC=example" }]', ['CN=SRE,OU=Eng,DC=acme,DC=example'], true],
    ['whatever the case and the blanks', '[{ path: "ou=eng, dc=ACME" }]', ['CN=SRE, OU=Eng,DC=acme'], true],
    ['not by another unit', '[{ path: "OU=Eng,DC=acme" }]', ['CN=SRE,OU=Sales,DC=acme'], false],
    ['not across an escaped comma', '[{ path: "OU=Eng,DC=acme" }]', ['CN=a\\,OU=Eng,DC=acme'], false],
    ['by an escaped comma, however it is escaped', '[{ path: "OU=R\\\\, D,DC=acme" }]', ['CN=x,OU=R\\2C D,DC=acme'], true],
    ['by it the other way round', '[{ path: "OU=R\\\\2c D,DC=acme" }]', ['CN=x,OU=R\\, D,DC=acme'], true],
    ['by a letter of two octets', '[{ path: "OU=B\u00fcro,DC=acme" }]', ['CN=x,OU=B\\C3\\BCro,DC=acme'], true],
    ['by a letter that need not be escaped', '[{ path: "OU=R#D,DC=acme" }]', ['CN=x,OU=R\\#D,DC=acme'], true],
    ['by a plus of its own', '[{ path: "OU=a\\\\+b=c,DC=acme" }]', ['CN=x,OU=a\\2Bb=c,DC=acme'], true],
    ['not by a plus that joins two', '[{ path: "OU=a\\\\+b=c,DC=acme" }]', ['CN=x,OU=a+b=c,DC=acme'], false],
    ['not by an escape that only looks like another', '[{ path: "OU=R\\\\\\\\2C,DC=acme" }]', ['CN=x,OU=R\\2C,DC=acme'], false],
    ['by a blank that is its own', '[{ path: "OU=R\\\\20 ,DC=acme" }]', ['CN=x,OU=R\\ ,DC=acme'], true],
    ['not by a blank after a backslash that is its own', '[{ path: "OU=R\\\\20,DC=acme" }]', ['CN=x,OU=R\\\\ ,DC=acme'], false],
    ['by a backslash that is its own, without the blank', '[{ path: "OU=R\\\\5C,DC=acme" }]', ['CN=x,OU=R\\\\ ,DC=acme'], true],
    ['not by a blank that is not', '[{ path: "OU=R ,DC=acme" }]', ['CN=x,OU=R\\ ,DC=acme'], false],
    ['a place is no name', '["/Engineering"]', ['/Engineering/Platform'], false],
  ] as const)('%s', (_, entry, groups, granted) => {
    expect(isGranted(bundleFor(entry), groups)).toBe(granted)
  })

  test('by a name that the document defines, and then by its definition alone', () => {
    const defined = `groups: { platform: { names: [Platform Team], ids: ["${guid}"], paths: [/Eng/Platform] } }`
    for (const group of ['Platform Team', guid.toLowerCase(), '/Eng/Platform/SRE'])
      expect(isGranted(bundleFor('[platform]', defined), [group])).toBe(true)
    expect(isGranted(bundleFor('[platform]', defined), ['platform'])).toBe(false)
  })

  test('names like those of objects are ordinary names', () => {
    expect(isGranted(bundleFor('["constructor"]'), ['constructor'])).toBe(true)
    expect(isGranted(bundleFor('["toString"]'), ['other'])).toBe(false)
  })
})

test('a place with more levels than the limit is refused, and a deep group is found by every place that is not', () => {
  const deep = Array.from({ length: policyLimits.placeDepth + 8 }, (_, index) => `l${index}`)
  const slashes = `/${deep.join('/')}`
  expect(() => aPolicy(bundleFor(`[{ path: "${slashes}" }]`))).toThrow('place_too_deep')
  expect(() => aPolicy(`groups: { a: { paths: ["${slashes}"] } }`)).toThrow('place_too_deep')
  const highest = `/${deep.slice(0, policyLimits.placeDepth).join('/')}`
  expect(isGranted(bundleFor(`[{ path: "${highest}" }]`), [slashes])).toBe(true)
  const name = deep.map((level) => `ou=${level}`).toReversed()
  expect(isGranted(bundleFor(`[{ path: "${name.slice(-policyLimits.placeDepth).join(',')}" }]`), [name.join(',')])).toBe(true)
})

test.each([
  ['/Engineering', true],
  ['OU=Eng,DC=acme', true],
  ['ou = Eng , dc=acme', true],
  ['Contractors', false],
  ['OU=Eng,acme', false],
  ['=Eng', false],
  ['OU=Eng,,DC=acme', false],
])('%s is a place in a directory: %s', (path, isTaken) => {
  const compiled = compilePolicy(
    `version: 1\nrules:\n  - { name: d, effect: deny, scopes: ["*"], groups: [{ path: "${path}" }] }\ngroups: { g: { paths: ["${path}"] } }`,
  )
  expect(compiled.ok ? [] : compiled.error.map(({ reason, path: where, line }) => [reason, where, line])).toEqual(
    isTaken
      ? []
      : [
          ['document_shape', 'groups.g.paths[0]', 4],
          ['document_shape', 'rules[0].groups[0].path', 3],
        ],
  )
})

test('whatever a group is called, it is at its own place and at nobody else’s', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9 ]{1,8}$/).filter((text) => text.trim() === text)
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.array(part, { minLength: 1, maxLength: 6 }), (one, other) => {
      const [path, place] = [`/${one.join('/')}`, `/${other.join('/')}`]
      const above = (group: string, ...of: string[]) => placesAbove(group, depthsOfPlaces(of.map(placeOf)))
      expect(above(path, path)).toEqual([placeOf(path)])
      expect(above(path, path, place)).toContain(placeOf(path))
      expect(above(path, place).includes(placeOf(place))).toBe(path === place || path.startsWith(`${place}/`))
      const [name, end] = [one.map((text) => `OU=${text}`).join(','), other.map((text) => `ou=${text}`).join(', ')]
      expect(above(name, name)).toEqual([placeOf(name)])
      expect(above(name, name, end, path)).toContain(placeOf(name))
      const lower = (text: string) => text.toLowerCase().replaceAll(', ', ',')
      expect(above(name, end).includes(placeOf(end))).toBe(`,${lower(name)}`.endsWith(`,${lower(end)}`))
    }),
  )
})

test('only places as deep as one of the policy are made, so a long name costs little', () => {
  const name = Array.from({ length: 30 }, (_, index) => `OU=${index}`).join(',')
  expect(placesAbove(name, depthsOfPlaces([]))).toEqual([])
  expect(placesAbove(name, depthsOfPlaces(['/a']))).toEqual([])
  expect(placesAbove(name, depthsOfPlaces([placeOf('DC=x'), placeOf('OU=b,DC=x'), placeOf('OU=c,DC=x')]))).toEqual(['ou=29', 'ou=28,ou=29'])
  expect(placesAbove('/a/b/c/', depthsOfPlaces(['/', '/x/y']))).toEqual(['/a', '/a/b'])
})

test('a group that lists too much is refused by its name, and so are too many of them together', () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`).join(', ')
  const bundles = Array.from({ length: 201 }, (_, index) => `{ name: b${index}, groups: [g], scopes: [s${index}] }`)
  const policy = (listed: string, count: number) =>
    aPolicy(`groups: { g: { names: [${listed}] } }\nbundles: [${bundles.slice(0, count).join(', ')}]`)
  expect(policy(names, 200).rules).toHaveLength(200)
  expect(() => policy(`${names}, more`, 1)).toThrow('group_too_large')
  expect(() => policy(names, 201)).toThrow('too_many_groups')
})

test.each([
  ['/Eng', ['/Eng']],
  ['/Eng/SRE/', ['/Eng', '/Eng/SRE']],
  ['/', ['/']],
  ['OU=SRE, ou = Eng ,DC=acme', ['dc=acme', 'ou=eng,dc=acme', 'ou=sre,ou=eng,dc=acme']],
  ['CN=a\\,OU=b,DC=c', ['dc=c', 'cn=a\\,ou=b,dc=c']],
  ['CN=a\\\\,DC=c', ['dc=c', 'cn=a\\\\,dc=c']],
  ['a=b, Plain Name ', ['plain name', 'a=b,plain name']],
  ['staff', []],
  ['Eng/SRE', []],
  ['Eng,SRE', []],
])('the group %s is at %j', (group, places) => {
  const depths = [1, 2, 3]
  expect(placesAbove(group, { ofPaths: depths, ofNames: depths })).toEqual(places)
})

test.each([
  ['/', '/', 1],
  ['/Eng', '/Eng', 1],
  ['/Eng/SRE/', '/Eng/SRE', 2],
  ['OU=SRE , DC = Acme', 'ou=sre,dc=acme', 2],
  [' Eng ', 'eng', 1],
])('the place %s is compared as %s and has as many levels as %i', (place, compared, levels) => {
  expect([placeOf(place), depthOfPlace(place)]).toEqual([compared, levels])
})

test.each([
  ['an id', guid, guid.toLowerCase()],
  ['a name', 'Staff', 'Staff'],
  ['a name as long as an id', 'Staff of the Engineering Department!', 'Staff of the Engineering Department!'],
  ['an id with one hyphen elsewhere', guid.replace(/-/, 'X'), guid.replace(/-/, 'X')],
  ['an id with the second hyphen elsewhere', guid.replace(/(-.{4})-/, '$1X'), guid.replace(/(-.{4})-/, '$1X')],
  ['an id with the third hyphen elsewhere', guid.replace(/(-.{4}-.{4})-/, '$1X'), guid.replace(/(-.{4}-.{4})-/, '$1X')],
  ['an id with the last hyphen elsewhere', guid.replace(/-(?=.{12}$)/, 'X'), guid.replace(/-(?=.{12}$)/, 'X')],
  ['an id and more', `${guid}X`, `${guid}X`],
])('%s is compared as it should be', (_, name, compared) => {
  expect(groupName(name)).toBe(compared)
})

test('entries stand for names and places, and for what the document defines; of an object underneath they know nothing', () => {
  const definitions = groupSets({ own: { names: ['A', guid], ids: ['b'], paths: ['/x/'] }, empty: {} })
  const matcher = groupMatcher(['own', 'empty', 'own', 'c', 'toString', guid, { path: 'OU=Y' }], definitions)
  expect(matcher).toEqual({
    names: new Set(['c', 'toString', guid.toLowerCase()]),
    places: new Set(['ou=y']),
    defined: [
      { names: new Set(['A', guid.toLowerCase(), 'b']), places: new Set(['/x']) },
      { names: new Set(), places: new Set() },
    ],
  })
  expect(sizeOfMatcher(matcher)).toBe(3 + 1 + 3 + 1)
})
