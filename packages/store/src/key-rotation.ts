/** What rotates by itself: the pairs of keys that sign and that wait, and those that are retired long enough to be withdrawn. */

import { type Instant, instant } from '@drawbridge/core/instant'
import type { RotatedPurpose, SigningPair } from '@drawbridge/core/oauth/key-rotation'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import type { Issuer, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { findKeyAlgorithm, lockKeys, type PurposeChange, replaceNextKey } from './signing-keys.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type KeyOwner = { readonly tenantId: TenantId; readonly issuerId: IssuerId; readonly purpose: RotatedPurpose }
export type RotatingKeys = KeyOwner & { readonly pair: SigningPair; readonly algorithm: TokenAlgorithm }

type Row = KeyOwner & {
  readonly algorithm: TokenAlgorithm
  readonly activeAlgorithm: string
  readonly activatedAt: Instant
  readonly nextAlgorithm: string | null
  readonly createdAt: Instant | null
  readonly activatesAt: Instant | null
}

/** The same next key that a rotation takes: the oldest. */
const pairs = `SELECT a.tenant_id AS "tenantId", a.issuer_id AS "issuerId", a.purpose,
    CASE a.purpose WHEN 'tokens' THEN t.token_algorithm ELSE 'ES256' END AS algorithm,
    a.algorithm AS "activeAlgorithm", COALESCE(a.activated_at, a.created_at) AS "activatedAt",
    n.algorithm AS "nextAlgorithm", n.created_at AS "createdAt", n.activates_at AS "activatesAt"
  FROM signing_keys a JOIN tenants t ON t.id = a.tenant_id
  LEFT JOIN LATERAL (SELECT w.algorithm, w.created_at, w.activates_at FROM signing_keys w
    WHERE w.tenant_id = a.tenant_id AND w.issuer_id = a.issuer_id AND w.purpose = a.purpose AND w.state = 'next' ORDER BY w.created_at LIMIT 1) n ON true
  WHERE a.state = 'active' AND a.purpose IN ('tokens', 'notices', 'id_jag')`

const toKeys = (row: Row): RotatingKeys => ({
  ...{ tenantId: row.tenantId, issuerId: row.issuerId, purpose: row.purpose, algorithm: row.algorithm },
  pair: {
    active: { algorithm: row.activeAlgorithm, activatedAt: instant(row.activatedAt) },
    next:
      row.nextAlgorithm === null || row.createdAt === null
        ? undefined
        : { algorithm: row.nextAlgorithm, createdAt: instant(row.createdAt), activatesAt: row.activatesAt ?? undefined },
  },
})

/** At most `limit`, in the order of their owners, beyond `after`. */
export async function listRotatingKeysAcrossTenants(
  db: AcrossDb,
  page: { readonly after: KeyOwner | undefined; readonly limit: number },
): Promise<readonly RotatingKeys[]> {
  const { tenantId, issuerId, purpose } = page.after ?? { tenantId: first, issuerId: first, purpose: '' }
  const { rows } = await db.query<Row>(
    `${pairs} AND (a.tenant_id, a.issuer_id, a.purpose) > ($1::uuid, $2::uuid, $3) ORDER BY a.tenant_id, a.issuer_id, a.purpose LIMIT $4`,
    [tenantId, issuerId, purpose, page.limit],
  )
  return rows.map(toKeys)
}
const first = '00000000-0000-0000-0000-000000000000'

/** As they are now, and until this transaction ends: whoever else changes keys of the issuer waits. */
export async function holdRotatingKeys(db: Db, { tenantId, issuerId, purpose }: KeyOwner): Promise<RotatingKeys | undefined> {
  await lockKeys(db, tenantId)
  const { rows } = await db.query<Row>(`${pairs} AND a.tenant_id = $1 AND a.issuer_id = $2 AND a.purpose = $3`, [
    tenantId,
    issuerId,
    purpose,
  ])
  return rows[0] && toKeys(rows[0])
}

export async function planActivation(db: Db, { tenantId, issuerId, purpose }: KeyOwner, activatesAt: Instant | undefined): Promise<void> {
  await db.query(`UPDATE signing_keys SET activates_at = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'next'`, [
    tenantId,
    issuerId,
    purpose,
    activatesAt === undefined ? null : toTimestamp(activatesAt),
  ])
}

/**
 * Chooses the algorithm of the tenant's tokens. The key that waits is replaced by one that has it, and what signs now goes on until that one
 * takes over, at `activatesAt`. Answers what was chosen until now; the same choice changes nothing.
 */
export async function chooseTokenAlgorithm(
  db: Db,
  tenant: TenantId,
  chosen: Omit<PurposeChange, 'purpose'> & { readonly algorithm: TokenAlgorithm; readonly activatesAt: Instant },
): Promise<TokenAlgorithm> {
  const { algorithm, activatesAt, ...change } = chosen
  await lockKeys(db, tenant)
  const former = (await findKeyAlgorithm(db, tenant, 'tokens')) as TokenAlgorithm
  if (former === algorithm) return former
  await db.query('UPDATE tenants SET token_algorithm = $2 WHERE id = $1', [tenant, algorithm])
  const { rowCount: same } = await db.query(
    `SELECT 1 FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = 'tokens' AND state = 'active' AND algorithm = $3`,
    [tenant, change.issuerId, algorithm],
  )
  // Back to what signs anyway: when the new next key takes over is a matter of age.
  await replaceNextKey(db, tenant, { ...change, purpose: 'tokens' }, same === 0 ? activatesAt : undefined)
  return former
}

export type RetiredKey = KeyOwner & { readonly id: string; readonly state: 'retired' | 'compromised'; readonly issuer: Issuer }

export type RetiredKeyPage = { readonly after: Pick<RetiredKey, 'tenantId' | 'id'> | undefined; readonly limit: number }

/** Those that were retired before `before`, and condemned ones, whose private half nobody needs. In pages, so that those whose withdrawal fails are in nobody's way. */
export async function listKeysToWithdrawAcrossTenants(
  db: AcrossDb,
  before: Instant,
  { after, limit }: RetiredKeyPage,
): Promise<readonly RetiredKey[]> {
  const { rows } = await db.query<RetiredKey>(
    `SELECT k.tenant_id AS "tenantId", k.issuer_id AS "issuerId", k.purpose, k.id, k.state, i.url AS issuer
       FROM signing_keys k JOIN issuers i ON i.tenant_id = k.tenant_id AND i.id = k.issuer_id
      WHERE k.withdrawn_at IS NULL AND k.state IN ('retired', 'compromised') AND k.purpose <> 'saml'
        AND (k.retired_at < $1 OR k.state = 'compromised')
        AND (k.tenant_id, k.id) > ($2::uuid, $3) ORDER BY k.tenant_id, k.id LIMIT $4`,
    [toTimestamp(before), after?.tenantId ?? first, after?.id ?? '', limit],
  )
  return rows
}

/** Out of the JWKS, and nothing is left of the private half. Answers whether this call did it. */
export async function withdrawSigningKey(db: Db, { tenantId, id }: Pick<RetiredKey, 'tenantId' | 'id'>, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE signing_keys SET withdrawn_at = $3, sealed_private_key = ''
      WHERE tenant_id = $1 AND id = $2 AND withdrawn_at IS NULL AND state IN ('retired', 'compromised') AND purpose <> 'saml'`,
    [tenantId, id, toTimestamp(now)],
  )
  return rowCount === 1
}
