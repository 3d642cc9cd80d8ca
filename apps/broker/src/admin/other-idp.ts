/**
 * A connection that is turned to another IdP: what was signed in by the old one was that one's word, and none of it is the new one's. So is what a
 * trust opened at an issuer at which it holds no longer.
 *
 * So everything opened through the connection ends with the change, in its transaction: the epoch is raised, by which pending logins end,
 * too. The time of the barrier stays: a sign-in at the new IdP may be older than the change, and counts as well. Who keeps her stable id
 * keeps her place, because the admin says that it is the same company.
 */
import { isDeepStrictEqual } from 'node:util'
import { type HeldAt, holdsAt, issuersHeldAt } from '@drawbridge/core/tenant/at-issuer'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { putBackBarrierTime, type StoredConnection } from '@drawbridge/store/connections'
import { deprovision } from '@drawbridge/store/deprovisioning'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { AdminRequest } from './admin-endpoint.js'

/**
 * What says which IdP it is: SAML's entity ID; the issuer of OpenID Connect or of assertions, by name or by the connection that is its, whose of
 * several companies that share one, and of assertions also whose people they speak of.
 */
const identity = ['idpEntityId', 'issuer', 'keysOf', 'tenantIds', 'hostedDomains', 'tenant', 'tenantClaim', 'peopleOf'] as const

const identityOf = (configuration: unknown): readonly unknown[] =>
  identity.map((member) => (configuration as Readonly<Record<string, unknown>> | null)?.[member] ?? null)

/** A trust that no longer holds at an issuer: what it opened there was opened by a word that has been taken back. */
function isHeldAtLess(before: unknown, after: unknown): boolean {
  const [was, is] = [before, after].map(placeOf)
  return (['tenant', 'front_member'] as const).some((kind) => holdsAt(kind, was) && !holdsAt(kind, is))
}
const placeOf = (configuration: unknown): HeldAt | undefined =>
  issuersHeldAt.find((at) => at === (configuration as { readonly at?: unknown } | null)?.at)

type Changing = { readonly db: Db; readonly tenant: TenantId; readonly http: AdminRequest<unknown, unknown>; readonly deps: BrokerDeps }

/** `before`: as it was locked. */
export async function endWhatTheOldIdpSaid(
  { db, tenant, http, deps }: Changing,
  before: Pick<StoredConnection, 'id' | 'configuration' | 'barrierAt'>,
  configuration: unknown,
): Promise<void> {
  const isTheSame = isDeepStrictEqual(identityOf(before.configuration), identityOf(configuration))
  if (isTheSame && !isHeldAtLess(before.configuration, configuration)) return
  await deprovision(db, {
    tenant,
    eventId: deps.random.uuid() as DeprovisioningEventId,
    source: 'admin',
    target: 'connection',
    targetId: before.id,
    reason: 'another_idp',
    toldAt: undefined,
    now: deps.clock.now(),
    requestId: http.requestId,
  })
  await putBackBarrierTime(db, tenant, before)
}
