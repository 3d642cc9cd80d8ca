/**
 * What is granted of a resource when nothing of it was asked for. A resource says so itself; of the vendor's shared ones each tenant may say it for its
 * own people.
 */
import { z } from 'zod'
import type { TenantId } from '../tenant/ids.js'
import { type ResourceServer, resourceMaxLength } from './resource.js'

/** Shared resources that one tenant says it of. */
export const mostDefaultScopeRows = 200

const scopeNames = z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a scope token of RFC 6749 §3.3')).max(200)
export const defaultScopesShape = z.strictObject({
  sharedResources: z
    .array(z.strictObject({ identifier: z.string().min(1).max(resourceMaxLength), scopes: scopeNames }))
    .max(mostDefaultScopeRows)
    .refine((list) => new Set(list.map(({ identifier }) => identifier)).size === list.length, 'a resource is named twice')
    .describe('What is left out has the vendor’s defaults. A name that the resource does not have is granted to nobody'),
})
export type DefaultScopes = z.output<typeof defaultScopesShape>

const asTheVendorHasIt: DefaultScopes = { sharedResources: [] }

/** Whatever the store holds. What cannot be read gives nothing by default: the vendor's defaults may be more than the tenant wanted. */
export function defaultScopesFromJson(json: unknown): DefaultScopes | 'unreadable' {
  if (json === undefined || json === null) return asTheVendorHasIt
  const parsed = defaultScopesShape.safeParse(json)
  return parsed.success ? parsed.data : 'unreadable'
}

/** The resources as this tenant's clients meet them. Its own are as they say themselves. */
export function withDefaultScopes<R extends ResourceServer>(resources: readonly R[], tenant: TenantId, json: unknown): readonly R[] {
  const chosen = defaultScopesFromJson(json)
  if (chosen !== 'unreadable' && chosen.sharedResources.length === 0) return resources
  return resources.map((resource) => {
    if (resource.tenantId === tenant) return resource
    const names = chosen === 'unreadable' ? [] : chosen.sharedResources.find(({ identifier }) => identifier === resource.identifier)?.scopes
    return names === undefined
      ? resource
      : { ...resource, scopes: resource.scopes.map((scope) => ({ ...scope, isDefault: names.includes(scope.name) })) }
  })
}
