import { describe, expect, test } from 'vitest'
import { parseProjection, project } from './projection.js'
import { userType } from './resource-type.js'
import { parsePage, parseSearch, pickWords } from './search-request.js'
import { isKnownVersion, meetsIfMatch } from './version.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const meta = { resourceType: 'User', location: 'https://x/Users/1', version: 'W/"1"' }
const ada = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
  id: '1',
  userName: 'ada',
  name: { givenName: 'Ada', familyName: 'L' },
  emails: [
    { value: 'a@x', type: 'work' },
    { value: 'b@x', type: 'home' },
  ],
  [enterprise]: { department: 'R', manager: { value: 'm', displayName: 'M' } },
  shoeSize: 41,
  password: 'never',
  meta,
}
const always = { schemas: ada.schemas, id: '1', meta: { resourceType: 'User', location: 'https://x/Users/1' } }
const projected = (attributes?: unknown, excluded?: unknown) => {
  const projection = parseProjection(userType, attributes, excluded)
  return projection.ok ? project(userType, ada, projection.value) : projection.error.reason
}

describe('the attributes that go back', () => {
  test.each<[unknown, object]>([
    ['userName', { ...always, userName: 'ada' }],
    [' USERNAME , name.givenName', { ...always, userName: 'ada', name: { givenName: 'Ada' } }],
    ['emails.value,emails.type', { ...always, emails: ada.emails }],
    ['emails.value', { ...always, emails: [{ value: 'a@x' }, { value: 'b@x' }] }],
    [`${enterprise}:department`, { ...always, [enterprise]: { department: 'R' } }],
    [`${enterprise}:manager.value,${enterprise}:department`, { ...always, [enterprise]: { manager: { value: 'm' }, department: 'R' } }],
    [enterprise, { ...always, [enterprise]: ada[enterprise] }],
    ['SHOESIZE', { ...always, shoeSize: 41 }],
    ['meta', { ...always, meta }],
    ['meta.version', { ...always, meta }],
    ['password,nothing', always],
    [['userName'], { ...always, userName: 'ada' }],
  ])('attributes=%s', (attributes, expected) => expect(projected(attributes)).toEqual(expected))

  test('excludedAttributes leaves out what may be left out', () => {
    const left = projected(undefined, `emails,name.familyName,id,schemas,meta,${enterprise}:manager,password`)
    const { emails: _, password: _secret, ...rest } = ada
    expect(left).toEqual({ ...rest, ...always, name: { givenName: 'Ada' }, [enterprise]: { department: 'R' } })
  })
  test('a secret never goes back, asked for or not', () => expect(JSON.stringify(projected())).not.toContain('never'))
  test.each([[7], [[7]], [Array.from({ length: 101 }, () => 'a')]])('%j are no names', (names) => {
    expect(projected(names)).toBe('scim_value_invalid')
  })
})

describe('a page', () => {
  test.each<[object, object]>([
    [
      { startIndex: '0', count: '-1' },
      { by: 'index', startIndex: 1, count: 0 },
    ],
    [{}, { by: 'index', startIndex: 1, count: 100 }],
    [
      { startIndex: 7, count: 9999 },
      { by: 'index', startIndex: 7, count: 200 },
    ],
    [
      { startIndex: 'x', count: 'y' },
      { by: 'index', startIndex: 1, count: 100 },
    ],
    [
      { cursor: '', count: '3' },
      { by: 'cursor', cursor: '', count: 3 },
    ],
  ])('%j', (words, value) => expect(parsePage(words)).toEqual({ ok: true, value }))
  test.each([
    [{ cursor: '', count: 'x' }, 'scim_count_invalid'],
    [{ cursor: '', count: '-1' }, 'scim_count_invalid'],
    [{ cursor: 7 }, 'scim_cursor_invalid'],
  ])('%j is refused as %s', (words, reason) => expect(parsePage(words)).toMatchObject({ ok: false, error: { reason } }))
})

describe('a search', () => {
  test('words are known in any case, and of a complex attribute its value gives the order', () => {
    const words = pickWords({ FILTER: 'title pr', sortby: 'emails', SortOrder: 'Descending', other: 'x' })
    expect(parseSearch(userType, words)).toMatchObject({
      ok: true,
      value: { filter: { kind: 'present' }, sort: { by: { attribute: { name: 'emails' }, sub: { name: 'value' } }, descending: true } },
    })
  })
  test.each([
    [{ filter: 7 }, 'scim_filter_invalid'],
    [{ sortBy: 'password' }, 'scim_value_invalid'],
    [{ sortBy: 'a b' }, 'scim_value_invalid'],
  ])('%j is refused as %s', (words, reason) => expect(parseSearch(userType, words)).toMatchObject({ ok: false, error: { reason } }))
})

test.each([
  [undefined, true, false],
  ['*', true, true],
  ['W/"3"', true, true],
  ['"3"', true, true],
  ['W/"2", W/"3"', true, true],
  ['W/"2"', false, false],
])('the version 3 meets If-Match %s: %s, If-None-Match: %s', (header, matches, known) => {
  expect([meetsIfMatch(header, 'W/"3"'), isKnownVersion(header, 'W/"3"')]).toEqual([matches, known])
})
