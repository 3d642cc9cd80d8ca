/** Why a client gets nothing new at the token endpoint and beside it: the tenant has closed the way by which it came, or wants it approved first. */
import type { Client } from '@drawbridge/core/oauth/client'
import { whyNothingNew } from '@drawbridge/core/oauth/client-registration'
import type { ResolvedTenant } from '../http/tenant.js'

type Shut = { readonly reason: `registration_${NonNullable<ReturnType<typeof whyNothingNew>>}` }

export function findShut({ clientRegistration }: Pick<ResolvedTenant, 'clientRegistration'>, client: Client): Shut | undefined {
  const why = whyNothingNew(clientRegistration, client)
  return why === undefined ? undefined : { reason: `registration_${why}` }
}
