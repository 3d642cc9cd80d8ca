import { expect, test } from 'vitest'
import { coversScope, narrowerScimScope, scimScopes, widestScimScope } from './scope.js'

test('each scope covers itself and those before it, and none that follow', () => {
  const covered = scimScopes.map((held) => scimScopes.filter((needed) => coversScope(held, needed)))
  expect(covered).toEqual([['scim:read'], ['scim:read', 'scim:users'], ['scim:read', 'scim:users', 'scim']])
})

test('of several the widest counts, of two bounds the narrower, and of none there is nothing', () => {
  expect(widestScimScope(['scim:read', 'documents:read', 'scim:users'])).toBe('scim:users')
  expect(widestScimScope(['documents:read', 'SCIM', 'scim:'])).toBeUndefined()
  expect(narrowerScimScope('scim', 'scim:read')).toBe('scim:read')
  expect(narrowerScimScope('scim:users', 'scim')).toBe('scim:users')
})
