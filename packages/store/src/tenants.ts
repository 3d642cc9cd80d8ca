/** Customer companies. Never deleted, so that no slug and no issuer URL is ever reused. */
import type { ProvisioningMode } from '@drawbridge/core/identity/provisioning'
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId, TenantSlug } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import type { Database } from './database.js'
import { type AcrossDb, acrossTenants, type Db, toTimestamp } from './transaction.js'

export type Tenant = {
  readonly id: TenantId
  readonly slug: TenantSlug
  readonly name: string
  readonly epoch: number
  readonly barrierAt: Instant | undefined
  readonly configurationVersion: number
  /** 0: no policy is published, the safe default holds. */
  readonly policyVersion: number
  readonly suspendedAt: Instant | undefined
  /** `undefined`: nobody has chosen. */
  readonly provisioningMode: ProvisioningMode | undefined
  readonly createdAt: Instant
}

type Row = {
  id: TenantId
  slug: TenantSlug
  name: string
  epoch: number
  barrier_at: Instant | null
  configuration_version: number
  policy_version: number
  suspended_at: Instant | null
  provisioning_mode: ProvisioningMode | null
  created_at: Instant
}

const columns = 'id, slug, name, epoch, barrier_at, configuration_version, policy_version, suspended_at, provisioning_mode, created_at'

const toTenant = (row: Row): Tenant => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  epoch: row.epoch,
  barrierAt: row.barrier_at ?? undefined,
  configurationVersion: row.configuration_version,
  policyVersion: row.policy_version,
  suspendedAt: row.suspended_at ?? undefined,
  provisioningMode: row.provisioning_mode ?? undefined,
  createdAt: row.created_at,
})

/** Fails on a slug that was ever used: the caller maps the unique violation, see `isUniqueViolation`. */
export async function insertTenant(
  db: Db,
  tenant: { readonly id: TenantId; readonly slug: TenantSlug; readonly name: string; readonly now: Instant },
): Promise<void> {
  await db.query('INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $3, $4)', [
    tenant.id,
    tenant.slug,
    tenant.name,
    toTimestamp(tenant.now),
  ])
}

