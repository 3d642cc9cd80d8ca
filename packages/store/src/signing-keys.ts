/**
 * Keys of issuers, private halves sealed. A partial unique index lets one key per issuer and purpose be active; the lock on the issuer's row,
 * which every change takes first, never lets there be none.
 */
import type { Instant } from '@drawbridge/core/instant'
import { defaultTokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { type CondemnedKeyPayload, condemnedKeyEntry, type ToldKeyPurpose } from '@drawbridge/core/signals/signing-key-condemned'
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
  /** PEM; keys for SAML have one, and no other. */
  readonly certificate: string | undefined
  readonly createdAt: Instant
  readonly activatedAt: Instant | undefined
  readonly retiredAt: Instant | undefined
  /** Of a next key: when it is to sign, if nobody changes anything. */
  readonly activatesAt: Instant | undefined
  /** Since when it is not published any more, and its private half is gone. */
  readonly withdrawnAt: Instant | undefined
}

type Row = {
  id: string
  issuer_id: IssuerId
  purpose: KeyPurpose
  algorithm: KeyAlgorithm
  state: KeyState
  public_jwk: PublicJwk
  sealed_private_key: Buffer
  certificate: string | null
  created_at: Instant
  activated_at: Instant | null
  retired_at: Instant | null
  activates_at: Instant | null
  withdrawn_at: Instant | null
}

const toKey = (row: Row): StoredSigningKey => ({
  id: row.id,
  issuerId: row.issuer_id,
  purpose: row.purpose,
  algorithm: row.algorithm,
  state: row.state,
  publicJwk: row.public_jwk,
  sealedPrivateKey: row.sealed_private_key,
  certificate: row.certificate ?? undefined,
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
  activatesAt: row.activates_at ?? undefined,
  withdrawnAt: row.withdrawn_at ?? undefined,
})

export type SigningKeyDraft = {
  readonly id: string
  readonly issuerId: IssuerId
  readonly purpose: KeyPurpose
  readonly algorithm: KeyAlgorithm
  readonly state: 'next' | 'active'
  readonly publicJwk: PublicJwk
  readonly sealedPrivateKey: Buffer
  readonly certificate?: string | undefined
  readonly now: Instant
  readonly activatesAt?: Instant | undefined
}

export async function insertSigningKey(db: Db, tenant: TenantId, key: SigningKeyDraft): Promise<void> {
  await db.query(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, certificate, created_at, activated_at, activates_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      tenant,
      key.id,
      key.issuerId,
      key.purpose,
      key.algorithm,
      key.state,
      JSON.stringify(key.publicJwk),
      key.sealedPrivateKey,
      key.certificate ?? null,
      toTimestamp(key.now),
      key.state === 'active' ? toTimestamp(key.now) : null,
      key.activatesAt === undefined ? null : toTimestamp(key.activatesAt),
    ],
  )
}

/** All keys of the tenant's issuers, compromised ones too: whoever publishes or verifies leaves those out. */
export async function listSigningKeys(db: Db, tenant: TenantId): Promise<readonly StoredSigningKey[]> {
  const { rows } = await db.query<Row>(
    `SELECT id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, certificate, created_at, activated_at, retired_at, activates_at, withdrawn_at
     FROM signing_keys WHERE tenant_id = $1 ORDER BY created_at, id`,
    [tenant],
  )
  return rows.map(toKey)
}

/**
 * The keys of an issuer for one purpose, which change together. `makeKey` makes a fresh pair, its private half sealed to its row; an RSA
 * pair takes a moment, in which the lock on the issuer is held: other changes of its keys wait, nothing else does.
 */
export type KeyChange = {
  readonly issuerId: IssuerId
  readonly now: Instant
  readonly makeKey: (purpose: KeyPurpose, state: 'next' | 'active', algorithm: KeyAlgorithm) => SigningKeyDraft | Promise<SigningKeyDraft>
}

/**
 * Activates the next key, retires the active one and adds a new next one. Answers the new active key's id; undefined, and nothing changed,
 * when there is no next key.
 */
