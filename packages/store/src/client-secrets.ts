/** The secrets of a client: hashes, in the row of the client, so that whoever was proven by one that is withdrawn meanwhile is another version. */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { type ClientSecret, clientSecretLimits } from '@drawbridge/core/oauth/client-secret'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

type WhichClient = Pick<Client, 'issuerId' | 'id'>

export type ClientSecretRow = {
  secret_hash: CredentialHash | null
  secret_created_at: Instant | null
  secret_expires_at: Instant | null
  secret_used_at: Instant | null
  second_secret_hash: CredentialHash | null
  second_secret_created_at: Instant | null
  second_secret_expires_at: Instant | null
  second_secret_used_at: Instant | null
}

const slots = ['secret', 'second_secret'] as const
const members = ['hash', 'created_at', 'expires_at', 'used_at'] as const
const columns = slots.flatMap((slot) => members.map((member) => `${slot}_${member}`))

export const clientSecretColumns = columns.join(', ')

/** The older one first. */
export const toSecrets = (row: ClientSecretRow): readonly ClientSecret[] =>
  slots.flatMap((slot) => {
    const hash = row[`${slot}_hash`]
    if (hash === null) return []
    return {
      hash,
      createdAt: row[`${slot}_created_at`] ?? undefined,
      expiresAt: row[`${slot}_expires_at`] ?? undefined,
      lastUsedAt: row[`${slot}_used_at`] ?? undefined,
    }
  })

const timeOrNull = (at: Instant | undefined) => (at === undefined ? null : toTimestamp(at))
const valuesOf = (secret: ClientSecret | undefined): readonly unknown[] =>
  secret === undefined
    ? [null, null, null, null]
    : [secret.hash, timeOrNull(secret.createdAt), timeOrNull(secret.expiresAt), timeOrNull(secret.lastUsedAt)]

/**
 * Of two that change the secrets of a client at once one waits. What `change` refuses is left as it was; undefined: there is no such client, or it proves
 * itself by no secret.
 */
export async function changeClientSecrets<Refusal>(
  db: Db,
  tenant: TenantId,
  { issuerId, id }: WhichClient,
  change: (secrets: readonly ClientSecret[]) => Result<readonly ClientSecret[], Refusal>,
): Promise<Result<readonly ClientSecret[], Refusal> | undefined> {
  const which = [tenant, issuerId, id]
  const { rows } = await db.query<ClientSecretRow>(
    `SELECT ${clientSecretColumns} FROM clients
     WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND unregistered_at IS NULL AND secret_hash IS NOT NULL FOR UPDATE`,
    which,
  )
  if (!rows[0]) return undefined
  const changed = change(toSecrets(rows[0]))
  if (!changed.ok) return err(changed.error)
  if (changed.value.length === 0 || changed.value.length > clientSecretLimits.most) throw new Error('invariant broken: one secret or two')
  const sets = columns.map((column, at) => `${column} = $${which.length + at + 1}`).join(', ')
  await db.query(`UPDATE clients SET ${sets} WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3`, [
    ...which,
    ...slots.flatMap((_, at) => valuesOf(changed.value[at])),
  ])
  return ok(changed.value)
}

/** How exact a secret's last use is: an admin looks at it before she withdraws the secret, and no request but one in an hour writes it. */
export const secretUseRecordedEverySeconds = 3600

/** It got the client a token. The version of the client stays. */
export async function markSecretUsed(
  db: Db,
  tenant: TenantId,
  { issuerId, id }: WhichClient,
  { hash, now }: { readonly hash: CredentialHash; readonly now: Instant },
): Promise<void> {
  const usedNow = (slot: (typeof slots)[number]) => `${slot}_used_at = CASE WHEN ${slot}_hash = $4 THEN $5 ELSE ${slot}_used_at END`
  await db.query(
    `UPDATE clients SET ${slots.map(usedNow).join(', ')} WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3
       AND (${slots.map((slot) => `${slot}_hash = $4 AND coalesce(${slot}_used_at <= $5::timestamptz - make_interval(secs => ${secretUseRecordedEverySeconds}), true)`).join(' OR ')})`,
    [tenant, issuerId, id, hash, toTimestamp(now)],
  )
}
