/**
 * From a client_id to the client: the one resolver of every endpoint, so that a client known at authorize is known at token.
 *
 * A metadata document is fetched when its stored copy has lapsed: once for all who come with it at that moment. Where that fails, an endpoint
 * that serves clients already at work keeps to the stored copy for a while, and asks again only after a pause, so that nobody waits for a
 * publisher who is down; a new authorization is refused, with the cause, and the next one has it asked for again. The while is a day where
 * nobody could hear the publisher, and minutes where he said that there is no document, or sent none that describes a client (ADR 101). An error
 * is never kept in the place of a document. OAuth CIMD §4.3
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { isDocumentUrl } from '@drawbridge/core/oauth/client-metadata-document'
import { isWayOpen } from '@drawbridge/core/oauth/client-registration'
import { servesClientsAtWork } from '@drawbridge/core/oauth/document-copy'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { markDocumentWithdrawn, upsertClientOfDocument } from '@drawbridge/store/client-documents'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ClientName } from './client-cache.js'
import { clientFetchLimits, ofWayOut } from './client-fetches.js'
import { fetchClientMetadataDocument, isPublishersWord } from './client-metadata-document.js'
import { sectorIdentifierOf } from './sector.js'
import { createFlights } from './single-flight.js'

/** After a fetch that failed, requests of clients at work are answered without another for so long: by the copy, while it still serves. */
export const documentPauseSeconds = 30
/** Documents of which a process remembers that they could not be fetched. */
const mostPauses = 2000

export type ResolvePurpose = 'authorize' | 'token'
export type Spend = HttpRequest['spend']

/** What a process knows of documents that are being fetched, or could not be. */
const documentsOf = ofWayOut(() => ({ underWay: createFlights<Resolved>(), pausedUntil: new Map<string, Instant>() }))
type Documents = ReturnType<typeof documentsOf>
type Resolved = Result<Client, PageRefusal>

/** The client as this process remembers it, if its copy has not lapsed. For whoever guards what it does by the version. */
export function recallClient(deps: BrokerDeps, tenant: ResolvedTenant, clientId: string): Client | undefined {
  const client = deps.clients.recall(nameOf(tenant, clientId))
  return client && isFresh(client, deps.clock.now()) ? client : undefined
}

/** The client as the database has it now, or its document. `spend`: by which it is counted who begins an authorization. */
export async function resolveClient(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  clientId: string,
  purpose: ResolvePurpose,
  spend?: Spend,
): Promise<Resolved> {
  const now = deps.clock.now()
  const isDocument = isDocumentUrl(clientId, { allowLoopback: allowsLoopbackDocuments(deps) })
  // Before anything is fetched. A client at work keeps what it was granted, so its document is still read for that.
  if (purpose === 'authorize' && isDocument && !isWayOpen(tenant.clientRegistration, { kind: 'metadata_document', id: clientId }))
    return err({ reason: 'client_way_closed' })
  const name = nameOf(tenant, clientId)
  const known = await deps.clients.read(name)
  if (known && isFresh(known, now)) return ok(known)
  // A stranger's URL is fetched only where an authorization begins, within its limits: the token endpoint never meets a client for the first time by itself (`token/introduce-document.ts`).
  const mayFetch = isDocument && (known !== undefined || purpose === 'authorize')
  if (!mayFetch) return err({ reason: 'client_unknown' })
  const documents = documentsOf(deps.fetchSafely)
  const key = JSON.stringify(name)
  const isAtWork = known !== undefined && purpose === 'token'
  const stillServes = isAtWork && servesClientsAtWork(known, now)
  if (isAtWork && isPaused(documents, key, now)) return stillServes ? ok(known) : err(refusalOf(known))
  if (!documents.underWay.isUnderWay(key)) {
    const limited = purpose === 'authorize' && spend ? findLimit(spend, known ? undefined : tenant) : undefined
    if (limited) return err(limited)
  }
  const written = await documents.underWay.share(key, () =>
    fetchWithPauses(documents, key, now, () => fetchAndKeep(deps, tenant, name.id, known)),
  )
  return !written.ok && stillServes ? ok(known) : written
}

