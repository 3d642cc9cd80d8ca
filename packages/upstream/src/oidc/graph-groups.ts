/**
 * Groups that Entra did not put into the token because there are too many, read from Microsoft Graph with the connection's own credentials.
 *
 * The address in the token (`_claim_sources`) is never called: it is data. Graph's address, the tenant and the person come from the
 * connection and from verified claims. Whatever goes wrong leaves the groups unknown, which policy takes for the strict outcome.
 *
 * @spec learn.microsoft.com: Graph v1.0 directoryObject getMemberObjects; user transitiveMemberOf; paging by @odata.nextLink
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchOptions } from '@drawbridge/runtime/fetch-safely'
import * as client from 'openid-client'
import { z } from 'zod'
import type { OidcConnection } from '../connection-configuration.js'
import { issuerPlaceholder } from './configuration.js'
import { fetchJson } from './fetch-json.js'
import { createProviderClient, type ProviderClientDeps } from './provider-client.js'

export const graphLimits = {
  /** Policy takes no more than a thousand groups anyway. */
  pages: 2,
  pageSize: 999,
  maxBytes: 1024 * 1024,
  timeoutMs: 5000,
  /** Renewed before it ends, so that none is sent that ends on the way. */
  tokenMarginSeconds: 60,
  tokenSeconds: 3600,
} as const

export type GraphRefusal =
  | 'person_unnamed'
  | 'token_refused'
  | 'graph_unreachable'
  | 'graph_refused'
  | 'graph_malformed'
  | 'too_many_groups'
export type Person = { readonly tenantId: unknown; readonly objectId: unknown }
/** The port. The simulator's Graph stands behind the same one as Microsoft's. */
export type ResolveGroups = (person: Person) => Promise<Result<readonly string[], GraphRefusal>>

type Graph = NonNullable<OidcConnection['graph']>
type Named = { readonly tenantId: string; readonly objectId: string }

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function graphGroups(deps: ProviderClientDeps, graph: Graph): ResolveGroups {
  return async ({ tenantId, objectId }) => {
    if (typeof tenantId !== 'string' || typeof objectId !== 'string' || !guid.test(tenantId) || !guid.test(objectId))
      return err('person_unnamed')
    const token = await appToken(deps, graph, tenantId)
    if (!token.ok) return token
    const read = graph.groups === 'id' ? readIds : readNames
    return read(deps, graph, { tenantId, objectId }, token.value)
  }
}

type KeptToken = { readonly token: string; readonly until: Instant }
const keptTokens = new WeakMap<OidcConnection, Map<string, KeptToken>>()

/** One token per tenant, as long as it lasts. @spec RFC 6749 §4.4 */
async function appToken(deps: ProviderClientDeps, graph: Graph, tenantId: string): Promise<Result<string, GraphRefusal>> {
  const { connection, now } = deps
  const kept = keptTokens.get(connection) ?? new Map<string, KeptToken>()
  keptTokens.set(connection, kept)
  const known = kept.get(tenantId)
  if (known !== undefined && now < known.until) return ok(known.token)
  const tokenEndpoint = tokenUrlOf(graph, deps.provider.tokenEndpoint, tenantId)
  const provider = createProviderClient({ ...deps, provider: { ...deps.provider, tokenEndpoint } })
  if (!provider.ok) return err('token_refused')
  try {
    const scope = `${new URL(graph.url).origin}/.default`
    const answer = await client.clientCredentialsGrant(provider.value.configuration, { scope })
    const seconds = Math.min(answer.expires_in ?? 0, graphLimits.tokenSeconds) - graphLimits.tokenMarginSeconds
    kept.set(tenantId, { token: answer.access_token, until: addSeconds(now, Math.max(0, seconds)) })
    return ok(answer.access_token)
  } catch {
    return err('token_refused')
  }
}