export async function findTenant(db: Db, tenant: TenantId): Promise<Tenant | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM tenants WHERE id = $1`, [tenant])
  return rows[0] && toTenant(rows[0])
}

/** The tenant of an issuer URL: the one look-up that must happen before the tenant is known. */
export async function findTenantBySlugAcrossTenants(database: Database, slug: string): Promise<Tenant | undefined> {
  const { rows } = await acrossTenants(database, (db) => db.query<Row>(`SELECT ${columns} FROM tenants WHERE slug = $1`, [slug]))
  return rows[0] && toTenant(rows[0])
}

/** For the vendor: by slug. */
export async function listTenantsAcrossTenants(database: Database, page: Page<string>): Promise<readonly Tenant[]> {
  const { rows } = await acrossTenants(database, (db) =>
    db.query<Row>(`SELECT ${columns} FROM tenants WHERE slug > $1 ORDER BY slug LIMIT $2`, [page.from ?? '', page.limit]),
  )
  return rows.map(toTenant)
}

/** The name that people read; the slug is for ever. */
export async function renameTenant(db: Db, tenant: TenantId, name: string): Promise<void> {
  await db.query('UPDATE tenants SET name = $2 WHERE id = $1', [tenant, name])
}

/** Suspends, or with `undefined` reinstates. Does not raise the epoch: that is a deprovisioning of the whole tenant. */
export async function markTenantSuspended(db: Db, tenant: TenantId, at: Instant | undefined): Promise<void> {
  await db.query('UPDATE tenants SET suspended_at = $2 WHERE id = $1', [tenant, at === undefined ? null : toTimestamp(at)])
}

/** Who may become a subject from now on. Whoever is one stays one, unless the directory alone decides and does not know her. */
export async function markProvisioningMode(db: Db, tenant: TenantId, mode: ProvisioningMode): Promise<void> {
  await db.query('UPDATE tenants SET provisioning_mode = $2 WHERE id = $1', [tenant, mode])
}

/** Chooses for a tenant that has not chosen; answers whether it did. */
export async function markProvisioningModeIfUndecided(db: Db, tenant: TenantId, mode: ProvisioningMode): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE tenants SET provisioning_mode = $2 WHERE id = $1 AND provisioning_mode IS NULL', [
    tenant,
    mode,
  ])
  return rowCount === 1
}

/** Whether what was granted from a session outlives it from now on; read by `end-session`. */
export async function markGrantsOutliveLogout(db: Db, tenant: TenantId, outlive: boolean): Promise<void> {
  await db.query('UPDATE tenants SET grants_outlive_logout = $2 WHERE id = $1', [tenant, outlive])
}

/** Which connection an address chooses; read and checked by `core/tenant/connection-choice`. */
export async function markConnectionChoice(db: Db, tenant: TenantId, choice: unknown): Promise<void> {
  await db.query('UPDATE tenants SET connection_choice = $2 WHERE id = $1', [tenant, JSON.stringify(choice)])
}

export async function findConnectionChoice(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ connection_choice: unknown }>('SELECT connection_choice FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.connection_choice ?? undefined
}

/** When a second factor of ours is asked for; read and checked by `core/factor/second-factor`. */
export async function markSecondFactor(db: Db, tenant: TenantId, setting: unknown): Promise<void> {
  await db.query('UPDATE tenants SET second_factor = $2 WHERE id = $1', [tenant, JSON.stringify(setting)])
}

export async function findSecondFactor(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ second_factor: unknown }>('SELECT second_factor FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.second_factor ?? undefined
}

/** Whether authorization requests of its clients must be pushed beforehand. */
export async function markRequirePushedRequests(db: Db, tenant: TenantId, required: boolean): Promise<void> {
  await db.query('UPDATE tenants SET require_pushed_requests = $2 WHERE id = $1', [tenant, required])
}

export async function requiresPushedRequests(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ required: boolean }>('SELECT require_pushed_requests AS required FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.required ?? true
}

/** In which ways clients may become known; read and checked by `core/oauth/client-registration`. */
export async function markClientRegistration(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET client_registration = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findClientRegistration(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ client_registration: unknown }>('SELECT client_registration FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.client_registration ?? undefined
}

/** Whether devices may ask for access by a code that a person types elsewhere: RFC 8628. Whatever waits for an answer gets none once they may not. */
export async function markDeviceGrant(db: Db, tenant: TenantId, enabled: boolean): Promise<void> {
  await db.query('UPDATE tenants SET device_grant = $2 WHERE id = $1', [tenant, enabled])
}

export async function findDeviceGrant(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ device_grant: boolean }>('SELECT device_grant FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.device_grant ?? false
}

/** Which clients may have ID-JAGs for which authorization servers; read and checked by `core/oauth/id-jag-issuing`. */
export async function markIdJagIssuing(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET id_jag_issuing = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

/** `held`: until the transaction ends nobody else changes it. */
export async function findIdJagIssuing(db: Db, tenant: TenantId, held?: 'held'): Promise<unknown> {
  const text = `SELECT id_jag_issuing FROM tenants WHERE id = $1 ${held === undefined ? '' : 'FOR NO KEY UPDATE'}`
  const { rows } = await db.query<{ id_jag_issuing: unknown }>(text, [tenant])
  return rows[0]?.id_jag_issuing ?? undefined
}

/** Which clients may exchange whose tokens for which resource; read and checked by `core/oauth/exchange-permission`. */
export async function markTokenExchange(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET token_exchange = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findTokenExchange(db: Db | AcrossDb, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ token_exchange: unknown }>('SELECT token_exchange FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.token_exchange ?? undefined
}

/** What is demanded of tokens that are bound to a key; read and checked by `core/oauth/dpop-rules`. */
export async function markDpopRules(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET dpop = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findDpopRules(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ dpop: unknown }>('SELECT dpop FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.dpop ?? undefined
}

/** Whose software statements are believed; read and checked by `upstream/software-statement/statement-issuers`. */
export async function markSoftwareStatements(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET software_statements = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findSoftwareStatements(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ software_statements: unknown }>('SELECT software_statements FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.software_statements ?? undefined
}

/** What clients may be told of people; read and checked by `core/oauth/userinfo`. */
export async function markToldOfPeople(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET told_of_people = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findToldOfPeople(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ told_of_people: unknown }>('SELECT told_of_people FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.told_of_people ?? undefined
}

/** Which scopes of shared resources are granted to whoever names none; read and checked by `core/oauth/default-scopes`. */
export async function markDefaultScopes(db: Db, tenant: TenantId, chosen: unknown): Promise<void> {
  await db.query('UPDATE tenants SET default_scopes = $2 WHERE id = $1', [tenant, JSON.stringify(chosen)])
}

export async function findDefaultScopes(db: Db, tenant: TenantId): Promise<unknown> {
  const { rows } = await db.query<{ default_scopes: unknown }>('SELECT default_scopes FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.default_scopes ?? undefined
}

/** Whether clients that become known from then on know people by a `sub` of their own. */
export async function markPairwiseByDefault(db: Db, tenant: TenantId, isDefault: boolean): Promise<void> {
  await db.query('UPDATE tenants SET pairwise_by_default = $2 WHERE id = $1', [tenant, isDefault])
}

export async function isPairwiseByDefault(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ isDefault: boolean }>('SELECT pairwise_by_default AS "isDefault" FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.isDefault ?? false
}

/** Whether an error is PostgreSQL's refusal of a second row with the same unique key. */
export const isUniqueViolation = (error: unknown): boolean => (error as { code?: unknown } | undefined)?.code === '23505'
