/** Codes with which a person may enrol her first factor, and the count of what was guessed, shared by all processes. */
import { factorLimits, guessPauses } from '@drawbridge/core/factor/second-factor'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { CredentialHash, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { holdSubject } from './factors.js'
import { type Db, toTimestamp } from './transaction.js'

export type NewFactorCode = {
  readonly id: string
  readonly subjectId: SubjectId
  readonly codeHash: CredentialHash
  readonly now: Instant
  readonly expiresAt: Instant
}

/** Takes the place of the one before. Nothing is made for somebody who has a factor: a code enrols no further one. */
export async function insertFactorCode(
  db: Db,
  tenant: TenantId,
  { id, subjectId, codeHash, now, expiresAt }: NewFactorCode,
): Promise<'made' | 'subject_unknown' | 'factor_enrolled' | 'codes_enough'> {
  if (!(await holdSubject(db, tenant, subjectId, undefined))) return 'subject_unknown'
  const { rows } = await db.query<{ factors: number; codes: number }>(
    `SELECT (SELECT count(*)::int FROM factors WHERE tenant_id = $1 AND subject_id = $2) AS factors,
       (SELECT count(*)::int FROM factor_codes WHERE tenant_id = $1 AND subject_id = $2 AND created_at > $3) AS codes`,
    [tenant, subjectId, toTimestamp(addSeconds(now, -86_400))],
  )
  if ((rows[0]?.factors ?? 0) > 0) return 'factor_enrolled'
  if ((rows[0]?.codes ?? 0) >= factorLimits.codesPerDay) return 'codes_enough'
  const revoke =
    'UPDATE factor_codes SET revoked_at = $3 WHERE tenant_id = $1 AND subject_id = $2 AND used_at IS NULL AND revoked_at IS NULL'
  await db.query(revoke, [tenant, subjectId, toTimestamp(now)])
  await db.query(
    'INSERT INTO factor_codes (tenant_id, id, subject_id, code_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [...[tenant, id, subjectId, codeHash, toTimestamp(now), toTimestamp(expiresAt)]],
  )
  return 'made'
}

/** The code of this very person, once. `undefined`: there is none such. */
export async function redeemFactorCode(
  db: Db,
  tenant: TenantId,
  { subjectId, codeHash, now }: Pick<NewFactorCode, 'subjectId' | 'codeHash' | 'now'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>(
    `UPDATE factor_codes SET used_at = $4 WHERE tenant_id = $1 AND subject_id = $2 AND code_hash = $3
       AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $4 RETURNING id`,
    [tenant, subjectId, codeHash, toTimestamp(now)],
  )
  return rows[0]?.id
}

export type Guessed = 'totp' | 'code'

/**
 * Takes one guess before it is judged, so that guesses at the same moment count each. False: she has to wait, or has none left until an
 * admin resets her factors. Commit it whatever comes of the guess.
 */
export async function takeGuess(db: Db, tenant: TenantId, subject: SubjectId, kind: Guessed, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO factor_guesses AS g (tenant_id, subject_id, kind, guesses, next_at)
     VALUES ($1, $2, $3, 1, $4::timestamptz + make_interval(secs => ($5::int[])[1]))
     ON CONFLICT (tenant_id, subject_id, kind) DO UPDATE SET guesses = g.guesses + 1,
       next_at = $4::timestamptz + make_interval(secs => ($5::int[])[g.guesses + 1])
     WHERE g.next_at <= $4 AND g.guesses < cardinality($5::int[])`,
    [tenant, subject, kind, toTimestamp(now), guessPauses],
  )
  return rowCount === 1
}

/** It was right: nothing was guessed. */
export async function forgetGuesses(db: Db, tenant: TenantId, subject: SubjectId, kind: Guessed): Promise<void> {
  await db.query('DELETE FROM factor_guesses WHERE tenant_id = $1 AND subject_id = $2 AND kind = $3', [tenant, subject, kind])
}
