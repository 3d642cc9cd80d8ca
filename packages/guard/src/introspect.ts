/** Asks the issuer about a token: whether it is alive, where the guard is deaf and its owner chose to ask rather than to refuse; and who is behind it. */
import { isLate } from './deadline.js'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { parseScopes } from './tool-scopes.js'
import type { TrustedIssuer } from './trusted-issuer.js'
import { confirmationOf } from './verify-access-token.js'

/** An answer that takes longer counts as no answer. */
export const introspectionTimeoutSeconds = 5

/** Claims of the scopes `profile` and `email`, as far as this resource asked to be told and her company allows it. OIDC Core §5.4 */
export type Person = Readonly<Record<string, string | boolean>>

const claimsOfPeople = [
  ...['name', 'family_name', 'given_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture', 'website'],
  ...['gender', 'birthdate', 'zoneinfo', 'locale', 'email', 'email_verified'],
]

export type Introspected = {
  readonly person: Person
  readonly scopes: readonly string[]
  /** As of the token: `confirmationOf`. */
  readonly keyThumbprint: string | undefined
}

/**
 * Says whether `token`, whose signature is already verified, is active at its issuer, and with which scopes now.
 *
 * Nothing is cached: a positive answer is worth only its own moment. One that has waited for a process that stood still is none.
 *
 * @spec RFC 7662 §2.1, §2.2
 */
export async function introspect(
  fetchLike: typeof fetch,
  issuer: TrustedIssuer,
  token: string,
  nowSeconds: () => number,
): Promise<Result<Introspected, GuardRefusal>> {
  const askedAt = nowSeconds()
  try {
    const response = await fetchLike(`${issuer.issuer}/introspect`, {
      method: 'POST',
      redirect: 'error',
      headers: { Authorization: issuer.authorization, 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      signal: AbortSignal.timeout(introspectionTimeoutSeconds * 1000),
    })
    if (response.status !== 200) return err('issuer_unreachable')
    const answer = (await response.json()) as Readonly<Record<string, unknown>> | null
    if (isLate({ askedAt, answeredAt: nowSeconds(), timeoutSeconds: introspectionTimeoutSeconds })) return err('issuer_unreachable')
    if (answer?.['active'] !== true) return err('token_inactive')
    const confirmation = confirmationOf(answer['cnf'])
    if (!confirmation.ok) return err('token_inactive')
    return ok({ scopes: parseScopes(answer['scope']), keyThumbprint: confirmation.value, person: readPerson(answer) })
  } catch {
    return err('issuer_unreachable')
  }
}

const readPerson = (answer: Readonly<Record<string, unknown>>): Person =>
  Object.fromEntries(
    claimsOfPeople.flatMap((name): readonly (readonly [string, string | boolean])[] => {
      const value = Object.hasOwn(answer, name) ? answer[name] : undefined
      return typeof value === 'string' || typeof value === 'boolean' ? [[name, value]] : []
    }),
  )
