/** Which notices an event stream carries and owes: conditions over `event_streams s` and `notices n`, the same wherever they are asked. */

/** What the stream `s` carries of the notices `n`, whatever has been answered. */
export const carried = `n.tenant_id = s.tenant_id AND n.resource_id = s.resource_id AND n.issuer_tenant_id = s.issuer_tenant_id AND n.issuer_id = s.issuer_id
  AND n.position > s.position AND (s.events_requested IS NULL OR n.event_type IS NULL OR n.event_type = ANY (s.events_requested))`
/** What it still owes. */
export const owed = `${carried} AND NOT n.position = ANY (s.answered)`

export const hasLivingCredential = (at: string): string => `EXISTS (SELECT 1 FROM resource_credentials c
  WHERE c.tenant_id = s.tenant_id AND c.id = s.credential_id AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > ${at}))`
