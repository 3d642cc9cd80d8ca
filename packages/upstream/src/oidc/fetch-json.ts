/** JSON from the IdP through the one safe way out: bounded in time and size, no redirects. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchOptions, FetchSafely } from '@drawbridge/runtime/fetch-safely'

export const jsonLimits = { maxBytes: 512 * 1024, timeoutMs: 10_000 } as const

export type JsonRefusal = 'unreachable' | 'not_found' | 'not_json'

/** `not_found`: it answered, and not with a document. */
export async function fetchJson(
  fetchSafely: FetchSafely,
  url: string,
  options: Partial<FetchOptions> = {},
): Promise<Result<unknown, JsonRefusal>> {
  const answer = await fetchSafely(url, { ...jsonLimits, ...options })
  if (!answer.ok) return err('unreachable')
  if (answer.value.status !== 200) return err(answer.value.status >= 500 ? 'unreachable' : 'not_found')
  try {
    return ok(JSON.parse(answer.value.body.toString('utf8')))
  } catch {
    return err('not_json')
  }
}
