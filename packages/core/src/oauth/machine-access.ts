/**
 * What a tenant lets a client of the front issuer have in its own name, resource by resource.
 *
 * The vendor registers such a client for all tenants, and that opens nothing at any of them: here each says what it gives. A client of a tenant's own issuer
 * has none of this: there the admin who registers it writes its ceiling.
 */
import { z } from 'zod'
import type { ResourceIdentifier, Scope } from '../tenant/ids.js'
import { resourceMaxLength } from './resource.js'
import { isScope } from './scope.js'

export const machineAccessLimits = {
  /** Of one client at one tenant. */
  resources: 50,
  scopes: 100,
} as const

export const machineAccessShape = z
  .array(
    z.strictObject({
      resource: z.string().min(1).max(resourceMaxLength).describe('Identifier of a resource that the front issuer may mint for'),
      scopes: z
        .array(z.string().refine(isScope, 'a scope: RFC 6749 §3.3'))
        .min(1)
        .max(machineAccessLimits.scopes)
        .describe('The most that a token of its own says'),
    }),
  )
  .max(machineAccessLimits.resources)
  .refine((all) => new Set(all.map(({ resource }) => resource)).size === all.length, 'one entry for each resource')

export type MachineAccess = readonly { readonly resource: ResourceIdentifier; readonly scopes: readonly Scope[] }[]

const nothing: MachineAccess = []

/** Whatever the store holds. `undefined`: it is no client of the front issuer. What cannot be read gives nothing. */
export function machineAccessFromJson(json: unknown): MachineAccess | undefined {
  if (json === null || json === undefined) return undefined
  const parsed = machineAccessShape.safeParse(json)
  return parsed.success ? (parsed.data as unknown as MachineAccess) : nothing
}

/** What it may have of this resource by itself. */
export const scopesGiven = (access: MachineAccess, resource: ResourceIdentifier): readonly Scope[] =>
  access.find((given) => given.resource === resource)?.scopes ?? []

/** The resources of which it may have less than before, or nothing. */
export const lostAccess = (before: MachineAccess, after: MachineAccess): readonly ResourceIdentifier[] =>
  before
    .filter(({ resource, scopes }) => !scopes.every((scope) => scopesGiven(after, resource).includes(scope)))
    .map(({ resource }) => resource)
