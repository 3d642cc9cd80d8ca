/** Why a client gets nothing new at the token endpoint and beside it: the tenant, or the vendor at the front issuer, has closed the way by which it came, or wants it approved first. */
import type { Client } from '@drawbridge/core/oauth/client'
import { type RegistrationRules, whyNothingNewAt } from '@drawbridge/core/oauth/client-registration'

type Shut = { readonly reason: `registration_${NonNullable<ReturnType<typeof whyNothingNewAt>>}` }

export function findShut(rules: RegistrationRules, client: Client): Shut | undefined {
  const why = whyNothingNewAt(rules, client)
  return why === undefined ? undefined : { reason: `registration_${why}` }
}