/** An authority for several tenants gives no token of its own: the tenant's is asked. */
const tokenUrlOf = ({ tokenUrl }: Graph, tokenEndpoint: string, tenantId: string): string =>
  tokenUrl?.replace(issuerPlaceholder, tenantId) ??
  tokenEndpoint.replace(/^(https?:\/\/[^/]+)\/(?:common|organizations)\//, `$1/${tenantId}/`)

const ids = z.object({ value: z.array(z.string().min(1).max(256)), '@odata.nextLink': z.string().optional() })

/** All at once, nested ones included. A further page would mean more than policy could take. */
async function readIds(deps: ProviderClientDeps, graph: Graph, { objectId }: Named, token: string): ReturnType<ResolveGroups> {
  const body = JSON.stringify({ securityEnabledOnly: graph.securityGroupsOnly })
  const answer = await ask(deps, `${graph.url}/users/${objectId}/getMemberObjects`, token, { method: 'POST', body })
  if (!answer.ok) return answer
  const read = ids.safeParse(answer.value)
  if (!read.success) return err('graph_malformed')
  return read.data['@odata.nextLink'] === undefined ? ok(read.data.value) : err('too_many_groups')
}

const named = z.object({
  value: z.array(z.object({ displayName: z.string().min(1).max(256).nullish(), securityEnabled: z.boolean().nullish() })),
  '@odata.nextLink': z.string().max(8192).optional(),
})

async function readNames(deps: ProviderClientDeps, graph: Graph, { objectId }: Named, token: string): ReturnType<ResolveGroups> {
  const first = `${graph.url}/users/${objectId}/transitiveMemberOf/microsoft.graph.group`
  let next: string | undefined = `${first}?$select=id,displayName,securityEnabled&$top=${graphLimits.pageSize}`
  const groups: string[] = []
  for (let page = 1; next !== undefined; page += 1) {
    if (page > graphLimits.pages) return err('too_many_groups')
    const answer = await ask(deps, next, token)
    if (!answer.ok) return answer
    const read = named.safeParse(answer.value)
    if (!read.success) return err('graph_malformed')
    const counted = read.data.value.filter(({ securityEnabled }) => !graph.securityGroupsOnly || securityEnabled === true)
    groups.push(...counted.flatMap(({ displayName }) => displayName ?? []))
    next = read.data['@odata.nextLink']
    // The token goes nowhere but to the collection that was asked for.
    if (next !== undefined && !next.startsWith(`${first}?`)) return err('graph_malformed')
  }
  return ok(groups)
}

async function ask(
  { fetchSafely }: ProviderClientDeps,
  url: string,
  token: string,
  options: Partial<FetchOptions> = {},
): Promise<Result<unknown, GraphRefusal>> {
  const { maxBytes, timeoutMs } = graphLimits
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetchJson(fetchSafely, url, { ...options, maxBytes, timeoutMs, headers })
  if (answer.ok) return answer
  return err(answer.error === 'unreachable' ? 'graph_unreachable' : answer.error === 'not_json' ? 'graph_malformed' : 'graph_refused')
}

/** Entra says that there are more groups than it sends: OIDC Core §5.6.2 distributed claims, or its own `hasgroups`. */
export function hasGroupsOverage(claims: ReadonlyMap<string, unknown>): boolean {
  const names = claims.get('_claim_names')
  const isDistributed = typeof names === 'object' && names !== null && Object.hasOwn(names, 'groups')
  return isDistributed || claims.get('hasgroups') === true || claims.get('hasgroups') === 'true'
}

/** The claims with the groups in place of the words that there are too many. What else is to be had elsewhere stays named. */
export function withGroups(claims: ReadonlyMap<string, unknown>, groups: readonly string[]): ReadonlyMap<string, unknown> {
  const overage = ['_claim_names', '_claim_sources', 'hasgroups']
  const names = claims.get('_claim_names')
  const others = typeof names === 'object' && names !== null ? Object.entries(names).filter(([name]) => name !== 'groups') : []
  const named: readonly [string, unknown][] = others.length === 0 ? [] : [['_claim_names', Object.fromEntries(others)]]
  return new Map([...[...claims].filter(([name]) => !overage.includes(name)), ...named, ['groups', groups]])
}
