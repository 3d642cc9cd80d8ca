/**
 * A client asks at a tenant that has never heard of it: at the front issuer one that is registered there, and anywhere one that describes itself
 * (`introduce-document.ts`).
 *
 * A tenant comes to know it in three ways: its admin says so, somebody begins to use it at the authorization endpoint, within limits (ADR 115), or, here, somebody
 * whose word the tenant takes has signed that this very client comes for one of its people. Nobody else can have a copy made: what is only asked for here makes none.
 */
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import type { TokenRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { vendorSlug } from '@drawbridge/core/tenant/ids'
import type { ReadProof } from '@drawbridge/crypto/dpop-proof'
import { adoptClient } from '../clients/adopt-client.js'
import { type Acted, asProvenClient } from '../clients/as-proven-client.js'
import { authenticateClient, type ClientClaim } from '../clients/client-authentication.js'
import { limitOfClient } from '../clients/client-limit.js'
import { verifyProof } from '../clients/dpop.js'
import { findShut } from '../clients/find-shut.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { ExchangeContext } from './exchange.js'
import type { ProveEvidence } from './grants/assertion-grant.js'
import { proveAssertion } from './grants/jwt-bearer.js'
import { proveSamlAssertion } from './grants/saml-bearer.js'
import { describesItself, introduceDocument } from './introduce-document.js'

type Asking = Omit<ExchangeContext, 'client' | 'provenKey'> & {
  readonly claim: ClientClaim
  readonly proof: ReadProof | undefined
  readonly request: TokenRequest
}

const unknown = { reason: 'client_authentication_unknown_client', detail: { why: 'client_unknown' } } as const

/** Lets a client act that proves itself, as `asProvenClient` does; one that the tenant has never heard of, if somebody introduces it. */
export async function asKnownClient(
  deps: BrokerDeps,
  asking: Asking,
  act: (client: ProvenClient) => Promise<Acted<Answer>>,
): Promise<Result<Answer, JsonRefusal>> {
  const answered = await asProvenClient(deps, asking.claim, act)
  // One that is known, and whose document is gone or cannot be read, brings nothing new.
  if (answered.ok || answered.error.reason !== unknown.reason || answered.error.detail?.['why'] !== unknown.detail.why) return answered
  const isDocument = describesItself(deps, asking.claim)
  if (!isDocument && asking.tenant.issuer.kind !== 'front_member') return answered
  const introduced = isDocument ? await introduceDocument(deps, asking) : await introduceClient(deps, asking)
  if (!introduced.ok) return introduced
  return introduced.value === 'known' ? asProvenClient(deps, asking.claim, act) : ok(introduced.value)
}

/** `known`: from now on. Else what it hears, which is what one would hear whom the tenant knows and has given nothing. */
async function introduceClient(deps: BrokerDeps, asking: Asking): Promise<Result<Answer | 'known', JsonRefusal>> {
  const { http, claim, request, tenant } = asking
  const front = await deps.configuration.find(vendorSlug, 'front')
  if (!front) return err(unknown)
  const registered = await authenticateClient(deps, { ...claim, tenant: front }, 'database')
  if (!registered.ok) return registered
  const shut = findShut(front, registered.value)
  if (shut) return err(shut)
  // Whatever the vendor vouches for, no admin of this tenant has.
  const client = { ...registered.value, preApproved: false, approvedAtFront: registered.value.preApproved } as ProvenClient
  // One that describes itself is met by each tenant for itself.
  if (client.kind === 'metadata_document') return err(unknown)
  const limited = limitOfClient(http, client, 'tenant_token')
  if (limited) return ok(limited)
  if (!client.grantTypes.includes(request.grantType)) return err({ reason: 'grant_type_not_for_client' })
  if (request.grantType === 'client_credentials') return err({ reason: 'machine_access_missing' })
  const prove = evidenceIn(deps, request)
  if (prove === undefined) return err(unknown)
  const provenKey = verifyProof(asking.proof)
  if (!provenKey.ok) return provenKey
  const evidence = await prove({ ...asking, client, provenKey: provenKey.value })
  if (!evidence.ok) return evidence
  return (await adoptClient(deps, tenant, client.id)) ? ok('known') : err(unknown)
}

/** How somebody vouches for the client in this request; `undefined`: nobody does. */
function evidenceIn(deps: BrokerDeps, request: TokenRequest): ProveEvidence | undefined {
  if (request.grantType === jwtBearerGrantType) return (context) => proveAssertion(deps, context, request)
  return request.grantType === samlBearerGrantType ? (context) => proveSamlAssertion(deps, context, request) : undefined
}
