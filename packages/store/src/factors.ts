/** The second factors that people have here: each of one person, used with what keeps it from being used twice. */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import type { EnrolmentProof, Factor, FactorKind } from '@drawbridge/core/factor/second-factor'
import { factorLimits } from '@drawbridge/core/factor/second-factor'
import type { Instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, FactorVisitId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

type PasskeyData = {
  readonly credentialId: string
  readonly publicKey: Buffer
  readonly counter: number
  readonly transports: readonly string[]
}
/** With what it is verified by. */
export type StoredFactor = Factor & { readonly passkey: PasskeyData | undefined; readonly sealedSecret: Buffer | undefined }

type Row = {
  id: string
  subject_id: SubjectId
  kind: FactorKind
  name: string
  enrolled_by: EnrolmentProof
  enrolled_in: AuthorizationRequestId | FactorVisitId
  rp_id: string | null
  credential_id: string | null
  public_key: Buffer | null
  counter: string | null
  transports: string[]
  sealed_secret: Buffer | null
  created_at: Instant
  used_at: Instant | null
}
const columns =
  'id, subject_id, kind, name, enrolled_by, enrolled_in, rp_id, credential_id, public_key, counter::text, transports, sealed_secret, created_at, used_at'

const toFactor = (row: Row): StoredFactor => ({
  ...{ id: row.id, subjectId: row.subject_id, kind: row.kind, name: row.name, enrolledBy: row.enrolled_by, enrolledIn: row.enrolled_in },
  ...{ createdAt: row.created_at, usedAt: row.used_at ?? undefined, rpId: row.rp_id ?? undefined },
  passkey:
    row.credential_id === null || row.public_key === null
      ? undefined
      : { credentialId: row.credential_id, publicKey: row.public_key, counter: Number(row.counter), transports: row.transports },
  sealedSecret: row.sealed_secret ?? undefined,
})

/** Of one person, the oldest first. */
export async function listFactorsOfSubject(db: Db, tenant: TenantId, subject: SubjectId): Promise<readonly StoredFactor[]> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM factors WHERE tenant_id = $1 AND subject_id = $2 ORDER BY created_at, id`, [
    tenant,
    subject,
  ])
  return rows.map(toFactor)
}

/** For an admin, newest first: what verifies a factor is not told. */
export async function listFactors(
  db: Db,
  tenant: TenantId,
  subject: string | undefined,
  page: Page<MomentPosition>,
): Promise<readonly Factor[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM factors WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
       AND ($5::uuid IS NULL OR subject_id = $5) ORDER BY created_at DESC, id DESC LIMIT $4`,
    [tenant, ...momentParameters(page), subject ?? null],
  )
  return rows.map((row) => {
    const { passkey: _key, sealedSecret: _secret, ...factor } = toFactor(row)
    return factor
  })
}

/** Until the transaction ends nobody else enrols, resets or ends this person. False: she is not whom the session was opened for any more. */
export async function holdSubject(db: Db, tenant: TenantId, subject: SubjectId, epoch: number | undefined): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT 1 FROM subjects WHERE tenant_id = $1 AND id = $2 AND ($3::int IS NULL OR epoch = $3 AND deactivated_at IS NULL) FOR NO KEY UPDATE',
    [tenant, subject, epoch ?? null],
  )
  return rowCount === 1
}

export type NewFactor = {
  readonly id: string
  readonly name: string
} & (
  | { readonly kind: 'passkey'; readonly rpId: string; readonly passkey: PasskeyData }
  | { readonly kind: 'totp'; readonly sealedSecret: Buffer; readonly lastStep: number }
)

export type Enrolment = {
  readonly enrolledIn: AuthorizationRequestId | FactorVisitId
  readonly now: Instant
  readonly subjectId: SubjectId
  readonly subjectEpoch: number
  readonly factor: NewFactor
  /** What permits it, once nobody else enrols, resets or ends this person. */
  readonly takePermit: (db: Db) => Promise<EnrolmentProof | undefined>
}

/**
 * Enrols a factor where the place that she stands at permits it. A first factor needs more than the sign-in, a later one an earlier factor: what was
 * permitted while she had none is worth nothing once she has one, whoever enrolled it meanwhile.
 */
export async function enrolFactor(
  db: Db,
  tenant: TenantId,
  { enrolledIn, now, subjectId, subjectEpoch, factor, takePermit }: Enrolment,
): Promise<EnrolmentProof | 'enrolment_not_permitted' | 'factors_enough' | 'passkey_known'> {
  if (!(await holdSubject(db, tenant, subjectId, subjectEpoch))) return 'enrolment_not_permitted'
  const by = await takePermit(db)
  const { rows } = await db.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM factors WHERE tenant_id = $1 AND subject_id = $2',
    [tenant, subjectId],
  )
  const count = rows[0]?.count ?? 0
  if (by === undefined || (by === 'factor') !== count > 0) return 'enrolment_not_permitted'
  if (count >= factorLimits.factors) return 'factors_enough'
  const key = factor.kind === 'passkey' ? factor : undefined
  const totp = factor.kind === 'totp' ? factor : undefined
  const { rowCount } = await db.query(
    `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, rp_id, credential_id, public_key, counter, transports,
       sealed_secret, last_step, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (tenant_id, credential_id) DO NOTHING`,
    [
      ...[tenant, factor.id, subjectId, factor.kind, factor.name, by, enrolledIn, key?.rpId ?? null, key?.passkey.credentialId ?? null],
      ...[key?.passkey.publicKey ?? null, key?.passkey.counter ?? null, key?.passkey.transports ?? []],
      ...[totp?.sealedSecret ?? null, totp?.lastStep ?? null, toTimestamp(now)],
    ],
  )
  return rowCount === 1 ? by : 'passkey_known'
}

