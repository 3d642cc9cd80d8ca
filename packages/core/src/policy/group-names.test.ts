import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { decide } from './decide.js'
import { policyLimits } from './error.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import { placeOf, placesAbove } from './group-names.js'

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

test('whatever a group is called, it is at its own place and at nobody else’s', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9 ]{1,8}$/).filter((text) => text.trim() === text)
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.array(part, { minLength: 1, maxLength: 6 }), (one, other) => {
      const [path, place] = [`/${one.join('/')}`, `/${other.join('/')}`]
      expect(placesAbove(path)).toContain(placeOf(path))
      expect(placesAbove(path).includes(placeOf(place))).toBe(path === place || path.startsWith(`${place}/`))
      const [name, end] = [one.map((text) => `OU=${text}`).join(','), other.map((text) => `ou=${text}`).join(', ')]
      expect(placesAbove(name)).toContain(placeOf(name))
      const lower = (text: string) => text.toLowerCase().replaceAll(', ', ',')
      expect(placesAbove(name).includes(placeOf(end))).toBe(`,${lower(name)}`.endsWith(`,${lower(end)}`))
    }),
  )
})
