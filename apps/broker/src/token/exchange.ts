/** What a grant type is to the token endpoint: from an authenticated client and a parsed request to tokens or a refusal. */
import type { Instant } from '@drawbridge/core/instant'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { Acted } from '../clients/as-proven-client.js'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { TokenSet } from './issue-tokens.js'

export type ExchangeContext = {
  readonly http: HttpRequest
  readonly tenant: ResolvedTenant
  readonly client: ProvenClient
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  readonly now: Instant
}
export type Exchange<Request> = (deps: BrokerDeps, context: ExchangeContext, request: Request) => Promise<Acted<TokenSet>>
