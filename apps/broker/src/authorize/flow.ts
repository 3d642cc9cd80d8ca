/** Everything that a step of the browser flow stands on, loaded and proven at its beginning. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { AuthorizationRequest } from '@drawbridge/core/oauth/authorization-request'
import type { Client } from '@drawbridge/core/oauth/client'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { type PendingRequest, pendingRequestFromJson, toPendingRequest } from '@drawbridge/core/oauth/pending-request'
import { matchesRedirectUri } from '@drawbridge/core/oauth/redirect-uri'
import { findResource, type ResourceServer } from '@drawbridge/core/oauth/resource'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AuthorizationRequestId, ClientId, ConnectionId, CredentialHash } from '@drawbridge/core/tenant/ids'
import {
  type DecidedWrite,
  type FoundRequest,
  findAuthorizationRequest,
  type GroundMoved,
  type OngoingRequest,
  type RequestToSave,
} from '@drawbridge/store/authorization-requests'
import type { LiveBrowserSession } from '@drawbridge/store/browser-sessions'
import type { WaitingDevice } from '@drawbridge/store/device-codes'
import { onHotPath } from '@drawbridge/store/transaction'
import type { ClientName } from '../clients/client-cache.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { browserHashOf } from '../http/browser-binding.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { atIssuer } from '../http/front.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseHttp } from '../http/write-error.js'
import { refuseOnPage } from './answer.js'
import { type FlowStep, isStepProof, type ProvenStep } from './step-proof.js'

export type Flow = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly browserHash: CredentialHash
  /** How far this browser has come with the request. */
  readonly ongoing: OngoingRequest
  readonly pending: PendingRequest
  readonly client: Client
  readonly resource: ResourceServer
  readonly now: Instant
  /** How the login ended that has just come home, if this step is one. */
  readonly login?: FinishedLogin | undefined
}

export type FinishedLogin = { readonly kind: 'believed'; readonly session: LiveBrowserSession } | { readonly kind: 'fresh_login_required' }

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** From the click in the application to the last click on our pages, second factors and coffee included. */
export const authorizationRequestTtlSeconds = 1800

type FlowBase = Pick<Flow, 'http' | 'deps' | 'tenant' | 'browserHash'>

/** The flow of a request that has just been accepted. It is only a value: the first step from which the browser has to come back stores it. */
export function beginFlow(
  base: FlowBase,
  accepted: AuthorizationRequest,
  /** The one that the link named: another one's session does not answer it. */
  connectionId?: ConnectionId,
): Flow {
  const { client, resource } = accepted
  const now = base.deps.clock.now()
  const expiresAt = addSeconds(now, authorizationRequestTtlSeconds)
  return newFlow(
    { ...base, pending: toPendingRequest(accepted), client, resource, now },
    { connectionId, expiresAt, clientEpoch: client.epoch },
  )
}

/**
 * The flow of a device, in the browser of the person who took it upon herself. From here on it is like every other; it ends when the device stops
 * waiting, and keeps to the epoch under which the device asked.
 */
export async function beginDeviceFlow(base: FlowBase, device: WaitingDevice): Promise<Result<Flow, Answer>> {
  const { deps, browserHash, http } = base
  const tenant = await deps.configuration.atVersion(base.tenant, device.present.configurationVersion)
  const described = await describeDevice(deps, tenant, device)
  if (!described) return err(refuseOnPage({ reason: 'request_expired' }))
  const { expiresAt, clientEpoch } = device
  const flow = { http, deps, tenant, browserHash, ...described, now: deps.clock.now() }
  return ok(newFlow(flow, { connectionId: undefined, expiresAt, clientEpoch }))
}

/** What a device asked for, on what the database holds now. `undefined`: that can no longer be had. */
export async function describeDevice(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  device: WaitingDevice,
): Promise<Pick<Flow, 'pending' | 'client' | 'resource'> | undefined> {
  const client = await deps.clients.read(nameOfClient(tenant, device.clientId))
  const pending = pendingRequestFromJson(device.request)
  const resource = pending.ok ? findResource(pending.value.resource, tenant.resources) : undefined
  if (!pending.ok || !client || !resource || findUnanswerable(pending.value, client)) return undefined
  return { pending: pending.value, client, resource }
}

