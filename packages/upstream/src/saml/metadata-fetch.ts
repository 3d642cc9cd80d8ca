/** Gets metadata from the address that an admin gave: bounded, without redirects, and in words of the catalogue when it does not work. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Fetched, FetchRefusal, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { MetadataFinding, MetadataFindingCode } from './metadata-findings.js'
import { metadataLimits } from './prescan.js'

export const metadataFetchTimeoutMs = 10_000
const longestEtag = 256

export type FetchedMetadata =
  | { readonly kind: 'document'; readonly document: string; readonly etag: string | undefined }
  /** The document is the one that carried the `etag`. */
  | { readonly kind: 'same' }

/** Any media type: vendors send seven of them. What the document is, its diagnosis says. */
const accept = 'application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1'

/** @spec RFC 9110 §13.1.2 If-None-Match */
export async function fetchMetadata(
  fetchSafely: FetchSafely,
  url: string,
  etag?: string,
): Promise<Result<FetchedMetadata, MetadataFinding>> {
  const headers = { accept, ...(etag !== undefined && { 'if-none-match': etag }) }
  const fetched = await fetchSafely(url, { headers, maxBytes: metadataLimits.octets, timeoutMs: metadataFetchTimeoutMs })
  if (!fetched.ok) return err({ code: codes[fetched.error.reason], detail: { why: fetched.error.reason } })
  if (fetched.value.status === 304 && etag !== undefined) return ok({ kind: 'same' })
  if (fetched.value.status !== 200) return err({ code: 'url_status', detail: { status: fetched.value.status } })
  return decode(fetched.value)
}

function decode({ body, headers }: Fetched): Result<FetchedMetadata, MetadataFinding> {
  const etag = headers['etag']
  try {
    const document = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return ok({ kind: 'document', document, etag: etag !== undefined && etag.length <= longestEtag ? etag : undefined })
  } catch {
    return err({ code: 'document_not_utf8' })
  }
}

const codes: Readonly<Record<FetchRefusal['reason'], MetadataFindingCode>> = {
  url_invalid: 'url_insecure',
  scheme_refused: 'url_insecure',
  name_unresolved: 'url_unreachable',
  address_refused: 'url_not_public',
  redirect_refused: 'url_redirects',
  type_refused: 'url_status',
  too_large: 'document_too_large',
  timed_out: 'url_unreachable',
  unreachable: 'url_unreachable',
}
