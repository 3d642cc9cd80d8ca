/**
 * A connection that is turned to another IdP: what was signed in by the old one was that one's word, and none of it is the new one's. So is what a
 * trust opened at an issuer at which it holds no longer.
 *
 * So everything opened through the connection ends with the change, in its transaction: the epoch is raised, by which pending logins end,
 * too. The time of the barrier stays: a sign-in at the new IdP may be older than the change, and counts as well. Who keeps her stable id
 * keeps her place, because the admin says that it is the same company.
 *
 * Nothing of before comes back by that. What was made is below the epoch, whatever its time; a sign-in at the old IdP is no longer the connection's; and the time
 * that stays is that of the last end of the connection, or of a person, which nobody writes between (the row is held since before it was read).
 */
import { isDeepStrictEqual } from 'node:util'
import { type HeldAt, holdsAt, issuersHeldAt } from '@drawbridge/core/tenant/at-issuer'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { putBackBarrierTime, type StoredConnection } from '@drawbridge/store/connections'
import { deprovision } from '@drawbridge/store/deprovisioning'
import type { Db } from '@drawbridge/store/transaction'
import { discoveryUrlOf } from '@drawbridge/upstream/oidc/configuration'
import type { BrokerDeps } from '../deps.js'
import type { AdminRequest } from './admin-endpoint.js'

/**
 * What says which IdP it is: SAML's entity ID; the issuer of OpenID Connect or of assertions, by name or by the connection that is its, whose of
 * several companies that share one, and of assertions also whose people they speak of. Of OpenID Connect also where its document is: whoever
 * writes that names the keys that are believed, whatever issuer it says.
 */
const identity = ['idpEntityId', 'issuer', 'keysOf', 'tenantIds', 'hostedDomains', 'tenant', 'tenantClaim', 'peopleOf'] as const

function identityOf(configuration: unknown): readonly unknown[] {
  const said = (configuration ?? {}) as Readonly<Record<string, unknown>>
  return [...identity.map((member) => said[member] ?? null), documentOf(said)]
}

/** The default, said aloud, is the same document. */
function documentOf({ issuer, discoveryUrl }: Readonly<Record<string, unknown>>): string | null {
  if (typeof issuer !== 'string') return null
  return discoveryUrlOf({ issuer, discoveryUrl: typeof discoveryUrl === 'string' ? discoveryUrl : undefined })
}

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
