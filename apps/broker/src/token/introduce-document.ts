/**
 * A client that describes itself comes to the token endpoint first: its only flow is an assertion, so no authorization ever brought its document.
 *
 * Nobody has us fetch a stranger's URL there. Somebody whose word the tenant takes has to have signed that this very client comes for one of its people;
 * then the document is fetched and kept as at the authorization endpoint, behind the same gates and within the same limits, and the client proves itself
 * by it like every other. Where an approval is demanded it stands from then on in the list of those that wait for one. ADR 95, 102
 *
 * @spec MCP Enterprise-Managed Authorization, Client Authentication: a client metadata document's URL as client_id
 */
import type { Client } from '@drawbridge/core/oauth/client'
import { isDocumentUrl } from '@drawbridge/core/oauth/client-metadata-document'
import { isWayOpen, whyNothingNewAt } from '@drawbridge/core/oauth/client-registration'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import type { TokenRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ClientId, vendorSlug } from '@drawbridge/core/tenant/ids'
import { type ClientClaim, unresolved } from '../clients/client-authentication.js'
import { noteClientAsked } from '../clients/note-client-asked.js'
import { allowsLoopbackDocuments, resolveClient } from '../clients/resolve-client.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ExchangeContext } from './exchange.js'
import { isNamedByTrusted } from './grants/jwt-bearer.js'

type Asking = Pick<ExchangeContext, 'http' | 'tenant' | 'now'> & { readonly claim: ClientClaim; readonly request: TokenRequest }

const unknown = { reason: 'client_authentication_unknown_client', detail: { why: 'client_unknown' } } as const

export const describesItself = (deps: BrokerDeps, { presented }: ClientClaim): boolean =>
  isDocumentUrl(presented.clientId, { allowLoopback: allowsLoopbackDocuments(deps) })

/** Of one that the tenant does not know. `known`: from now on. */
export async function introduceDocument(
  deps: BrokerDeps,
  { http, tenant, now, claim, request }: Asking,
): Promise<Result<Answer | 'known', JsonRefusal>> {
  const id = claim.presented.clientId as ClientId
  if (request.grantType !== jwtBearerGrantType) return err(unknown)
  if (!(await isLetIn(deps, tenant, id))) return err({ reason: 'registration_way_closed' })
  // Nobody has proven anything: counted with those that have no credential.
  const limited = http.spend(limitAt(tenant, 'tenant_token'), tenant.id)
  if (limited) return ok(limited)
  if (!(await isNamedByTrusted(deps, { tenant, now }, request, id))) return err(unknown)
  const met = await resolveClient(deps, tenant, id, 'authorize', http.spend)
  if (!met.ok) return err(unresolved(met.error))
  if (whyNothingNewAt(tenant, met.value) === 'not_approved') await askForApproval(deps, http, tenant, met.value)
  return ok('known')
}

/** Of whoever demands one: the tenant, and at the front the vendor, who meets it by its document, too, so that he has something to look at. */
async function askForApproval(deps: BrokerDeps, http: HttpRequest, tenant: ResolvedTenant, client: Client): Promise<void> {
  await noteClientAsked(deps, client)
  if (tenant.vendorsRegistration?.approvalRequired !== true || client.approvedAtFront === true) return
  const front = await deps.configuration.find(vendorSlug, 'front')
  const there = front && (await resolveClient(deps, front, client.id, 'authorize', http.spend))
  if (there?.ok) await noteClientAsked(deps, there.value)
}

/** By the tenant; at the front by the vendor, too, who may have blocked it there. */
async function isLetIn({ configuration, clients }: BrokerDeps, tenant: ResolvedTenant, id: ClientId): Promise<boolean> {
  const rules = [tenant.clientRegistration, tenant.vendorsRegistration].filter((each) => each !== undefined)
  if (!rules.every((each) => isWayOpen(each, { kind: 'metadata_document', id }))) return false
  if (tenant.issuer.kind !== 'front_member') return true
  const front = await configuration.find(vendorSlug, 'front')
  const there = front && (await clients.read({ tenantId: front.id, issuerId: front.issuer.id, id }))
  return front !== undefined && there?.blockedAt === undefined
}
