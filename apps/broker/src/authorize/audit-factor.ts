/** A line of the trail about somebody's second factor, and who is told of it beside: the contacts of the tenant, and the person herself. */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { isPlainAddress, isVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { announce, tellPerson } from '@drawbridge/store/announcements'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Db } from '@drawbridge/store/transaction'
import type { FactorPlace } from './factor-place.js'

type Detail = Readonly<Record<string, string>>
type FactorEvent = {
  readonly kind: 'second_factor.proved' | 'second_factor.refused' | 'second_factor.code_used' | FactorChange['kind']
  readonly reason?: FactorRefusal
  readonly detail: Detail
}

export const auditFactor = (db: Db, { http, tenant, now, session, clientId }: FactorPlace, event: FactorEvent): Promise<void> =>
  insertAuditEvent(db, tenant.id, {
    ...event,
    at: now,
    issuerId: tenant.issuer.id,
    subjectId: session.subjectId,
    clientId,
    connectionId: session.connectionId,
    requestId: http.requestId,
    address: http.address,
  })

/** What changes who can prove to be her. `words`: which factor, and how it came about, in a mail. */
export type FactorChange = {
  readonly kind: 'second_factor.enrolled' | 'second_factor.removed'
  readonly detail: Detail
  readonly words: string
}

/**
 * In the transaction of the change: the trail, the contacts, and the person, where the tenant has proven the domain of her address. The IdP's
 * word on an address is not enough to write to.
 */
export async function tellOfFactor(db: Db, place: FactorPlace, { kind, detail, words }: FactorChange): Promise<void> {
  const { tenant, now: at, identity, session } = place
  await auditFactor(db, place, { kind, detail })
  const name = nameOf(place)
  await announce(db, tenant.id, { at, kind, about: `${name}: ${words}`, by: undefined })
  const email = identity.claims.get('email')
  if (typeof email === 'string' && isPlainAddress(email) && isVerifiedAddress(email, session.connectionId, tenant.domains))
    await tellPerson(db, tenant.id, { name, email: email.trim() }, { at, kind, about: words, by: undefined })
}

/** As she is called in a mail, and in an app of hers. */
export function nameOf({ identity }: Pick<FactorPlace, 'identity'>): string {
  const { claims, stableId } = identity
  const named = ['email', 'preferred_username', 'name']
    .map((claim) => claims.get(claim))
    .find((value) => typeof value === 'string' && value !== '')
  return String(named ?? stableId).slice(0, 64)
}