/** Of a client whose copy serves nobody any more. */
const refusalOf = ({ documentWithdrawnAt }: Client): PageRefusal => ({
  reason: documentWithdrawnAt === undefined ? 'client_document_unreachable' : 'client_document_gone',
})

/** `tenant`: of one that has not met the client. */
function findLimit(spend: Spend, tenant: ResolvedTenant | undefined): PageRefusal | undefined {
  const limited = spend('client_document') ?? (tenant && spend(limitAt(tenant, 'tenant_client_document'), tenant.id))
  const retryAfterSeconds = Number(limited?.headers?.['retry-after'] ?? clientFetchLimits.busyPauseSeconds)
  return limited && { reason: 'client_document_busy', detail: { why: 'limit', retryAfterSeconds } }
}

const isPaused = ({ pausedUntil }: Documents, key: string, now: Instant): boolean => (pausedUntil.get(key) ?? 0) > now

/** Who asks again after a pause begins another: whoever comes meanwhile does not wait for what failed a moment ago. */
async function fetchWithPauses(documents: Documents, key: string, now: Instant, fetchNow: () => Promise<Resolved>): Promise<Resolved> {
  if (documents.pausedUntil.has(key)) pause(documents, key, now)
  const fetched = await fetchNow()
  if (fetched.ok) documents.pausedUntil.delete(key)
  else if (fetched.error.reason !== 'client_document_busy') pause(documents, key, now)
  return fetched
}

function pause({ pausedUntil }: Documents, key: string, now: Instant): void {
  pausedUntil.delete(key)
  pausedUntil.set(key, addSeconds(now, documentPauseSeconds))
  if (pausedUntil.size > mostPauses) pausedUntil.delete(pausedUntil.keys().next().value as string)
}

const nameOf = (tenant: ResolvedTenant, clientId: string): ClientName => ({
  tenantId: tenant.id,
  issuerId: tenant.issuer.id,
  id: clientId as ClientId,
})

const isFresh = (client: Client, now: Instant): boolean => client.kind !== 'metadata_document' || (client.documentExpiresAt ?? 0) > now

/** Only an installation that may itself be reached on loopback may read documents there; `fetchSafely` judges the address again. */
export const allowsLoopbackDocuments = (deps: BrokerDeps): boolean => deps.installation.kind !== 'production'

async function fetchAndKeep(deps: BrokerDeps, tenant: ResolvedTenant, id: ClientId, known: Client | undefined): Promise<Resolved> {
  const { documentHosts } = tenant.clientRegistration
  const fetched = await fetchClientMetadataDocument(deps, { url: id, documentHosts, isVouchedFor: known?.preApproved === true })
  if (!fetched.ok) {
    if (known && isPublishersWord(fetched.error)) await withdraw(deps, known, fetched.error.reason)
    return fetched
  }
  const { document, expiresAt } = fetched.value
  const client = { ...document, id, kind: 'metadata_document' as const }
  const draft = {
    ...client,
    issuerId: tenant.issuer.id,
    sectorIdentifier: sectorIdentifierOf(tenant, client, known),
    secretHash: undefined,
    preApproved: false,
    scopeCeiling: [],
    accessTokenTtlSeconds: undefined,
    documentExpiresAt: expiresAt,
    now: deps.clock.now(),
  }
  const written = await inTenant(deps.database, tenant.id, (db) => upsertClientOfDocument(db, tenant.id, draft))
  if (written === 'full') return err({ reason: 'client_documents_full' })
  if (written) deps.clients.keep(written)
  return written ? ok(written) : err({ reason: 'client_unknown' })
}

/** The first time is written down, for every process, and told. */
async function withdraw(deps: BrokerDeps, known: Client, reason: string): Promise<void> {
  if (known.documentWithdrawnAt !== undefined) return
  const marked = await inTenant(deps.database, known.tenantId, (db) => markDocumentWithdrawn(db, known, { now: deps.clock.now(), reason }))
  if (marked) deps.clients.keep(marked)
}