type Use = { readonly id: string; readonly subjectId: SubjectId; readonly now: Instant }

/** Of any number of callers with one step at most one gets `true`, and none with a step that is not later. RFC 6238 §5.2 */
export async function markTotpUsed(
  db: Db,
  tenant: TenantId,
  { id, subjectId, now, step }: Use & { readonly step: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE factors SET last_step = $4, used_at = $5 WHERE tenant_id = $1 AND id = $2 AND subject_id = $3 AND last_step < $4',
    [tenant, id, subjectId, step, toTimestamp(now)],
  )
  return rowCount === 1
}

/** False: its counter has been seen before, so there are two of this passkey, or this answer is an old one. WebAuthn §6.1.1 */
export async function markPasskeyUsed(
  db: Db,
  tenant: TenantId,
  { id, subjectId, now, counter }: Use & { readonly counter: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE factors SET counter = $4, used_at = $5 WHERE tenant_id = $1 AND id = $2 AND subject_id = $3
       AND (counter < $4::bigint OR counter = 0 AND $4::bigint = 0)`,
    [tenant, id, subjectId, counter, toTimestamp(now)],
  )
  return rowCount === 1
}

export type Removal = {
  readonly subjectId: SubjectId
  readonly subjectEpoch: number
  readonly id: string
  /** Asked of what she has once nobody else adds to it or takes from it. */
  readonly judge: (factors: readonly StoredFactor[]) => Promise<FactorRefusal | undefined>
}

/**
 * Takes one factor of a person away, and what it had proved for a request that is still open. Two removals at once are judged one after the
 * other, so that they do not take the last factor together.
 */
export async function removeFactor(
  db: Db,
  tenant: TenantId,
  { subjectId, subjectEpoch, id, judge }: Removal,
): Promise<StoredFactor | FactorRefusal> {
  if (!(await holdSubject(db, tenant, subjectId, subjectEpoch))) return 'factor_not_shown'
  const factors = await listFactorsOfSubject(db, tenant, subjectId)
  const refusal = await judge(factors)
  if (refusal !== undefined) return refusal
  const factor = factors.find((each) => each.id === id)
  if (factor === undefined) return 'factor_gone'
  await db.query('DELETE FROM factors WHERE tenant_id = $1 AND subject_id = $2 AND id = $3', [tenant, subjectId, id])
  await db.query(
    "UPDATE factor_rounds SET methods = '{}', proved_at = NULL, factor_id = NULL, permitted_by = NULL WHERE tenant_id = $1 AND factor_id = $2",
    [tenant, id],
  )
  return factor
}

/** Takes every factor of a person, what was guessed of them and what could still enrol one. The caller has raised her epoch in this transaction. */
export async function removeFactors(db: Db, tenant: TenantId, subject: SubjectId, now: Instant): Promise<number> {
  const { rowCount } = await db.query('DELETE FROM factors WHERE tenant_id = $1 AND subject_id = $2', [tenant, subject])
  const codes =
    'UPDATE factor_codes SET revoked_at = $3 WHERE tenant_id = $1 AND subject_id = $2 AND used_at IS NULL AND revoked_at IS NULL'
  await db.query(codes, [tenant, subject, toTimestamp(now)])
  await db.query('DELETE FROM factor_guesses WHERE tenant_id = $1 AND subject_id = $2', [tenant, subject])
  await db.query('UPDATE subjects SET factors_reset_at = $3 WHERE tenant_id = $1 AND id = $2', [tenant, subject, toTimestamp(now)])
  return rowCount
}

export type FactorsOfPerson = { readonly factors: readonly StoredFactor[]; readonly resetAt: Instant | undefined }

/** Of whom a connection calls so; nothing where nobody is called so yet. */
export async function findFactorsOfPerson(
  db: Db,
  tenant: TenantId,
  { connectionId, stableId }: { readonly connectionId: string; readonly stableId: string },
): Promise<FactorsOfPerson> {
  const { rows } = await db.query<{ id: SubjectId; factors_reset_at: Instant | null }>(
    'SELECT id, factors_reset_at FROM subjects WHERE tenant_id = $1 AND connection_id = $2 AND stable_id = $3',
    [tenant, connectionId, stableId],
  )
  const person = rows[0]
  if (person === undefined) return { factors: [], resetAt: undefined }
  return { factors: await listFactorsOfSubject(db, tenant, person.id), resetAt: person.factors_reset_at ?? undefined }
}

/** What the last login said of her, as `identityFromJson` reads it. */
export async function findClaimsOfSubject(db: Db, tenant: TenantId, subject: SubjectId): Promise<unknown> {
  const { rows } = await db.query<{ claims: unknown }>('SELECT claims FROM subjects WHERE tenant_id = $1 AND id = $2', [tenant, subject])
  return rows[0]?.claims
}
