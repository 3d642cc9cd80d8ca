/** Asks the issuer whether a token is alive. Used when the guard is deaf and its owner chose to ask rather than to refuse. */
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { parseScopes } from './tool-scopes.js'
import type { TrustedIssuer } from './trusted-issuer.js'
import { confirmationOf } from './verify-access-token.js'

/** An answer that takes longer counts as no answer. */
export const introspectionTimeoutSeconds = 5

export type Introspected = {
  readonly scopes: readonly string[]
  /** As of the token: `confirmationOf`. */
  readonly keyThumbprint: string | undefined
}

/**
 * Says whether `token`, whose signature is already verified, is active at its issuer, and with which scopes now.
 *
 * Nothing is cached: a positive answer is worth only its own moment.
 *
 * @spec RFC 7662 §2.1, §2.2
 */
export async function introspect(
  fetchLike: typeof fetch,
  issuer: TrustedIssuer,
  token: string,
): Promise<Result<Introspected, GuardRefusal>> {
  try {
    const response = await fetchLike(`${issuer.issuer}/introspect`, {
      method: 'POST',
      redirect: 'error',
      headers: { Authorization: issuer.authorization, 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      signal: AbortSignal.timeout(introspectionTimeoutSeconds * 1000),
    })
    if (response.status !== 200) return err('issuer_unreachable')
    const answer = (await response.json()) as { active?: unknown; scope?: unknown; cnf?: unknown } | null
    if (answer?.active !== true) return err('token_inactive')
    const confirmation = confirmationOf(answer.cnf)
    if (!confirmation.ok) return err('token_inactive')
    return ok({ scopes: parseScopes(answer.scope), keyThumbprint: confirmation.value })
  } catch {
    return err('issuer_unreachable')
  }
}
