/**
 * From a client_id to the client: the one resolver of every endpoint, so that a client known at authorize is known at token.
 *
 * A metadata document is fetched when its stored copy has lapsed. Where that fails, an endpoint that serves clients already at work
 * keeps to the stored copy for a while; a new authorization is refused, with the cause.
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { isDocumentUrl } from '@drawbridge/core/oauth/client-metadata-document'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { findClient, upsertClientOfDocument } from '@drawbridge/store/clients'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { fetchClientMetadataDocument } from './client-metadata-document.js'

/** How long a lapsed copy still serves token requests when its publisher cannot be reached. */
const staleSeconds = 86_400

export type ResolvePurpose = 'authorize' | 'token'

export async function resolveClient(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  clientId: string,
  purpose: ResolvePurpose,
): Promise<Result<Client, PageRefusal>> {
  const now = deps.clock.now()
  const known = await findClient(onHotPath(deps.database), tenant.id, tenant.issuer.id, clientId)
  if (known && (known.kind !== 'metadata_document' || (known.documentExpiresAt ?? 0) > now)) return ok(known)
  // A stranger's URL is fetched only where a person stands before the browser: the token endpoint never meets a client for the first time.
  const mayFetch =
    isDocumentUrl(clientId, { allowLoopback: allowsLoopbackDocuments(deps) }) && (known !== undefined || purpose === 'authorize')
  if (!mayFetch) return err({ reason: 'client_unknown' })
  const written = await fetchAndKeep(deps, tenant, clientId as ClientId)
  if (written.ok) return written
  const stillServes = known && purpose === 'token' && addSeconds(known.documentExpiresAt ?? now, staleSeconds) > now
  return stillServes ? ok(known) : written
}

/** Only an installation that may itself be reached on loopback may read documents there; `fetchSafely` judges the address again. */
const allowsLoopbackDocuments = (deps: BrokerDeps): boolean => deps.installation.kind !== 'production'

async function fetchAndKeep(deps: BrokerDeps, tenant: ResolvedTenant, id: ClientId): Promise<Result<Client, PageRefusal>> {
  const fetched = await fetchClientMetadataDocument(deps, id)
  if (!fetched.ok) return fetched
  const { document, expiresAt } = fetched.value
  const draft = {
    ...document,
    id,
    issuerId: tenant.issuer.id,
    kind: 'metadata_document' as const,
    secretHash: undefined,
    preApproved: false,
    scopeCeiling: [],
    accessTokenTtlSeconds: undefined,
    documentExpiresAt: expiresAt,
    now: deps.clock.now(),
  }
  const client = await inTenant(deps.database, tenant.id, (db) => upsertClientOfDocument(db, tenant.id, draft))
  return client ? ok(client) : err({ reason: 'client_unknown' })
}
