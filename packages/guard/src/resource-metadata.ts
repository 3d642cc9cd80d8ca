/** Protected resource metadata: where it is served and what it says. @spec RFC 9728 §2, §3.1 */
import { proofAlgorithms } from './dpop-proof.js'

export type ResourceMetadata = {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly scopes_supported?: readonly string[]
  readonly resource_name?: string
  readonly dpop_signing_alg_values_supported: readonly string[]
  readonly dpop_bound_access_tokens_required?: true
}

const wellKnown = '/.well-known/oauth-protected-resource'

export type DescribedResource = {
  readonly resource: string
  readonly issuers: readonly string[]
  readonly baseScopes: readonly string[]
  readonly name?: string
  readonly takesBoundTokensAlone?: boolean
}

/**
 * The document. `scopes_supported` is the base set only: the rest is asked for by step-up, so that clients do not ask for everything.
 *
 * @spec RFC 9728 §2
 */
export const buildResourceMetadata = (described: DescribedResource): ResourceMetadata => ({
  resource: described.resource,
  authorization_servers: described.issuers,
  bearer_methods_supported: ['header'],
  ...(described.baseScopes.length > 0 ? { scopes_supported: described.baseScopes } : {}),
  dpop_signing_alg_values_supported: proofAlgorithms,
  ...(described.takesBoundTokensAlone === true ? { dpop_bound_access_tokens_required: true } : {}),
  ...(described.name === undefined ? {} : { resource_name: described.name }),
})

/**
 * Where the document is: the well-known path is inserted between host and path.
 *
 * @spec RFC 9728 §3.1
 */
export function resourceMetadataUrl(resource: string): string {
  const url = new URL(resource)
  const path = url.pathname === '/' ? '' : url.pathname
  return `${url.origin}${wellKnown}${path}${url.search}`
}

/** The paths that a server answers with the document: the inserted one, and the root for clients that look only there. */
export const resourceMetadataPaths = (resource: string): readonly string[] => [
  ...new Set([new URL(resourceMetadataUrl(resource)).pathname, wellKnown]),
]
