/**
 * Which notices an event stream carries and owes: conditions over `event_streams s` and `notices n`, the same wherever they are asked.
 *
 * Resource, issuer and position find the rows, by the index that is there for it; everything else judges them. Whoever asks for the first of them
 * orders by position: an EXISTS would have the planner read the whole table in the hope of a row that is not there.
 */
import { judged } from './transaction.js'

/**
 * SQL: whose event the notice `n` tells. The front tells those of its members, each of whom owns its receipts. A notice of before that was said is of the
 * tenant that signed it.
 */
export const eventTenant = 'coalesce(n.event_tenant_id, n.issuer_tenant_id)'

const found = 'n.resource_id = s.resource_id AND n.issuer_id = s.issuer_id AND n.position > s.position'
const isCarried = `n.tenant_id = s.tenant_id AND n.issuer_tenant_id = s.issuer_tenant_id
  AND (s.events_requested IS NULL OR n.event_type IS NULL OR n.event_type = ANY (s.events_requested))`

/** What the stream carries, whatever has been answered. */
export const carried = `${found} AND ${judged(isCarried)}`
/** What it still owes. */
export const owed = `${found} AND ${judged(`${isCarried} AND NOT n.position = ANY (s.answered)`)}`
/** When the first notice that it owes was written; null: it owes nothing. */
export const firstOwedAt = `(SELECT n.created_at FROM notices n WHERE ${owed} ORDER BY n.position LIMIT 1)`

export const hasLivingCredential = (at: string): string => `EXISTS (SELECT 1 FROM resource_credentials c
  WHERE c.tenant_id = s.tenant_id AND c.id = s.credential_id AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > ${at}))`
