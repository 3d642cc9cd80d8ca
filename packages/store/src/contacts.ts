/** Whom a tenant wants told. What they are told is in `announcements.ts`. */
import type { Instant } from '@drawbridge/core/instant'
import { announcementLimits } from '@drawbridge/core/tenant/announcement'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type Contact = {
  readonly id: string
  readonly name: string
  /** In lower case, as it is compared. */
  readonly email: string
  readonly createdAt: Instant
}
type Row = { id: string; name: string; email: string; created_at: Instant }
const columns = 'id, name, email, created_at'
const toContact = ({ id, name, email, created_at }: Row): Contact => ({ id, name, email, createdAt: created_at })

/** Oldest first. */
export async function listContacts(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly Contact[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM contacts WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid)) ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toContact)
}

/**
 * Whoever changes the contacts of a tenant takes this first, before rows and mails: two who give one address at once would otherwise wait for
 * each other, one holding the address and the other the mails.
 */
async function lockContacts(db: Db, tenant: TenantId): Promise<void> {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('contacts ' || $1::text, 0))", [tenant])
}

/** Nothing is inserted beyond the limit. Throws where the tenant has that address already (unique). */
export async function insertContact(
  db: Db,
  tenant: TenantId,
  contact: { readonly id: string; readonly name: string; readonly email: string; readonly now: Instant },
): Promise<Contact | undefined> {
  await lockContacts(db, tenant)
  const { rows } = await db.query<Row>(
    `INSERT INTO contacts (tenant_id, id, name, email, created_at)
     SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM contacts WHERE tenant_id = $1) < $6 RETURNING ${columns}`,
    [tenant, contact.id, contact.name, contact.email, toTimestamp(contact.now), announcementLimits.contacts],
  )
  return rows[0] && toContact(rows[0])
}

/** Held until the end of the transaction, so that who is told and what is changed are one. */
export async function lockContact(db: Db, tenant: TenantId, id: string): Promise<Contact | undefined> {
  await lockContacts(db, tenant)
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM contacts WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, [tenant, id])
  return rows[0] && toContact(rows[0])
}

export async function updateContact(db: Db, tenant: TenantId, { id, name, email }: Omit<Contact, 'createdAt'>): Promise<void> {
  await db.query('UPDATE contacts SET name = $3, email = $4 WHERE tenant_id = $1 AND id = $2', [tenant, id, name, email])
}

export async function deleteContact(db: Db, tenant: TenantId, id: string): Promise<void> {
  await db.query('DELETE FROM contacts WHERE tenant_id = $1 AND id = $2', [tenant, id])
}