/** The flow of a request at the front whose tenant has just become known: from here on that tenant's, at its membership, as if it had begun there. */
export const becomeFlowOf = (
  { http, deps, browserHash, now, ongoing, pending }: Flow,
  of: Pick<Flow, 'tenant' | 'client' | 'resource'> & Pick<Flow['pending'], 'scopes' | 'identityScopes' | 'loginHint'>,
): Flow => {
  const { tenant, client, resource, ...asked } = of
  const flow = { http, deps, browserHash, now, tenant, client, resource, pending: { ...pending, ...asked } }
  return newFlow(flow, { connectionId: undefined, expiresAt: ongoing.expiresAt, clientEpoch: client.epoch })
}

function newFlow(flow: Omit<Flow, 'ongoing'>, of: Pick<OngoingRequest, 'connectionId' | 'expiresAt' | 'clientEpoch'>): Flow {
  const { deps, tenant, client, pending, now } = flow
  const ongoing: OngoingRequest = {
    id: deps.random.uuid() as AuthorizationRequestId,
    issuerId: tenant.issuer.id,
    clientId: client.id,
    request: pending,
    step: 'login',
    subjectId: undefined,
    sessionId: undefined,
    noticedAt: undefined,
    stepUps: 0,
    decision: undefined,
    createdAt: now,
    saved: false,
    ...of,
  }
  return { ...flow, ongoing }
}

/** The flow that this browser has under this id, or a page that says why there is none. */
export async function loadFlow(http: HttpRequest, deps: BrokerDeps, id: string | undefined): Promise<Result<Flow, Answer>> {
  const known = tenantOf(http)
  const browserHash = browserHashOf(http, deps)
  if (!browserHash || id === undefined || !uuid.test(id)) return err(refuseOnPage({ reason: 'request_not_of_browser' }))
  const now = deps.clock.now()
  const found = await findAuthorizationRequest(onHotPath(deps.database), known.id, { id: id as AuthorizationRequestId, browserHash, now })
  return resumeFlow({ http, deps, tenant: known, browserHash, now }, found)
}

/**
 * The flow of a request that a statement has just read or moved on, on the configuration and the client that the statement saw. It goes on at the issuer
 * at which it began: a tenant's pages serve those of the front, too, once it is known whose they are.
 */
export async function resumeFlow(
  base: Omit<Flow, 'ongoing' | 'pending' | 'client' | 'resource'>,
  found: FoundRequest | undefined,
): Promise<Result<Flow, Answer>> {
  const { deps } = base
  const at = found && (await atIssuer(deps, base.tenant, found.ongoing.issuerId))
  if (!at) return err(refuseOnPage({ reason: 'request_expired' }))
  const { ongoing, present } = found
  const tenant = await deps.configuration.atVersion(at, present.configurationVersion)
  const name = nameOfClient(tenant, ongoing.clientId)
  const remembered = deps.clients.recall(name)
  const client = remembered?.version === present.clientVersion ? remembered : await deps.clients.read(name)
  return completeFlow({ ...base, tenant, ongoing }, client)
}

/** The same flow on what the database holds now: configuration, client, and whether a request that was stored still lives. */
export async function reloadFlow(flow: Flow, moved: GroundMoved): Promise<Result<Flow, Answer>> {
  const { http, deps, browserHash, ongoing, now } = flow
  const tenant = await deps.configuration.atVersion(flow.tenant, moved.configurationVersion)
  if (tenant.suspendedAt !== undefined) return err(refuseHttp('page', 'tenant_suspended'))
  const lives =
    !ongoing.saved || (await findAuthorizationRequest(onHotPath(deps.database), tenant.id, { id: ongoing.id, browserHash, now }))
  if (!lives) return err(refuseOnPage({ reason: 'request_expired' }))
  // A session is read again, by its cookie; that a fresh login is due stays true.
  const login = flow.login?.kind === 'fresh_login_required' ? flow.login : undefined
  const client = await deps.clients.read(nameOfClient(tenant, ongoing.clientId))
  const complete = completeFlow({ http, deps, tenant, browserHash, ongoing, now, login }, client)
  if (!complete.ok || ongoing.saved || complete.value.pending.deviceCodeId !== undefined) return complete
  return ok({ ...complete.value, ongoing: { ...ongoing, clientEpoch: complete.value.client.epoch } })
}

