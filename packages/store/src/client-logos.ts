/** Pictures that people may be shown as a client's logo: each was seen by an admin, and is of the address that the client named then. */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import type { PictureType } from '@drawbridge/core/oauth/client-logo'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { WhichClient } from './admin-clients.js'
import { type Db, toTimestamp } from './transaction.js'

export type ClientLogo = {
  readonly logoUri: string
  readonly mediaType: PictureType
  /** SHA-256 of the octets, in base64url. */
  readonly digest: string
  readonly octets: Buffer
  readonly approvedAt: Instant
}

type Row = { logo_uri: string; media_type: PictureType; digest: string; picture: Buffer; approved_at: Instant }
const toLogo = (row: Row): ClientLogo => ({
  logoUri: row.logo_uri,
  mediaType: row.media_type,
  digest: row.digest,
  octets: row.picture,
  approvedAt: row.approved_at,
})

/** What an admin approved, whether it is shown or not. */
export async function findClientLogo(db: Db, tenant: TenantId, { issuerId, id }: WhichClient): Promise<ClientLogo | undefined> {
  const { rows } = await db.query<Row>(
    'SELECT logo_uri, media_type, digest, picture, approved_at FROM client_logos WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3',
    [tenant, issuerId, id],
  )
  return rows[0] && toLogo(rows[0])
}

/** SQL: the client `c` and its logo `l`, if an admin vouches for the client now and it still says that its logo is there. */
const shown = `clients c JOIN client_logos l ON l.tenant_id = c.tenant_id AND l.issuer_id = c.issuer_id AND l.client_id = c.client_id AND l.logo_uri = c.logo_uri
  WHERE c.tenant_id = $1 AND c.issuer_id = $2 AND c.client_id = $3 AND c.pre_approved AND c.blocked_at IS NULL AND c.unregistered_at IS NULL`

/** Without the picture: only whether there is one. */
export async function hasShownLogo(db: Db, tenant: TenantId, client: Pick<Client, 'issuerId' | 'id' | 'logoUri'>): Promise<boolean> {
  if (client.logoUri === undefined) return false
  const { rowCount } = await db.query(`SELECT 1 FROM ${shown}`, [tenant, client.issuerId, client.id])
  return rowCount === 1
}

export async function findShownLogo(db: Db, tenant: TenantId, { issuerId, id }: WhichClient): Promise<ClientLogo | undefined> {
  const { rows } = await db.query<Row>(`SELECT l.logo_uri, l.media_type, l.digest, l.picture, l.approved_at FROM ${shown}`, [
    tenant,
    issuerId,
    id,
  ])
  return rows[0] && toLogo(rows[0])
}

/** Only while the client names that address: what it names by now nobody has seen. Answers whether it did. */
export async function putClientLogo(db: Db, tenant: TenantId, { issuerId, id }: WhichClient, logo: ClientLogo): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO client_logos (tenant_id, issuer_id, client_id, logo_uri, media_type, digest, picture, approved_at)
     SELECT tenant_id, issuer_id, client_id, logo_uri, $5, $6, $7, $8 FROM clients
      WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND logo_uri = $4 AND unregistered_at IS NULL FOR SHARE
     ON CONFLICT (tenant_id, issuer_id, client_id) DO UPDATE SET logo_uri = EXCLUDED.logo_uri, media_type = EXCLUDED.media_type,
       digest = EXCLUDED.digest, picture = EXCLUDED.picture, approved_at = EXCLUDED.approved_at`,
    [tenant, issuerId, id, logo.logoUri, logo.mediaType, logo.digest, logo.octets, toTimestamp(logo.approvedAt)],
  )
  return rowCount === 1
}

export async function deleteClientLogo(db: Db, tenant: TenantId, { issuerId, id }: WhichClient): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM client_logos WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3', [
    tenant,
    issuerId,
    id,
  ])
  return rowCount === 1
}
