import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResourceId, ResourceIdentifier, Scope, TenantId } from '../tenant/ids.js'
import { defaultScopesFromJson, defaultScopesShape, mostDefaultScopeRows, withDefaultScopes } from './default-scopes.js'
import { defaultScopesOf, type ResourceServer } from './resource.js'

const [acme, vendor] = ['acme', 'vendor'] as unknown as readonly [TenantId, TenantId]
const resource = (tenantId: TenantId, identifier: string): ResourceServer => ({
  ...{ tenantId, id: identifier as ResourceId, identifier: identifier as ResourceIdentifier, name: identifier },
  scopes: ['read', 'write'].map((name) => ({ name: name as Scope, tier: 'read' as const, description: name, isDefault: name === 'read' })),
  accessTokenTtlSeconds: undefined,
})
const all = [resource(vendor, 'https://shared.example'), resource(vendor, 'https://other.example'), resource(acme, 'https://own.example')]
const defaultsBy = (json: unknown) => withDefaultScopes(all, acme, json).map(defaultScopesOf)

test.each([
  { chosen: undefined, defaults: [['read'], ['read'], ['read']] },
  { chosen: null, defaults: [['read'], ['read'], ['read']] },
  { chosen: { sharedResources: [] }, defaults: [['read'], ['read'], ['read']] },
  { chosen: { sharedResources: [{ identifier: 'https://shared.example', scopes: ['write'] }] }, defaults: [['write'], ['read'], ['read']] },
  { chosen: { sharedResources: [{ identifier: 'https://shared.example', scopes: [] }] }, defaults: [[], ['read'], ['read']] },
  { chosen: { sharedResources: [{ identifier: 'https://own.example', scopes: ['write'] }] }, defaults: [['read'], ['read'], ['read']] },
  { chosen: { sharedResources: [{ identifier: 'https://shared.example/', scopes: ['write'] }] }, defaults: [['read'], ['read'], ['read']] },
  { chosen: { sharedResources: 7 }, defaults: [[], [], ['read']] },
])('of $chosen the vendor’s resources have $defaults by default, and the tenant’s own what they say', ({ chosen, defaults }) =>
  expect(defaultsBy(chosen)).toEqual(defaults),
)

test('whatever is stored, no scope comes into being, and none but its being a default changes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json().map((text) => JSON.parse(text) as unknown),
        fc.record({ sharedResources: fc.anything() }),
      ),
      (json) => {
        const without = (resources: readonly ResourceServer[]) =>
          resources.map((each) => ({ ...each, scopes: each.scopes.map((scope) => ({ ...scope, isDefault: undefined })) }))
        expect(without(withDefaultScopes(all, acme, json))).toEqual(without(all))
      },
    ),
  )
})

test('what an admin may write is read back as it is', () => {
  const rows = Array.from({ length: mostDefaultScopeRows }, (_, index) => ({ identifier: `https://${index}.example`, scopes: ['read'] }))
  expect(defaultScopesFromJson(defaultScopesShape.parse({ sharedResources: rows }))).toEqual({ sharedResources: rows })
  expect(defaultScopesShape.safeParse({ sharedResources: [...rows, { identifier: 'https://more.example', scopes: [] }] }).success).toBe(
    false,
  )
})