function completeFlow(base: Omit<Flow, 'pending' | 'client' | 'resource'>, client: Client | undefined): Result<Flow, Answer> {
  const pending = pendingRequestFromJson(base.ongoing.request)
  const resource = pending.ok ? findResource(pending.value.resource, base.tenant.resources) : undefined
  if (!pending.ok || !client || !resource) return err(refuseOnPage({ reason: 'request_expired' }))
  if (client.blockedAt !== undefined) return err(refuseOnPage({ reason: 'client_blocked' }))
  const unanswerable = findUnanswerable(pending.value, client)
  if (unanswerable) return err(refuseOnPage(unanswerable))
  return ok({ ...base, pending: pending.value, client, resource })
}

/** Proven when the request was accepted; the client may have given the URI, or its devices, up since then. */
export function findUnanswerable(pending: PendingRequest, { redirectUris, grantTypes }: Client): PageRefusal | undefined {
  if (pending.deviceCodeId !== undefined) return grantTypes.includes(deviceGrantType) ? undefined : { reason: 'request_expired' }
  return matchesRedirectUri(pending.redirectUri, redirectUris) ? undefined : { reason: 'redirect_uri_unregistered' }
}

const nameOfClient = (tenant: ResolvedTenant, id: ClientId): ClientName => ({ tenantId: tenant.id, issuerId: tenant.issuer.id, id })

/** What a step of this flow is decided on: the statement that writes it compares. */
export const decidedOn = ({ tenant, client }: Pick<Flow, 'tenant' | 'client'>): RequestToSave['decidedOn'] => ({
  configurationVersion: tenant.configurationVersion,
  clientVersion: client.version,
})

/** For an answer that no statement stands behind: the client is read, and is told if it is not the one that was decided on. */
export async function findMovedClient({ deps, tenant, client }: Flow): Promise<GroundMoved | undefined> {
  const present = await deps.clients.read(nameOfClient(tenant, client.id))
  return present?.version === client.version ? undefined : { kind: 'ground_moved', configurationVersion: tenant.configurationVersion }
}

/** How a step ends: in an answer, or on ground that has moved, so that dispatch decides again. */
export type StepEnd = Answer | GroundMoved

export function endStep(written: DecidedWrite, answer: () => Answer): StepEnd {
  if (written.kind === 'ground_moved') return written
  return written.kind === 'written' ? answer() : refuseOnPage({ reason: 'request_expired' })
}

export const provenStep = (flow: Pick<Flow, 'tenant' | 'ongoing' | 'browserHash'>, step: FlowStep): ProvenStep => ({
  tenant: flow.tenant.id,
  request: flow.ongoing.id,
  browserHash: flow.browserHash,
  step,
  shown: step === 'consent' ? JSON.stringify(flow.ongoing.decision ?? null) : undefined,
})

export type PostedStep = { readonly flow: Flow; readonly form: Readonly<Record<string, string>> }

/** A posted form of one of our pages: the browser's own, at this step, with the proof that the page carried. */
export async function loadPostedStep(http: HttpRequest, deps: BrokerDeps, step: FlowStep): Promise<Result<PostedStep, Answer>> {
  if (!http.form.ok) return err(refuseOnPage({ reason: 'step_proof_invalid' }))
  const form = http.form.value
  const flow = await loadFlow(http, deps, form['request'])
  if (!flow.ok) return flow
  if (!isStepProof(deps.sealer, provenStep(flow.value, step), form['proof'])) return err(refuseOnPage({ reason: 'step_proof_invalid' }))
  return ok({ flow: flow.value, form })
}

export const stepLocation = (
  flow: Pick<Flow, 'tenant' | 'ongoing'>,
  step: 'choose-tenant' | 'choose-connection' | 'client-notice' | 'second-factor' | 'consent' | 'client-logo',
): string => `${flow.tenant.home}/authorize/${step}?request=${flow.ongoing.id}`
