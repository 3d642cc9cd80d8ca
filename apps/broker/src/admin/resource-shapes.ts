/** Resources as the admin API writes and shows them, the same for a tenant's own and for the vendor's. */
import { toldOfPeopleFromJson } from '@drawbridge/core/oauth/userinfo'
import { sensitivityTiers } from '@drawbridge/core/policy/decision'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { StoredResource, StoredScope } from '@drawbridge/store/resources'
import { z } from 'zod'
import { id as idShape, time, timeOrNull, toIso } from './shapes.js'

/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a scope token of RFC 6749 §3.3')
const scope = z.strictObject({
  name: scopeName,
  description: z.string().trim().min(1).max(300).describe('Plain words for the consent page'),
  tier: z.enum(sensitivityTiers),
  isDefault: z.boolean().default(false).describe('Granted when the client names no scope'),
})
export const scopesShape = z
  .array(scope)
  .max(200)
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'a scope is named twice')
export const toScopes = (scopes: z.output<typeof scopesShape>): readonly StoredScope[] => scopes as unknown as readonly StoredScope[]

const ttl = z.int().min(60).max(86_400)
const name = z.string().trim().min(1).max(200)
const askedOfPeople = z
  .strictObject({
    profile: z.boolean().default(false).describe('Her name and what else belongs to the scope profile'),
    email: z.boolean().default(false).describe('Her address, and whether it is proven'),
  })
  .describe('What introspection tells it of the people who use it, where their tenant allows that (`/tenants/{tenant}/userinfo`)')
export const newResource = z.strictObject({
  identifier: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .refine((url) => !url.includes('#'), 'a resource identifier has no fragment: RFC 8707 §2')
    .describe('What `aud` will hold, byte for byte; unique in the installation'),
  name,
  accessTokenTtlSeconds: ttl.optional(),
  toldOfPeople: askedOfPeople.optional(),
  scopes: scopesShape,
})
export const resourceChange = z.strictObject({
  name: name.optional(),
  accessTokenTtlSeconds: ttl.nullable().optional(),
  toldOfPeople: askedOfPeople.optional(),
})

export const resourceShape = z.strictObject({
  id: idShape,
  identifier: z.string(),
  name: z.string(),
  shared: z.boolean().describe('It belongs to the vendor'),
  mintable: z
    .boolean()
    .describe(
      'The own issuer of the tenant that asks may mint for it, whatever the front issuer may; always false for the vendor, who has none',
    ),
  accessTokenTtlSeconds: z.int().nullable(),
  toldOfPeople: askedOfPeople,
  toldOfPeopleSince: timeOrNull.describe(
    'Since when it asks that; null: as long as is known. Of a shared resource the vendor says it, and each company that shares it sees it here',
  ),
  scopes: z.array(scope),
  createdAt: time,
})
export const showResource = (resource: StoredResource): z.output<typeof resourceShape> => ({
  id: resource.id,
  identifier: resource.identifier,
  name: resource.name,
  shared: resource.tenantId === vendorTenantId,
  mintable: resource.issuerIds.length > 0,
  accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? null,
  toldOfPeople: toldOfPeopleFromJson(resource.toldOfPeople),
  toldOfPeopleSince: resource.toldOfPeopleAt === undefined ? null : toIso(resource.toldOfPeopleAt),
  scopes: resource.scopes.map((one) => ({ ...one })),
  createdAt: toIso(resource.createdAt),
})
