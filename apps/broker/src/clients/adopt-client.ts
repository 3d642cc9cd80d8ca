/** A client that is registered at the front issuer becomes known at a tenant, by a copy of its registration that follows it. */
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { adoptFrontClient, hasRoomForCopy } from '@drawbridge/store/front-clients'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

const nameOf = (member: ResolvedTenant, id: ClientId) => ({ tenantId: member.id, issuerId: member.issuer.id, id })

/**
 * For somebody whose word the tenant takes. `member`: the tenant at the front. Answers whether it knows the client from now on: not one that the front does not
 * know, or that is blocked or over there.
 */
export async function adoptClient(deps: BrokerDeps, member: ResolvedTenant, id: ClientId): Promise<boolean> {
  if (await deps.clients.read(nameOf(member, id))) return true
  return inTenant(deps.database, member.id, (db) => adoptFrontClient(db, member.id, id, deps.clock.now()))
}

export type Met = Client | 'unknown' | 'full' | { readonly limited: Answer }

/**
 * For whoever begins an authorization, which may be anybody: counted, as a registration is, and only where there is room. What the vendor registered is the
 * vendor's few, and is not counted. `of`: as the front has it.
 */
export async function meetClient({ deps, http }: MeetsClient, member: ResolvedTenant, of: Client): Promise<Met> {
  const name = nameOf(member, of.id)
  const known = await deps.clients.read(name)
  if (known) return known
  const isStrangers = of.kind === 'dynamic'
  const limited = isStrangers ? (http.spend('client_copy') ?? http.spend('tenant_client_copy', member.id)) : undefined
  if (limited) return { limited }
  const now = deps.clock.now()
  const adopted = await inTenant(deps.database, member.id, async (db) => {
    if (isStrangers && !(await hasRoomForCopy(db, member.id, { member: member.issuer.id, now }))) return 'full'
    return adoptFrontClient(db, member.id, of.id, now)
  })
  return adopted === 'full' ? adopted : (adopted && (await deps.clients.read(name))) || 'unknown'
}

type MeetsClient = { readonly deps: BrokerDeps; readonly http: Pick<HttpRequest, 'spend'> }