export async function rotateSigningKey(db: Db, tenant: TenantId, change: PurposeChange): Promise<string | undefined> {
  await lockKeys(db, tenant)
  const active = await activateNextKey(db, tenant, change)
  if (active !== undefined) await addKey(db, tenant, change, 'next')
  return active
}

/** A purpose that an issuer did not serve until now gets its active and its next key; keys that are there stay. Answers whether it made one. */
export async function ensureSigningKeys(db: Db, tenant: TenantId, change: PurposeChange): Promise<boolean> {
  await lockKeys(db, tenant)
  return ensureActiveAndNext(db, tenant, change)
}

/**
 * Nothing that the key signed is believed from this commit on, and whoever may hold a copy of it is told: the outbox entry is written here.
 * The issuer has an active and a next key in the same commit, whatever rotates or condemns meanwhile. Answers whether this call did it:
 * false for a key that is unknown or condemned already.
 */
export async function condemnSigningKey(
  db: Db,
  tenant: TenantId,
  condemned: KeyChange & { readonly kid: string; readonly eventId: string },
): Promise<boolean> {
  const { issuerId, now, kid, eventId } = condemned
  await lockKeys(db, tenant)
  const { rows } = await db.query<{ purpose: KeyPurpose }>(
    `UPDATE signing_keys SET state = 'compromised', retired_at = COALESCE(retired_at, $4)
     WHERE tenant_id = $1 AND issuer_id = $2 AND id = $3 AND state <> 'compromised' RETURNING purpose`,
    [tenant, issuerId, kid, toTimestamp(now)],
  )
  const purpose = rows[0]?.purpose
  if (purpose === undefined) return false
  await ensureActiveAndNext(db, tenant, { ...condemned, purpose })
  if (isTold(purpose)) await leaveNews(db, tenant, { eventId, issuerId, kid }, now)
  return true
}

/** `newEventId`: of each key that goes, whether or not anybody is told. */
export type KeyReplacement = {
  readonly now: Instant
  readonly newEventId: () => string
  readonly makeKey: (issuerId: IssuerId, ...of: Parameters<KeyChange['makeKey']>) => ReturnType<KeyChange['makeKey']>
}
export type ReplacedKey = { readonly kid: string; readonly issuerId: IssuerId; readonly purpose: KeyPurpose; readonly eventId: string }

/**
 * Condemns every key of the tenant's issuers that signs, waits or is still published, and makes fresh ones: for whoever cannot know which of them was condemned.
 * None of the old ones is preferred, not even one that has signed nothing. Without those for SAML, which no token hangs on and which an IdP would have to be told.
 * In the order of their ids.
 */
export async function replaceSigningKeys(
  db: Db,
  tenant: TenantId,
  { now, newEventId, makeKey }: KeyReplacement,
): Promise<readonly ReplacedKey[]> {
  await lockKeys(db, tenant)
  const { rows } = await db.query<{ id: string; issuer_id: IssuerId; purpose: KeyPurpose }>(
    `UPDATE signing_keys SET state = 'compromised', retired_at = COALESCE(retired_at, $2)
     WHERE tenant_id = $1 AND purpose <> 'saml' AND state <> 'compromised' AND withdrawn_at IS NULL RETURNING id, issuer_id, purpose`,
    [tenant, toTimestamp(now)],
  )
  const replaced: ReplacedKey[] = []
  for (const { id: kid, issuer_id: issuerId, purpose } of rows.toSorted((one, other) => (one.id < other.id ? -1 : 1))) {
    const eventId = newEventId()
    await ensureActiveAndNext(db, tenant, { issuerId, now, purpose, makeKey: (...of) => makeKey(issuerId, ...of) })
    if (isTold(purpose)) await leaveNews(db, tenant, { eventId, issuerId, kid }, now)
    replaced.push({ kid, issuerId, purpose, eventId })
  }
  return replaced
}

