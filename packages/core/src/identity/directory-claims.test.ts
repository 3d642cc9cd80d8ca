/** Claims have sources: what the directory decides, the login does not, and what nobody knows is unknown. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { policyLimits } from '../policy/error.js'
import { parseClaimMapping } from './claim-mapping.js'
import { withDirectory } from './directory-claims.js'
import type { ClaimValue, NormalizedIdentity } from './normalized-identity.js'

const identity: NormalizedIdentity = {
  ...{ connectionId: 'c' as never, stableId: 'ada', subjectId: undefined },
  claims: new Map<string, ClaimValue>([
    ['department', 'of the login'],
    ['title', 'of the login'],
  ]),
  groups: { state: 'known', value: ['of the login'] },
  authentication: { acr: undefined, amr: [], authenticatedAt: undefined },
  sessionExpiresAt: undefined,
  idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
}
const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const mapped = (claims: object) => {
  const mapping = parseClaimMapping({ claims })
  if (!mapping.ok) throw new Error(mapping.error.say)
  return mapping.value
}
const department = mapped({ department: { directory: `${enterprise}:department` } })

test.each([
  ['decides nothing', null, { state: 'known', value: ['of the login'] }],
  ['leaves groups to the login', { groups: 'login', user: null }, { state: 'known', value: ['of the login'] }],
  ['does not know her', { groups: 'unknown', user: null }, { state: 'unknown' }],
  ['has her in none', { groups: [], user: null }, { state: 'known', value: [] }],
  [
    'has her in some, by name and by id',
    {
      groups: [
        ['Admins', '0f8fad5b-d9cb-469f-a165-70867728950e'],
        ['Staff', null],
      ],
      user: null,
    },
    { state: 'known', value: ['Admins', '0f8fad5b-d9cb-469f-a165-70867728950e', 'Staff'] },
  ],
  [
    'has her in one that calls itself by the id of another',
    {
      groups: [
        ['0f8fad5b-d9cb-469f-a165-70867728950E', '7c9e6679-7425-40de-944b-e07fc1f90ae7'],
        ['1f8fad5b-d9cb-469f-a165-70867728950e', null],
      ],
      user: null,
    },
    { state: 'known', value: ['7c9e6679-7425-40de-944b-e07fc1f90ae7'] },
  ],
  [
    'has her in more than a policy may see',
    { groups: Array.from({ length: policyLimits.groups + 1 }, (_, n) => [`g${n}`, null]), user: null },
    { state: 'unknown' },
  ],
  ['has a name longer than a claim', { groups: [['x'.repeat(policyLimits.claimCharacters + 1), null]], user: null }, { state: 'unknown' }],
  ['cannot be read', { groups: [7], user: null }, { state: 'unknown' }],
  ['is no object', 'Admins', { state: 'unknown' }],
])('groups, where the directory %s', (_says, said, groups) => {
  expect(withDirectory(identity, said, undefined).groups).toEqual(groups)
})

test.each([
  ['says it', { [enterprise]: { department: 'R&D' } }, 'R&D'],
  ['says that there is none', { [enterprise]: { department: null } }, undefined],
  ['says several', { [enterprise]: { department: ['R', 'D'] } }, 'unknown'],
  ['writes the name otherwise', { [enterprise.toUpperCase()]: { DEPARTMENT: 'R&D' } }, 'R&D'],
  ['says nothing of it', { [enterprise]: {} }, undefined],
  ['says something that it cannot be', { [enterprise]: { department: { value: { deep: true } } } }, 'unknown'],
  ['does not know her', null, 'unknown'],
])('a claim that is the directory’s, where it %s: the login’s own word never counts', (_says, user, value) => {
  const composed = withDirectory(identity, { groups: 'login', user }, department)
  const { claims, unknownClaims } = composed
  expect([unknownClaims?.has('department') ? 'unknown' : claims.get('department'), claims.get('title')]).toEqual([value, 'of the login'])
  if (value === 'unknown') expect(claims.has('department')).toBe(false)
})

test('what the login cannot say and the directory does is known, and the rest stays unknown', () => {
  const unclear = { ...identity, unknownClaims: new Set(['department', 'title']) }
  const { unknownClaims } = withDirectory(unclear, { groups: 'login', user: { [enterprise]: { department: 'R&D' } } }, department)
  expect(unknownClaims).toEqual(new Set(['title']))
})

test('where nothing was asked of the directory, a claim that is its own is unknown all the same', () => {
  const { claims, unknownClaims } = withDirectory(identity, null, department)
  expect([claims.has('department'), unknownClaims]).toEqual([false, new Set(['department'])])
})

test.each([
  ['userType', 'string', { userType: 'Contractor' }, 'Contractor'],
  ['name.givenName', 'string', { name: { givenName: 'Ada' } }, 'Ada'],
  ['roles', 'list', { roles: [{ value: 'dev' }, { value: 'ops' }] }, ['dev', 'ops']],
  ['roles.display', 'list', { roles: [{ value: 'd', display: 'Developer' }] }, ['Developer']],
  ['roles', 'string', { roles: [{ value: 'dev' }, { value: 'ops' }] }, undefined],
  ['active', 'boolean', { active: true }, true],
  [`${enterprise}:manager`, 'string', { [enterprise]: { manager: { value: '7' } } }, '7'],
] as const)('%s as %s', (directory, type, user, value) => {
  expect(withDirectory(identity, { groups: 'login', user }, mapped({ asked: { directory, type } })).claims.get('asked')).toEqual(value)
})

test.each([
  [{ email: { directory: 'emails.value' } }, 'mapping_of_directory'],
  [{ preferred_username: { directory: 'userName' } }, 'mapping_of_directory'],
  [{ groups: { directory: 'roles' } }, 'mapping_writes_reserved_claim'],
  [{ x: { directory: 'emails[type eq "work"].value' } }, 'mapping_malformed'],
  [{ x: { directory: '__proto__' } }, 'mapping_malformed'],
  [{ x: { directory: 'title', from: ['title'] } }, 'mapping_malformed'],
])('%j is refused as %s', (claims, reason) => {
  expect(parseClaimMapping({ claims })).toMatchObject({ ok: false, error: { reason } })
})

test('no word of a directory makes it throw, gives groups of the login back, or reaches a prototype', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (said) => {
      const { groups } = withDirectory(identity, { groups: said, user: { [enterprise]: said } }, department)
      if (said !== 'login') expect(groups).not.toEqual(identity.groups)
      withDirectory(identity, said, department)
    }),
  )
  const user = JSON.parse('{"__proto__": {"department": "polluted"}}') as object
  expect(withDirectory(identity, { groups: 'login', user }, mapped({ x: { directory: 'department' } })).claims.has('x')).toBe(false)
})
