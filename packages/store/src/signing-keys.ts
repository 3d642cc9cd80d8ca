/** Keys of issuers, private halves sealed. A partial unique index lets one key per issuer and purpose be active. */
import type { Instant } from '@drawbridge/core/instant'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { KeyAlgorithm, KeyPurpose, KeyState, PublicJwk } from '@drawbridge/crypto/signing-keys'
import { type Db, toTimestamp } from './transaction.js'

export type StoredSigningKey = {
  readonly id: string
  readonly issuerId: IssuerId
  readonly purpose: KeyPurpose
  readonly algorithm: KeyAlgorithm
  readonly state: KeyState
  readonly publicJwk: PublicJwk
  readonly sealedPrivateKey: Buffer
  readonly createdAt: Instant
  readonly activatedAt: Instant | undefined
  readonly retiredAt: Instant | undefined
}

type Row = {
  id: string
  issuer_id: IssuerId
  purpose: KeyPurpose
  algorithm: KeyAlgorithm
  state: KeyState
  public_jwk: PublicJwk
  sealed_private_key: Buffer
  created_at: Instant
  activated_at: Instant | null
  retired_at: Instant | null
}

const toKey = (row: Row): StoredSigningKey => ({
  id: row.id,
  issuerId: row.issuer_id,
  purpose: row.purpose,
  algorithm: row.algorithm,
  state: row.state,
  publicJwk: row.public_jwk,
  sealedPrivateKey: row.sealed_private_key,
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
})

export type SigningKeyDraft = {
  readonly id: string
  readonly issuerId: IssuerId
  readonly purpose: KeyPurpose
  readonly algorithm: KeyAlgorithm
  readonly state: 'next' | 'active'
  readonly publicJwk: PublicJwk
  readonly sealedPrivateKey: Buffer
  readonly now: Instant
}

export async function insertSigningKey(db: Db, tenant: TenantId, key: SigningKeyDraft): Promise<void> {
  await db.query(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      tenant,
      key.id,
      key.issuerId,
      key.purpose,
      key.algorithm,
      key.state,
      JSON.stringify(key.publicJwk),
      key.sealedPrivateKey,
      toTimestamp(key.now),
      key.state === 'active' ? toTimestamp(key.now) : null,
    ],
  )
}

/** All keys of the tenant's issuers, compromised ones too: whoever publishes or verifies leaves those out. */
export async function listSigningKeys(db: Db, tenant: TenantId): Promise<readonly StoredSigningKey[]> {
  const { rows } = await db.query<Row>(
    `SELECT id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at, retired_at
     FROM signing_keys WHERE tenant_id = $1 ORDER BY created_at, id`,
    [tenant],
  )
  return rows.map(toKey)
}

/**
 * Retires the active key and activates the next one. Answers the new active key's id; undefined, and nothing changed, when there is no
 * next key. Of two that rotate at once the second finds no next key.
 */
export async function activateNextKey(
  db: Db,
  tenant: TenantId,
  which: { readonly issuerId: IssuerId; readonly purpose: KeyPurpose; readonly now: Instant },
): Promise<string | undefined> {
  const at = toTimestamp(which.now)
  const next = await db.query<{ id: string }>(
    `SELECT id FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'next' ORDER BY created_at LIMIT 1 FOR UPDATE`,
    [tenant, which.issuerId, which.purpose],
  )
  const id = next.rows[0]?.id
  if (id === undefined) return undefined
  await db.query(
    `UPDATE signing_keys SET state = 'retired', retired_at = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'active'`,
    [tenant, which.issuerId, which.purpose, at],
  )
  await db.query(`UPDATE signing_keys SET state = 'active', activated_at = $3 WHERE tenant_id = $1 AND id = $2`, [tenant, id, at])
  return id
}

/** Nothing that the key signed is believed from this commit on. Answers whether there was such a key. */
export async function markKeyCompromised(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE signing_keys SET state = 'compromised', retired_at = COALESCE(retired_at, $3) WHERE tenant_id = $1 AND id = $2`,
    [tenant, id, toTimestamp(now)],
  )
  return rowCount === 1
}
