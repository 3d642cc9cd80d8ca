/** Everything that a step of the browser flow stands on, loaded and proven at its beginning. */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { type PendingRequest, pendingRequestFromJson } from '@drawbridge/core/oauth/pending-request'
import { matchesRedirectUri } from '@drawbridge/core/oauth/redirect-uri'
import { findResource, type ResourceServer } from '@drawbridge/core/oauth/resource'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AuthorizationRequestId, CredentialHash } from '@drawbridge/core/tenant/ids'
import { findAuthorizationRequest, type StoredAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { findClient } from '@drawbridge/store/clients'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { browserHashOf } from './browser.js'
import { isStepProof, type ProvenStep } from './step-proof.js'

export type Flow = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly browserHash: CredentialHash
  readonly stored: StoredAuthorizationRequest
  readonly pending: PendingRequest
  readonly client: Client
  readonly resource: ResourceServer
  readonly now: Instant
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const resourcesOf = (tenant: ResolvedTenant): readonly ResourceServer[] => tenant.resources as unknown as readonly ResourceServer[]

/** The flow that this browser has under this id, or a page that says why there is none. */
export async function loadFlow(http: HttpRequest, deps: BrokerDeps, id: string | undefined): Promise<Result<Flow, Answer>> {
  const tenant = tenantOf(http)
  const browserHash = browserHashOf(http, deps)
  if (!browserHash || id === undefined || !uuid.test(id)) return err(refuseOnPage({ reason: 'request_not_of_browser' }))
  const hot = onHotPath(deps.database)
  const now = deps.clock.now()
  const stored = await findAuthorizationRequest(hot, tenant.id, { id: id as AuthorizationRequestId, browserHash, now })
  if (!stored || stored.issuerId !== tenant.issuer.id) return err(refuseOnPage({ reason: 'request_expired' }))
  return completeFlow({ http, deps, tenant, browserHash, stored, now })
}

export async function completeFlow(base: Omit<Flow, 'pending' | 'client' | 'resource'>): Promise<Result<Flow, Answer>> {
  const pending = pendingRequestFromJson(base.stored.request)
  const client = await findClient(onHotPath(base.deps.database), base.tenant.id, base.tenant.issuer.id, base.stored.clientId)
  const resource = pending.ok ? findResource(pending.value.resource, resourcesOf(base.tenant)) : undefined
  if (!pending.ok || !client || !resource) return err(refuseOnPage({ reason: 'request_expired' }))
  // Proven when the request was accepted; the client may have given the URI up since then.
  if (!matchesRedirectUri(pending.value.redirectUri, client.redirectUris)) return err(refuseOnPage({ reason: 'redirect_uri_unregistered' }))
  return ok({ ...base, pending: pending.value, client, resource })
}

export const provenStep = (flow: Pick<Flow, 'tenant' | 'stored' | 'browserHash'>, step: ProvenStep['step']): ProvenStep => ({
  tenant: flow.tenant.id,
  request: flow.stored.id,
  browserHash: flow.browserHash,
  step,
  shown: step === 'consent' ? JSON.stringify(flow.stored.decision ?? null) : undefined,
})

export type PostedStep = { readonly flow: Flow; readonly form: Readonly<Record<string, string>> }

/** A posted form of one of our pages: the browser's own, at this step, with the proof that the page carried. */
export async function loadPostedStep(http: HttpRequest, deps: BrokerDeps, step: ProvenStep['step']): Promise<Result<PostedStep, Answer>> {
  if (!http.form.ok) return err(refuseOnPage({ reason: 'step_proof_invalid' }))
  const form = http.form.value
  const flow = await loadFlow(http, deps, form['request'])
  if (!flow.ok) return flow
  if (!isStepProof(deps.sealer, provenStep(flow.value, step), form['proof'])) return err(refuseOnPage({ reason: 'step_proof_invalid' }))
  return ok({ flow: flow.value, form })
}

export const stepLocation = (flow: Pick<Flow, 'tenant' | 'stored'>, step: 'choose-connection' | 'client-notice' | 'consent'): string =>
  `${flow.tenant.issuer.url}/authorize/${step}?request=${flow.stored.id}`
