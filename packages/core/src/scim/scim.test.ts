import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { scimErrorBody } from './error.js'
import { parseUserFilter } from './filter.js'
import { parsePage } from './list-response.js'
import { applyPatch, parsePatch } from './patch.js'
import { type JsonObject, parseScimUser } from './user.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const ada: JsonObject = {
  userName: 'ada',
  externalId: '00u1',
  active: true,
  name: { givenName: 'Ada', familyName: 'L' },
  emails: [{ type: 'work', value: 'a@x', primary: true }],
}
const patched = (...Operations: object[]) => {
  const operations = parsePatch({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })
  return operations.ok ? applyPatch(ada, operations.value) : operations
}

describe('PATCH', () => {
  test.each([
    ['Okta: a path-less object', [{ op: 'replace', value: { active: false } }], { active: false }],
    ['Okta: an id inside it is ignored', [{ op: 'replace', value: { id: 'x', active: false } }], { active: false }],
    ['Entra: capitalised, one path, a text for the boolean', [{ op: 'Replace', path: 'active', value: 'False' }], { active: 'False' }],
    [
      'Entra: dotted and URN keys',
      [{ op: 'add', value: { 'name.givenName': 'A', [`${enterprise}:department`]: 'R&D' } }],
      { name: { givenName: 'A', familyName: 'L' }, [enterprise]: { department: 'R&D' } },
    ],
    [
      'Entra: a value path that must be created',
      [{ op: 'Add', path: 'emails[type eq "home"].value', value: 'h@x' }],
      {
        emails: [
          { type: 'work', value: 'a@x', primary: true },
          { type: 'home', value: 'h@x' },
        ],
      },
    ],
    [
      'a value path that matches',
      [{ op: 'replace', path: 'emails[type eq "work"].value', value: 'b@x' }],
      { emails: [{ type: 'work', value: 'b@x', primary: true }] },
    ],
    [
      'an extension attribute by URN',
      [{ op: 'replace', path: `${enterprise}:employeeNumber`, value: '7' }],
      { [enterprise]: { employeeNumber: '7' } },
    ],
    [
      'the core URN as prefix, in any case',
      [{ op: 'replace', path: 'URN:ietf:params:scim:schemas:core:2.0:user:DISPLAYNAME', value: 'Ada' }],
      { displayName: 'Ada' },
    ],
    ['removal of a sub-attribute', [{ op: 'remove', path: 'name.givenName' }], { name: { familyName: 'L' } }],
    ['removal by condition', [{ op: 'remove', path: 'emails[type eq "work"]' }], { emails: undefined }],
    [
      'adding what is there',
      [{ op: 'add', path: 'emails', value: [{ type: 'work', value: 'a@x', primary: true }] }],
      { emails: ada['emails'] },
    ],
    [
      'a new primary',
      [{ op: 'add', path: 'emails', value: [{ type: 'home', value: 'h@x', primary: true }] }],
      {
        emails: [
          { type: 'work', value: 'a@x', primary: false },
          { type: 'home', value: 'h@x', primary: true },
        ],
      },
    ],
    ['a password is never kept', [{ op: 'replace', value: { password: 'x' } }], { password: undefined }],
  ])('%s', (_, operations, expected) => {
    const outcome = patched(...operations)
    if (!outcome.ok) throw new Error(outcome.error.reason)
    expect({ ...outcome.value }).toEqual(JSON.parse(JSON.stringify({ ...ada, ...expected })))
  })

  test.each([
    [[{ op: 'remove' }], 'scim_no_target'],
    [[{ op: 'remove', path: 'userName' }], 'scim_mutability'],
    [[{ op: 'remove', path: 'active' }], 'scim_mutability'],
    [[{ op: 'replace', path: 'id', value: 'x' }], 'scim_mutability'],
    [[{ op: 'remove', path: 'emails[type eq "home"]' }], 'scim_no_target'],
    [[{ op: 'replace', path: 'emails[type eq', value: 'x' }], 'scim_path_invalid'],
    [[{ op: 'replace', value: false }], 'scim_value_invalid'],
    [[{ op: 'replace', path: 'active', value: null }], 'scim_value_invalid'],
    [[{ op: 'move', path: 'active', value: false }], 'scim_body_malformed'],
    [
      [
        { op: 'replace', path: 'displayName', value: 'x' },
        { op: 'remove', path: 'userName' },
      ],
      'scim_mutability',
    ],
  ])('%j is refused as %s', (operations, reason) => {
    expect(patched(...operations)).toMatchObject({ ok: false, error: { reason } })
  })

  test('no body makes it throw, and prototypes are untouched', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, path) => {
        parsePatch(value)
        patched({ op: 'replace', path, value: value as object })
        parseScimUser(value)
      }),
    )
    patched(
      { op: 'replace', value: JSON.parse('{"__proto__": {"polluted": true}}') as object },
      { op: 'add', path: '__proto__.polluted', value: 'x' },
    )
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('a user', () => {
  test('is read in any spelling, without nulls, secrets and what is ours', () => {
    const body = {
      schemas: ['x'],
      id: 'mine',
      USERNAME: 'ada',
      ExternalId: 'E',
      Active: 'True',
      password: 'p',
      groups: [],
      nickName: null,
      Emails: [{ Value: 'a@x' }],
    }
    expect(parseScimUser(body)).toEqual({
      ok: true,
      value: { userName: 'ada', externalId: 'E', active: true, attributes: { emails: [{ value: 'a@x' }] } },
    })
  })
  test.each([
    [{}],
    [{ userName: ' ' }],
    [{ userName: 1 }],
    [{ userName: 'a', active: 'maybe' }],
    [{ userName: 'a', externalId: 7 }],
    [{ userName: 'a', externalId: '界'.repeat(513) }],
    [{ userName: '界'.repeat(513) }],
    [[]],
    ['x'],
    [null],
  ])('%j is refused', (body) => {
    expect(parseScimUser(body).ok).toBe(false)
  })
})

