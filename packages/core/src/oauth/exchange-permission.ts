/**
 * Who may exchange whose tokens for which resource: RFC 8693, as the admins of a tenant allow it. Nothing is allowed until somebody has said so.
 *
 * A permission names the client that acts, the resource whose tokens it has been sent (it is that resource server, or stands in front of it), the
 * resource that it needs a token for, and the most that such a token may say.
 */
import { z } from 'zod'
import type { ClientId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import { resourceMaxLength } from './resource.js'
import { isScope } from './scope.js'

export const exchangeLimits = {
  /** Of a tenant: all of them are in the memory of every process. */
  permissions: 200,
  scopes: 100,
  clients: 50,
  /** Clients that have acted one after the other on a token: each exchange adds one. */
  actors: 3,
} as const

const clientId = z.string().min(1).max(2048)
const resource = z.string().min(1).max(resourceMaxLength)

export const exchangePermissionShape = z.strictObject({
  client: clientId.describe('client_id of whoever exchanges: it proves itself, and has the grant type in its registration'),
  from: resource.describe('Identifier of the resource that the tokens were issued for which it brings'),
  to: resource.describe('Identifier of the resource that it gets tokens for; the same: to narrow one before it is handed on'),
  scopes: z
    .array(z.string().refine(isScope, 'a scope: RFC 6749 §3.3'))
    .min(1)
    .max(exchangeLimits.scopes)
    .describe('The most that a token says; of them only those that the token has which was brought'),
  ofClients: z
    .array(clientId)
    .min(1)
    .max(exchangeLimits.clients)
    .optional()
    .describe('Only tokens that were issued to one of these clients; left out: to any client'),
  at: z
    .literal('front')
    .optional()
    .describe('The clients are those of the front issuer, whose tokens alone are exchanged; left out: of the tenant’s own issuer'),
})

export const tokenExchangeShape = z.strictObject({
  permissions: z
    .array(exchangePermissionShape)
    .max(exchangeLimits.permissions)
    .refine((all) => new Set(all.map(keyOf)).size === all.length, 'one permission for each client, from and to at an issuer'),
})
export type ExchangePermission = {
  readonly client: ClientId
  readonly from: ResourceIdentifier
  readonly to: ResourceIdentifier
  readonly scopes: readonly Scope[]
  readonly ofClients?: readonly ClientId[] | undefined
  readonly at?: 'front' | undefined
}
export type TokenExchange = { readonly permissions: readonly ExchangePermission[] }

type Named = { readonly client: string; readonly from: string; readonly to: string; readonly at?: string | undefined }
export const keyOf = ({ client, from, to, at }: Named): string => JSON.stringify([client, from, to, at ?? 'own'])

const nothing: TokenExchange = { permissions: [] }

/** Whatever the store holds. Where nobody has chosen, and where it cannot be read, nothing is allowed. */
export function tokenExchangeFromJson(json: unknown): TokenExchange {
  const parsed = tokenExchangeShape.safeParse(json)
  return parsed.success ? (parsed.data as unknown as TokenExchange) : nothing
}

/** The resources whose servers may have a token that was exchanged for one of this resource, however often it was; this one among them. */
export function reachedFrom({ permissions }: TokenExchange, resource: ResourceIdentifier): ReadonlySet<ResourceIdentifier> {
  const reached = new Set([resource])
  // A set is walked to what is added on the way.
  for (const at of reached) for (const { from, to } of permissions) if (from === at) reached.add(to)
  return reached
}

/** What is asked for: by whom, with a token of which client for which resource, and for which. Resources by their identifiers. */
export type AskedExchange = { readonly client: string; readonly from: string; readonly to: string; readonly issuedTo: string }

export const findPermission = ({ permissions }: TokenExchange, asked: AskedExchange): ExchangePermission | undefined =>
  permissions.find(
    ({ client, from, to, ofClients }) =>
      client === asked.client && from === asked.from && to === asked.to && (ofClients?.includes(asked.issuedTo as ClientId) ?? true),
  )
