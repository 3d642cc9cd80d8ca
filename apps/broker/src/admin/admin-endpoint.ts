/** How every endpoint of the admin API is made: key, permission and tenant are checked before anything of the request is read. */
import { instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findAdminKeyAcrossTenants, type StoredAdminKey } from '@drawbridge/store/admin-keys'
import { type AuditEvent, insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Db } from '@drawbridge/store/transaction'
import type { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest, jsonParser, type Method } from '../http/endpoint.js'
import { refuseAsProblem } from '../http/write-error.js'
import { type AdminErrorReason, adminErrors } from './error.js'
import type { AdminPermission } from './permission.js'

export type AdminCaller = { readonly key: StoredAdminKey; readonly isVendor: boolean }
export type AdminRequest<Body = undefined> = HttpRequest<Body, AdminCaller>

export type AdminEndpointDefinition<S extends z.ZodType | undefined> = {
  readonly method: Method
  /** After `/admin/v1`. */
  readonly path: string
  readonly summary: string
  readonly permission: AdminPermission
  readonly vendorOnly?: true
  readonly tag: string
  readonly body?: S
  readonly maxBodyBytes?: number
  readonly status?: number
  readonly run: (http: AdminRequest<S extends z.ZodType ? z.output<S> : undefined>, deps: BrokerDeps) => Promise<Answer>
}

/** Metadata of large federations; a policy is far smaller. */
export const adminMaxBodyBytes = 1_048_576

export function adminEndpoint<S extends z.ZodType | undefined = undefined>(definition: AdminEndpointDefinition<S>): Endpoint {
  const { path, permission, vendorOnly, body, status, run, maxBodyBytes, ...rest } = definition
  type Body = S extends z.ZodType ? z.output<S> : undefined
  return endpoint<Body, AdminCaller>({
    ...rest,
    path: `/admin/v1${path}`,
    spec: 'ours',
    permission,
    refusals: 'problem',
    maxBodyBytes: maxBodyBytes ?? adminMaxBodyBytes,
    servesSuspended: true,
    output: { status: status ?? 200 },
    authorize: (http, deps) => authorizeAdmin(http, deps, permission, vendorOnly === true),
    ...(body ? { parse: jsonParser(body) as never } : {}),
    run: async (http, deps) => {
      try {
        return await run(http, deps)
      } catch (cause) {
        const reason = reasonOfSqlState(cause)
        if (reason === undefined) throw cause
        return refuseAdmin(reason)
      }
    },
  })
}

export function refuseAdmin(
  reason: AdminErrorReason,
  errors?: readonly { readonly path: string; readonly message: string }[],
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return refuseAsProblem(adminErrors[reason], { reason }, { headers, ...(errors ? { errors } : {}) })
}

/** The schema refuses what one transaction cannot see: taken names, foreign references, malformed ids. */
function reasonOfSqlState(cause: unknown): AdminErrorReason | undefined {
  const code = (cause as { readonly code?: unknown } | undefined)?.code
  if (code === '23505') return 'conflict'
  if (code === '23503') return 'reference_unknown'
  return code === '22P02' ? 'not_found' : undefined
}

const credential = /^Bearer (dba_[A-Za-z0-9_-]{43})$/i
const challenge = { 'www-authenticate': 'Bearer realm="drawbridge-admin"' }

async function authorizeAdmin(
  http: HttpRequest,
  deps: BrokerDeps,
  permission: AdminPermission,
  vendorOnly: boolean,
): Promise<Result<AdminCaller, Answer>> {
  const given = credential.exec(http.headers['authorization'] ?? '')?.[1]
  if (given === undefined) return err(refuseAdmin('key_missing', undefined, challenge))
  const key = await findAdminKeyAcrossTenants(deps.database, hashCredential(new Secret(given)))
  if (!key || !isUsable(key, deps))
    return err(refuseAdmin('key_unknown', undefined, { 'www-authenticate': `${challenge['www-authenticate']}, error="invalid_token"` }))
  const isVendor = key.tenantId === vendorTenantId
  // Another tenant's existence is none of a tenant key's business: 404, as for one that does not exist.
  if (!isVendor && http.tenant && http.tenant.id !== key.tenantId) return err(refuseAdmin('other_tenant'))
  if (vendorOnly && !isVendor) return err(refuseAdmin('vendor_only'))
  if (!key.permissions.includes(permission)) return err(refuseAdmin('permission_missing', [{ path: 'permission', message: permission }]))
  return ok({ key, isVendor })
}

function isUsable(key: StoredAdminKey, deps: BrokerDeps): boolean {
  if (key.revokedAt !== undefined) return false
  if (key.expiresAt !== undefined && deps.clock.now() >= key.expiresAt) return false
  return key.marked === undefined || key.marked === deps.installation.kind
}

/** Writes to the trail of the tenant that is touched, in the transaction that touches it. Which key did it is always there. */
export const audit = (
  db: Db,
  tenant: TenantId,
  http: AdminRequest<unknown>,
  deps: BrokerDeps,
  event: Omit<AuditEvent, 'at' | 'requestId' | 'address'>,
): Promise<void> =>
  insertAuditEvent(db, tenant, {
    ...event,
    at: deps.clock.now(),
    requestId: http.requestId,
    address: http.address,
    detail: { ...event.detail, adminKey: http.caller.key.id, vendor: http.caller.isVendor },
  })

/** ISO 8601, as every time in this API. */
export const toIso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())
export const fromIso = (text: string | undefined) => (text === undefined ? undefined : instant(Date.parse(text)))

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** The `:id` of the path; malformed ones find nothing. */
export const idParam = (http: { readonly params: Readonly<Record<string, string>> }, name = 'id'): string | undefined => {
  const value = http.params[name]
  return value !== undefined && uuid.test(value) ? value : undefined
}