async function leaveNews(db: Db, tenant: TenantId, payload: CondemnedKeyPayload, now: Instant): Promise<void> {
  await db.query(
    `WITH entry AS (INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, '${condemnedKeyEntry}', $2, $3) RETURNING id)
     SELECT pg_notify('drawbridge_outbox', $1::text) FROM entry`,
    [tenant, JSON.stringify(payload), toTimestamp(now)],
  )
}

/**
 * A next key of the algorithm that is chosen for the purpose, in place of those that wait: they have signed nothing. For whoever has the lock.
 * `activatesAt` is told, not decided here.
 */
export async function replaceNextKey(db: Db, tenant: TenantId, change: PurposeChange, activatesAt: Instant | undefined): Promise<string> {
  await db.query(`DELETE FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'next'`, [
    tenant,
    change.issuerId,
    change.purpose,
  ])
  return addKey(db, tenant, change, 'next', activatesAt)
}

/** The choice of the tenant for its tokens, and ES256 for notices, whose receivers are others. */
export async function findKeyAlgorithm(db: Db, tenant: TenantId, purpose: KeyPurpose): Promise<KeyAlgorithm> {
  if (purpose !== 'tokens') return purpose === 'saml' ? 'RS256' : defaultTokenAlgorithm
  const { rows } = await db.query<{ algorithm: KeyAlgorithm }>('SELECT token_algorithm AS algorithm FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.algorithm ?? defaultTokenAlgorithm
}

/** Read when the lock is held, or a choice that was made meanwhile would be missed. */
async function addKey(
  db: Db,
  tenant: TenantId,
  { purpose, makeKey }: PurposeChange,
  state: 'next' | 'active',
  activatesAt?: Instant,
): Promise<string> {
  const key = await makeKey(purpose, state, await findKeyAlgorithm(db, tenant, purpose))
  await insertSigningKey(db, tenant, { ...key, activatesAt })
  return key.id
}

/**
 * Changes of a tenant's keys happen one after the other. It is the row of the tenant that is held, which every change of a key raises anyway and which whoever
 * chooses a setting that needs keys holds first: held by another row, the two would wait for each other. Rows that only refer to the tenant are not held up.
 */
export async function lockKeys(db: Db, tenant: TenantId): Promise<void> {
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
}

export type PurposeChange = KeyChange & { readonly purpose: KeyPurpose }

const isTold = (purpose: KeyPurpose): purpose is ToldKeyPurpose => purpose === 'tokens' || purpose === 'notices'

async function activateNextKey(db: Db, tenant: TenantId, { issuerId, purpose, now }: PurposeChange): Promise<string | undefined> {
  const at = toTimestamp(now)
  const next = await db.query<{ id: string }>(
    `SELECT id FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'next' ORDER BY created_at LIMIT 1`,
    [tenant, issuerId, purpose],
  )
  const id = next.rows[0]?.id
  if (id === undefined) return undefined
  await db.query(
    `UPDATE signing_keys SET state = 'retired', retired_at = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'active'`,
    [tenant, issuerId, purpose, at],
  )
  await db.query(`UPDATE signing_keys SET state = 'active', activated_at = $3, activates_at = NULL WHERE tenant_id = $1 AND id = $2`, [
    tenant,
    id,
    at,
  ])
  return id
}

/** The next key is preferred to a fresh one, because verifiers know it already. Answers whether a key was made. */
async function ensureActiveAndNext(db: Db, tenant: TenantId, change: PurposeChange): Promise<boolean> {
  const isThere = async (state: KeyState) => {
    const { rowCount } = await db.query(
      'SELECT 1 FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = $4 LIMIT 1',
      [tenant, change.issuerId, change.purpose, state],
    )
    return rowCount > 0
  }
  let made = false
  const make = async (state: 'active' | 'next') => {
    await addKey(db, tenant, change, state)
    made = true
  }
  if (!(await isThere('active')) && (await activateNextKey(db, tenant, change)) === undefined) await make('active')
  if (!(await isThere('next'))) await make('next')
  return made
}
