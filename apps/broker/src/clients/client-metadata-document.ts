/** Fetches the document in which a client describes itself, once for all who wait for it. Errors are never kept: the next request tries again. */

import type { Instant } from '@drawbridge/core/instant'
import { type ClientMetadataDocument, documentMaxBytes, parseClientMetadataDocument } from '@drawbridge/core/oauth/client-metadata-document'
import { documentExpiresAt } from '@drawbridge/core/oauth/document-freshness'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchGate, GatedRefusal } from '@drawbridge/runtime/fetch-gate'
import type { Fetched } from '@drawbridge/runtime/fetch-safely'
import type { BrokerDeps } from '../deps.js'
import { parseJsonBody } from '../http/read-body.js'
import { clientFetchesOf, clientFetchLimits, ofWayOut } from './client-fetches.js'
import { createFlights } from './single-flight.js'

const fetchTimeoutMs = 5_000

export type FetchedDocument = { readonly document: ClientMetadataDocument; readonly expiresAt: Instant }

/** All tenants read one document as it came, and each judges it for itself. */
const underWayOf = ofWayOut((fetchSafely) => {
  const { ofStrangers, ofVouchedFor } = clientFetchesOf(fetchSafely)
  const flights = createFlights<Result<Fetched, GatedRefusal>>()
  const options = { maxBytes: documentMaxBytes, timeoutMs: fetchTimeoutMs, headers: { accept: 'application/json' } }
  const through = (gate: FetchGate) => (url: string) => flights.share(url, () => gate.fetch(url, options))
  return { ofStrangers: through(ofStrangers), ofVouchedFor: through(ofVouchedFor) }
})

/** `isVouchedFor`: an admin of the tenant approved what it said before. */
export type WhichDocument = { readonly url: string; readonly documentHosts: readonly string[]; readonly isVouchedFor: boolean }

/** @spec OAuth CIMD §4 fetch, §4.3 caching, §6 SSRF */
export async function fetchClientMetadataDocument(
  deps: Pick<BrokerDeps, 'fetchSafely' | 'clock'>,
  { url, documentHosts, isVouchedFor }: WhichDocument,
): Promise<Result<FetchedDocument, PageRefusal>> {
  const underWay = underWayOf(deps.fetchSafely)
  const fetched = await (isVouchedFor ? underWay.ofVouchedFor(url) : underWay.ofStrangers(url))
  if (!fetched.ok) return err(refusalOf(fetched.error))
  const { status, headers, body } = fetched.value
  if (status !== 200) return err(refusalOfStatus(status))
  if (!/^application\/(?:[a-z0-9.-]+\+)?json\b/i.test(headers['content-type'] ?? ''))
    return err({ reason: 'client_document_invalid', detail: { field: 'content-type' } })
  const parsed = parseJsonBody(body)
  const document = parseClientMetadataDocument(url, parsed.ok ? parsed.value : undefined, documentHosts)
  if (!document.ok) return err({ reason: 'client_document_invalid', detail: { field: document.error.field } })
  return ok({ document: document.value, expiresAt: documentExpiresAt(headers, deps.clock.now()) })
}

/** Whatever else a server says may pass: that it is being repaired, that we ask too often, that we should ask elsewhere. */
const refusalOfStatus = (status: number): PageRefusal => ({
  reason: status === 404 || status === 410 ? 'client_document_gone' : 'client_document_unreachable',
  detail: { status },
})

function refusalOf({ reason, ...more }: GatedRefusal): PageRefusal {
  if (reason === 'busy')
    return { reason: 'client_document_busy', detail: { why: reason, retryAfterSeconds: clientFetchLimits.busyPauseSeconds } }
  const status = 'detail' in more ? Number(more.detail?.['status']) : Number.NaN
  // Pages that say 404 are longer than documents.
  if (reason === 'too_large')
    return status === 200 ? { reason: 'client_document_invalid', detail: { field: 'length' } } : refusalOfStatus(status)
  return { reason: 'client_document_unreachable', detail: { why: reason } }
}

/** What the publisher himself says, and not that nobody could hear him: there is no document, or none that describes a client. */
export const isPublishersWord = ({ reason }: PageRefusal): boolean =>
  reason === 'client_document_gone' || reason === 'client_document_invalid'
