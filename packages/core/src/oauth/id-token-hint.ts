/**
 * `id_token_hint` at the authorization endpoint: the client wants nobody but the person of this ID token.
 *
 * Whether we signed it is not asked. A client keeps ID tokens for longer than we keep keys, and what it says takes away only: a token that names
 * somebody else keeps this client from getting an answer, and from nothing that is another's.
 */
import { err, ok, type Result } from '../result.js'

/** Longer ID tokens are none of ours: `id_token_hint` goes through an address. */
export const longestIdTokenHint = 8192

/**
 * Who is hinted at: the `sub` by which this client knows her.
 *
 * @spec OIDC Core §3.1.2.1 id_token_hint
 */
export function parseIdTokenHint(hint: string | undefined): Result<string | undefined, 'malformed'> {
  if (hint === undefined || hint === '') return ok(undefined)
  const payload = hint.length > longestIdTokenHint ? undefined : /^[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/.exec(hint)?.[1]
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString('utf8'))
    const { sub } = (claims ?? {}) as { readonly sub?: unknown }
    return typeof sub === 'string' && sub !== '' && sub.length <= 255 && !/\p{Cc}/u.test(sub) ? ok(sub) : err('malformed')
  } catch {
    return err('malformed')
  }
}
