import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyPatch } from './apply-patch.js'
import type { JsonObject } from './json.js'
import { parsePatch } from './patch.js'
import { groupType, userType } from './resource-type.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const custom = 'urn:acme:params:scim:schemas:extension:badge:2.0:User'
const work = { type: 'work', value: 'a@x', primary: true }
const ada: JsonObject = { userName: 'ada', externalId: '00u1', active: true, name: { givenName: 'Ada', familyName: 'L' }, emails: [work] }
const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })
const patched = (document: JsonObject, ...operations: object[]) => {
  const parsed = parsePatch(userType, patchOf(...operations))
  return parsed.ok ? applyPatch(document, parsed.value) : parsed
}
const home = { type: 'home', value: 'h@x' }

describe('PATCH', () => {
  test.each<[string, object[], object]>([
    ['Okta: a path-less object', [{ op: 'replace', value: { active: false } }], { active: false }],
    ['Okta: an id inside it is ignored', [{ op: 'replace', value: { id: 'x', active: false } }], { active: false }],
    ['Entra: capitalised, one path, a text for the boolean', [{ op: 'Replace', path: 'active', value: 'False' }], { active: false }],
    [
      'Entra: dotted and URN keys',
      [{ op: 'add', value: { 'name.givenName': 'A', [`${enterprise}:department`]: 'R&D' } }],
      { name: { givenName: 'A', familyName: 'L' }, [enterprise]: { department: 'R&D' } },
    ],
    [
      'Entra: a key that is a value path',
      [{ op: 'Replace', value: { 'emails[type eq "work"].value': 'b@x' } }],
      { emails: [{ ...work, value: 'b@x' }] },
    ],
    [
      'Entra: a value path that must be created',
      [{ op: 'Add', path: 'emails[type eq "home"].value', value: 'h@x' }],
      { emails: [work, home] },
    ],
    [
      'Entra: … by replace as well',
      [{ op: 'Replace', path: 'phoneNumbers[type eq "mobile"].value', value: '1' }],
      { phoneNumbers: [{ type: 'mobile', value: '1' }] },
    ],
    [
      'Entra: … a primary one takes the mark',
      [{ op: 'Add', path: 'emails[primary eq true].value', value: 'b@x' }],
      { emails: [{ ...work, value: 'b@x' }] },
    ],
    [
      'Entra: roles as JSON inside a text',
      [{ op: 'Add', path: 'roles', value: [{ value: '{"id":"1","value":"admin","displayName":"Admin"}' }] }],
      { roles: [{ id: '1', value: 'admin', display: 'Admin' }] },
    ],
    [
      'Entra: a list of roles inside a text',
      [{ op: 'Add', path: 'roles', value: '[{"value":"admin","primary":"True"}]' }],
      { roles: [{ value: 'admin', primary: true }] },
    ],
    [
      'Entra: manager in a list of one',
      [{ op: 'Add', path: 'manager', value: [{ value: 'm1' }] }],
      { [enterprise]: { manager: { value: 'm1' } } },
    ],
    [
      'Entra: manager by URN, as a bare text',
      [{ op: 'Add', path: `${enterprise}:manager`, value: 'm1' }],
      { [enterprise]: { manager: { value: 'm1' } } },
    ],
    [
      'Entra: manager by its value',
      [{ op: 'replace', path: `${enterprise}:manager.value`, value: 'm1' }],
      { [enterprise]: { manager: { value: 'm1' } } },
    ],
    [
      'Entra: a removal that lists values removes just those',
      [
        { op: 'add', path: 'emails', value: [home] },
        { op: 'Remove', path: 'emails', value: [{ $ref: null, value: 'h@x' }] },
      ],
      {},
    ],
    ['a removal that lists nothing removes nothing', [{ op: 'remove', path: 'emails', value: [] }], {}],
    ['a removal without a value removes all', [{ op: 'remove', path: 'emails' }], { emails: undefined }],
    [
      'a value path that matches',
      [{ op: 'replace', path: 'emails[type eq "WORK"].value', value: 'b@x' }],
      { emails: [{ ...work, value: 'b@x' }] },
    ],
    [
      'a value path with more than equality',
      [{ op: 'replace', path: 'emails[value ew "@x" and not (type eq "home")].display', value: 'A' }],
      { emails: [{ ...work, display: 'A' }] },
    ],
    [
      'a whole value is replaced',
      [{ op: 'replace', path: 'emails[type eq "work"]', value: { value: 'b@x' } }],
      { emails: [{ value: 'b@x' }] },
    ],
    ['… and added to', [{ op: 'add', path: 'emails[type eq "work"]', value: { display: 'A' } }], { emails: [{ ...work, display: 'A' }] }],
    [
      'an extension attribute by URN',
      [{ op: 'replace', path: `${enterprise}:employeeNumber`, value: 7 }],
      { [enterprise]: { employeeNumber: '7' } },
    ],
    [
      'an extension that nobody described, by attribute',
      [{ op: 'add', path: `${custom}:badge`, value: { number: 7 } }],
      { [`${custom}:badge`]: { number: 7 } },
    ],
    ['… by a single attribute', [{ op: 'add', path: `${custom}:color`, value: 'red' }], { [custom]: { color: 'red' } }],
    ['… and as a whole', [{ op: 'add', value: { [custom]: { color: 'red' } } }], { [custom]: { color: 'red' } }],
    [
      'an extension as a whole keeps the rest',
      [{ op: 'replace', path: enterprise, value: { division: 'D' } }],
      { [enterprise]: { division: 'D' } },
    ],
    [
      'the core URN as prefix, in any case',
      [{ op: 'replace', path: 'URN:ietf:params:scim:schemas:core:2.0:user:DISPLAYNAME', value: 'Ada' }],
      { displayName: 'Ada' },
    ],
    ['removal of a sub-attribute', [{ op: 'remove', path: 'name.givenName' }], { name: { familyName: 'L' } }],
    [
      'a complex value keeps what is not mentioned',
      [{ op: 'replace', path: 'name', value: { givenName: 'A' } }],
      { name: { givenName: 'A', familyName: 'L' } },
    ],
    [
      'an object that says nothing changes nothing',
      [
        { op: 'replace', path: 'name', value: {} },
        { op: 'replace', value: { name: {} } },
      ],
      {},
    ],
    [
      'null inside a complex value unsets that alone',
      [{ op: 'replace', path: 'name', value: { givenName: null } }],
      { name: { familyName: 'L' } },
    ],
    [
      '… of an extension too',
      [
        { op: 'add', value: { [enterprise]: { department: 'R', division: 'D' } } },
        { op: 'replace', path: enterprise, value: { Department: null, costCenter: '7' } },
      ],
      { [enterprise]: { division: 'D', costCenter: '7' } },
    ],
    ['removal by condition', [{ op: 'remove', path: 'emails[type eq "work"]' }], { emails: undefined }],
    ['null means not set', [{ op: 'replace', path: 'name', value: null }], { name: undefined }],
    ['removal of what is not there', [{ op: 'remove', path: 'title' }], {}],
    ['adding what is there', [{ op: 'add', path: 'emails', value: [{ type: 'work', value: 'a@x' }] }], {}],
    [
      'a new primary takes the mark from the old one',
      [{ op: 'add', path: 'emails', value: [{ ...home, primary: true }] }],
      {
        emails: [
          { ...work, primary: false },
          { ...home, primary: true },
        ],
      },
    ],
    [
      'another one becomes primary',
      [
        { op: 'add', path: 'emails', value: home },
        { op: 'replace', path: 'emails[type eq "home"].primary', value: 'True' },
      ],
      {
        emails: [
          { ...work, primary: false },
          { ...home, primary: true },
        ],
      },
    ],
    ['a value of another type, where nothing depends on it', [{ op: 'replace', path: 'title', value: { a: 1 } }], { title: { a: 1 } }],
    ['a password goes nowhere', [{ op: 'replace', value: { password: 'x' } }], { password: undefined }],
    [
      'names that no schema knows, in any case',
      [
        { op: 'add', path: 'shoeSize', value: 41 },
        { op: 'replace', path: 'SHOESIZE', value: 42 },
      ],
      { shoeSize: 42 },
    ],
  ])('%s', (_, operations, expected) => {
    const outcome = patched(ada, ...operations)
    if (!outcome.ok) throw new Error(`${outcome.error.reason} ${outcome.error.detail}`)
    expect(outcome.value).toEqual(JSON.parse(JSON.stringify({ ...ada, ...expected })))
  })

  test('another manager takes the old one’s name away', () => {
    const managed = { ...ada, [enterprise]: { department: 'R', manager: { value: 'm1', displayName: 'Old' } } }
    expect(patched(managed, { op: 'replace', path: `${enterprise}:manager`, value: 'm2' })).toMatchObject({
      value: { [enterprise]: { department: 'R', manager: { value: 'm2' } } },
    })
    const outcome = patched(managed, { op: 'replace', path: `${enterprise}:manager`, value: 'm2' })
    expect(JSON.stringify(outcome)).not.toContain('Old')
    expect(patched(managed, { op: 'remove', path: `${enterprise}:manager` })).toMatchObject({
      value: { [enterprise]: { department: 'R' } },
    })
  })

  test.each<[object[], string]>([
    [[{ op: 'remove' }], 'scim_no_target'],
    [[{ op: 'remove', path: 'userName' }], 'scim_mutability'],
    [[{ op: 'remove', path: 'active' }], 'scim_mutability'],
    [[{ op: 'replace', path: 'id', value: 'x' }], 'scim_mutability'],
    [[{ op: 'replace', path: 'meta.created', value: 'x' }], 'scim_mutability'],
    [[{ op: 'add', path: 'groups', value: [{ value: 'g' }] }], 'scim_mutability'],
    [[{ op: 'remove', path: 'emails[type eq "home"]' }], 'scim_no_target'],
    [[{ op: 'replace', path: 'emails[type eq "home"]', value: { value: 'x' } }], 'scim_no_target'],
    [[{ op: 'add', path: 'emails[type eq "home" or type eq "other"].value', value: 'x' }], 'scim_no_target'],
    [[{ op: 'replace', path: 'emails[type eq', value: 'x' }], 'scim_path_invalid'],
    [[{ op: 'replace', path: 'emails[type eq "work"].a.b', value: 'x' }], 'scim_path_invalid'],
    [[{ op: 'replace', path: 'emails[type like "work"]', value: 'x' }], 'scim_filter_invalid'],
    [[{ op: 'replace', path: 'a.b.c', value: 'x' }], 'scim_path_invalid'],
    [[{ op: 'replace', path: '$.active', value: false }], 'scim_path_invalid'],
    [[{ op: 'replace', path: '/active', value: false }], 'scim_path_invalid'],
    [[{ op: 'replace', value: { '$.active': false } }], 'scim_path_invalid'],
    [[{ op: 'replace', path: 'active', value: [{ value: 'False' }] }], 'scim_value_invalid'],
    [[{ op: 'replace', value: false }], 'scim_value_invalid'],
    [[{ op: 'replace', path: 'active', value: null }], 'scim_value_invalid'],
    [[{ op: 'replace', path: 'active', value: 'maybe' }], 'scim_value_invalid'],
    [
      [
        { op: 'replace', path: 'userName', value: '' },
        { op: 'remove', path: 'userName' },
      ],
      'scim_mutability',
    ],
    [[{ op: 'add', path: 'title' }], 'scim_value_invalid'],
    [[{ op: 'move', path: 'active', value: false }], 'scim_body_malformed'],
    [
      [
        { op: 'replace', path: 'displayName', value: 'x' },
        { op: 'remove', path: 'userName' },
      ],
      'scim_mutability',
    ],
  ])('%j is refused as %s', (operations, reason) => {
    expect(patched(ada, ...operations)).toMatchObject({ ok: false, error: { reason } })
  })

  test('members of a group: replace with an empty list empties, a path-less replace without them leaves them', () => {
    const group = { displayName: 'G', members: [{ value: 'u1' }, { value: 'u2' }] }
    const outcome = (...operations: object[]) => {
      const parsed = parsePatch(groupType, patchOf(...operations))
      return parsed.ok ? applyPatch(group, parsed.value) : parsed
    }
    expect(outcome({ op: 'replace', value: { id: 'g', displayName: 'H' } })).toEqual({ ok: true, value: { ...group, displayName: 'H' } })
    expect(outcome({ op: 'replace', path: 'members', value: [] })).toEqual({ ok: true, value: { displayName: 'G' } })
    expect(outcome({ op: 'Remove', path: 'members', value: [{ $ref: null, value: 'u1' }] })).toEqual({
      ok: true,
      value: { displayName: 'G', members: [{ value: 'u2' }] },
    })
    expect(outcome({ op: 'Remove', path: 'members', value: [{ $ref: null, value: null }] })).toEqual({ ok: true, value: group })
  })

  test('no body makes it throw, and prototypes are untouched', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), fc.constantFrom('add', 'Replace', 'remove'), (value, path, op) => {
        parsePatch(userType, value)
        patched(ada, { op, path, value: value as object })
        patched(ada, { op, value: { [path]: value } })
      }),
    )
    patched(
      ada,
      { op: 'replace', value: JSON.parse('{"__proto__": {"polluted": true}}') as object },
      { op: 'add', path: 'constructor.polluted', value: 'x' },
    )
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('saying it again changes nothing', () => {
    const values = fc.array(fc.record({ type: fc.constantFrom('work', 'home'), value: fc.constantFrom('a', 'b') }), { maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom('add', 'replace'), values, (op, value) => {
        const once = patched(ada, { op, path: 'emails', value })
        expect(once.ok && patched(once.value, { op, path: 'emails', value })).toEqual(once)
      }),
    )
  })
})
