/**
 * From a client_id to the client: the one resolver of every endpoint, so that a client known at authorize is known at token.
 *
 * A metadata document is fetched when its stored copy has lapsed. Where that fails, an endpoint that serves clients already at work
 * keeps to the stored copy for a while; a new authorization is refused, with the cause.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { isDocumentUrl } from '@drawbridge/core/oauth/client-metadata-document'
import { isWayOpen } from '@drawbridge/core/oauth/client-registration'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { upsertClientOfDocument } from '@drawbridge/store/client-documents'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ClientName } from './client-cache.js'
import { fetchClientMetadataDocument } from './client-metadata-document.js'
import { sectorIdentifierOf } from './sector.js'

/** How long a lapsed copy still serves token requests when its publisher cannot be reached. */
const staleSeconds = 86_400

export type ResolvePurpose = 'authorize' | 'token'

/** The client as this process remembers it, if its copy has not lapsed. For whoever guards what it does by the version. */
export function recallClient(deps: BrokerDeps, tenant: ResolvedTenant, clientId: string): Client | undefined {
  const client = deps.clients.recall(nameOf(tenant, clientId))
  return client && isFresh(client, deps.clock.now()) ? client : undefined
}

/** The client as the database has it now, or its document. */
export async function resolveClient(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  clientId: string,
  purpose: ResolvePurpose,
): Promise<Result<Client, PageRefusal>> {
  const now = deps.clock.now()
  const isDocument = isDocumentUrl(clientId, { allowLoopback: allowsLoopbackDocuments(deps) })
  // Before anything is fetched. A client at work keeps what it was granted, so its document is still read for that.
  if (purpose === 'authorize' && isDocument && !isWayOpen(tenant.clientRegistration, { kind: 'metadata_document', id: clientId }))
    return err({ reason: 'client_way_closed' })
  const known = await deps.clients.read(nameOf(tenant, clientId))
  if (known && isFresh(known, now)) return ok(known)
  // A stranger's URL is fetched only where an authorization begins, within its limits: the token endpoint never meets a client for the first time.
  const mayFetch = isDocument && (known !== undefined || purpose === 'authorize')
  if (!mayFetch) return err({ reason: 'client_unknown' })
  const written = await fetchAndKeep(deps, tenant, clientId as ClientId, known)
  if (written.ok) return written
  const stillServes = known && purpose === 'token' && addSeconds(known.documentExpiresAt ?? now, staleSeconds) > now
  return stillServes ? ok(known) : written
}

const nameOf = (tenant: ResolvedTenant, clientId: string): ClientName => ({
  tenantId: tenant.id,
  issuerId: tenant.issuer.id,
  id: clientId as ClientId,
})

const isFresh = (client: Client, now: Instant): boolean => client.kind !== 'metadata_document' || (client.documentExpiresAt ?? 0) > now

/** Only an installation that may itself be reached on loopback may read documents there; `fetchSafely` judges the address again. */
const allowsLoopbackDocuments = (deps: BrokerDeps): boolean => deps.installation.kind !== 'production'

async function fetchAndKeep(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  id: ClientId,
  known: Client | undefined,
): Promise<Result<Client, PageRefusal>> {
  const fetched = await fetchClientMetadataDocument(deps, id, tenant.clientRegistration.documentHosts)
  if (!fetched.ok) return fetched
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
  if (written) deps.clients.keep(written)
  return written ? ok(written) : err({ reason: 'client_unknown' })
}