describe('a filter', () => {
  test.each([
    ['userName eq "Ada"', [{ attribute: 'userName', value: 'Ada' }]],
    ['USERNAME EQ "a and b"', [{ attribute: 'userName', value: 'a and b' }]],
    ['externalId eq 00u1', [{ attribute: 'externalId', value: '00u1' }]],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a"', [{ attribute: 'userName', value: 'a' }]],
    [
      'userName eq "a\\"b" AND id eq "x"',
      [
        { attribute: 'userName', value: 'a"b' },
        { attribute: 'id', value: 'x' },
      ],
    ],
  ])('%s', (text, filters) => expect(parseUserFilter(text)).toEqual({ ok: true, value: filters }))
  test.each([
    '',
    'userName',
    'userName ne "a"',
    'title eq "x"',
    'userName eq "a" or id eq "b"',
    'userName eq "a',
    '(userName eq "a")',
    'emails[type eq "work"].value eq "x"',
    String.raw`userName eq "a\u0000"`,
    String.raw`externalId eq "\ud83d"`,
  ])('%s is refused', (text) => {
    expect(parseUserFilter(text)).toMatchObject({ ok: false, error: { reason: 'scim_filter_invalid' } })
  })
})

test('pages have limits', () => {
  expect([parsePage('0', '-1'), parsePage(undefined, undefined), parsePage('7', '9999'), parsePage('x', 'y')]).toEqual([
    { startIndex: 1, count: 0 },
    { startIndex: 1, count: 100 },
    { startIndex: 7, count: 200 },
    { startIndex: 1, count: 100 },
  ])
})

test('an error says its status as text', () => {
  expect(scimErrorBody({ reason: 'scim_unique', detail: 'userName' })).toMatchObject({ status: '409', scimType: 'uniqueness' })
})
