/** Fetches the document in which a client describes itself. Errors are never kept: the next request tries again. */

import type { Instant } from '@drawbridge/core/instant'
import {
  type ClientMetadataDocument,
  documentExpiresAt,
  documentMaxBytes,
  parseClientMetadataDocument,
} from '@drawbridge/core/oauth/client-metadata-document'
import type { PageRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { BrokerDeps } from '../deps.js'
import { parseJsonBody } from '../http/read-body.js'

const fetchTimeoutMs = 5_000

export type FetchedDocument = { readonly document: ClientMetadataDocument; readonly expiresAt: Instant }

/** @spec OAuth CIMD §4 fetch, §4.3 caching, §6 SSRF */
export async function fetchClientMetadataDocument(
  deps: Pick<BrokerDeps, 'fetchSafely' | 'clock'>,
  url: string,
  documentHosts: readonly string[],
): Promise<Result<FetchedDocument, PageRefusal>> {
  const fetched = await deps.fetchSafely(url, {
    maxBytes: documentMaxBytes,
    timeoutMs: fetchTimeoutMs,
    headers: { accept: 'application/json' },
  })
  if (!fetched.ok) return err({ reason: 'client_document_unreachable', detail: { why: fetched.error.reason } })
  const { status, headers, body } = fetched.value
  if (status !== 200) return err({ reason: 'client_document_unreachable', detail: { status } })
  if (!/^application\/(?:[a-z0-9.-]+\+)?json\b/i.test(headers['content-type'] ?? ''))
    return err({ reason: 'client_document_invalid', detail: { field: 'content-type' } })
  const parsed = parseJsonBody(body)
  const document = parseClientMetadataDocument(url, parsed.ok ? parsed.value : undefined, documentHosts)
  if (!document.ok) return err({ reason: 'client_document_invalid', detail: { field: document.error.field } })
  return ok({ document: document.value, expiresAt: documentExpiresAt(headers['cache-control'], headers['age'], deps.clock.now()) })
}
