import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isKeepable } from '../keepable-text.js'
import { scimErrorBody, scimLimits } from './error.js'
import { readResource } from './resource.js'
import { groupType, userType } from './resource-type.js'
import { parseScimUser } from './user.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const user = (rest: object) => readResource(userType, { userName: 'ada', ...rest })

test.each([
  ['NUL', String.raw`[{"value":"a\u0000b"}]`],
  ['half of a surrogate pair', String.raw`[{"value":"a\ud800b"}]`],
])('JSON inside a text that holds %s stays a text: what it says could not be kept', (_, text) => {
  const read = user({ roles: text, title: text })
  expect(read.ok && isKeepable(read.value)).toBe(true)
  expect(JSON.stringify(read)).toContain(JSON.stringify(text))
})

describe('a resource', () => {
  test('is read in any spelling, without nulls, secrets and what is ours', () => {
    const body = {
      schemas: ['x'],
      id: 'mine',
      USERNAME: 'ada',
      ExternalId: 'E',
      Active: 'True',
      password: 'p',
      groups: [{ value: 'g' }],
      meta: { resourceType: 'Robot' },
      nickName: null,
      roles: [],
      Emails: [{ Value: 'a@x', type: '', primary: 'False' }],
      customThing: { A: [1, null], b: {} },
    }
    expect(parseScimUser(body)).toEqual({
      ok: true,
      value: {
        userName: 'ada',
        externalId: 'E',
        active: true,
        attributes: { emails: [{ value: 'a@x', type: '', primary: false }], customThing: { A: [1] } },
      },
    })
  })

  test.each<[string, object, object]>([
    ['one value where a list belongs', { emails: { value: 'a@x' } }, { emails: [{ value: 'a@x' }] }],
    ['texts where objects belong', { emails: ['a@x', 'b@x'] }, { emails: [{ value: 'a@x' }, { value: 'b@x' }] }],
    ['manager as a bare text', { manager: 'm1' }, { [enterprise]: { manager: { value: 'm1' } } }],
    ['… and as a list of one', { [enterprise]: { manager: [{ value: 'm1' }] } }, { [enterprise]: { manager: { value: 'm1' } } }],
    [
      '… and what stands under the URN counts',
      { manager: 'm1', [enterprise]: { manager: { value: 'm2' }, department: 'R' } },
      { [enterprise]: { manager: { value: 'm2' }, department: 'R' } },
    ],
    ['core attributes under their URN', { 'urn:ietf:params:scim:schemas:core:2.0:User': { title: 'T' } }, { title: 'T' }],
    ['URNs that nobody described', { 'urn:acme:x:2.0:User': { Color: 'red', n: 1 } }, { 'urn:acme:x:2.0:User': { Color: 'red', n: 1 } }],
    ['a flat extension attribute', { [`${enterprise}:department`]: 'R' }, { [enterprise]: { department: 'R' } }],
    [
      'values of another type, where nothing depends on them',
      { title: ['x', 'y'], name: 'Ada', locale: { a: 1 } },
      { title: ['x', 'y'], name: 'Ada', locale: { a: 1 } },
    ],
    [
      'one primary of several',
      { emails: [{ value: 'a' }, { value: 'b', primary: true }, { value: 'c', primary: 'True' }] },
      { emails: [{ value: 'a' }, { value: 'b', primary: true }, { value: 'c', primary: false }] },
    ],
    ['numbers where texts belong', { title: 7 }, { title: '7' }],
    ['names that are none', { 'shoe size': 41, __proto__x: 1 }, { 'shoe size': 41, __proto__x: 1 }],
  ])('%s', (_, given, expected) => expect(user(given)).toEqual({ ok: true, value: { userName: 'ada', ...expected } }))

  test.each([
    [{}],
    [{ userName: ' ' }],
    [{ userName: {} }],
    [{ userName: 'a', active: 'maybe' }],
    [{ userName: 'a', externalId: '' }],
    [{ userName: 'a', externalId: '界'.repeat(513) }],
    [{ userName: '界'.repeat(513) }],
    [{ userName: 'a', title: 'x'.repeat(scimLimits.textCharacters + 1) }],
    [{ userName: 'a', custom: Array.from({ length: scimLimits.arrayItems + 1 }, () => 1) }],
    [{ userName: 'a', custom: [[[[[[[[1]]]]]]]] }],
    [{ userName: 'a', active: true, ACTIVE: false }],
    [{ userName: 'a', active: true, 'urn:ietf:params:scim:schemas:core:2.0:User:active': false }],
    [{ userName: 'a', active: true, 'urn:ietf:params:scim:schemas:core:2.0:User': { active: false } }],
    [{ userName: 'a', active: [false] }],
    [[]],
    ['x'],
    [null],
  ])('%j is refused', (body) => expect(parseScimUser(body).ok).toBe(false))

  test('of a group may have more members than other lists have values', () => {
    const members = Array.from({ length: 5_000 }, (_, at) => ({ value: `u${at}` }))
    expect(readResource(groupType, { displayName: 'G', members })).toEqual({ ok: true, value: { displayName: 'G', members } })
    expect(readResource(groupType, { members }).ok).toBe(false)
    expect(readResource(groupType, { displayName: 'G', members: [true] }).ok).toBe(false)
  })

  test.each([[[[0]]], [[[{ givenName: 'Ada' }]]], [[[0], [1]]]])('what was read of %j is read as the same again', (name) => {
    const read = user({ name })
    expect(read.ok && readResource(userType, read.value)).toEqual(read)
  })

  test('never throws, and reads what it read as the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()), (value, rest) => {
        readResource(userType, value)
        const once = user(rest)
        if (once.ok) expect(readResource(userType, once.value)).toEqual(once)
      }),
    )
  })
})

test('an error says its status as text', () => {
  expect(scimErrorBody({ reason: 'scim_unique', detail: 'userName' })).toMatchObject({ status: '409', scimType: 'uniqueness' })
})
