/** Who is calling the admin API, whether its key reaches this far, and whether it has asked too much: counted once it is known, so that no stranger spends what is another's. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findAdminKeyAcrossTenants, type StoredAdminKey } from '@drawbridge/store/admin-keys'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { AdminPermission } from './permission.js'
import { refuseAdmin } from './refuse-admin.js'

export type AdminCaller = { readonly key: StoredAdminKey; readonly isVendor: boolean }

const credential = /^Bearer (dba_[A-Za-z0-9_-]{43})$/i
const challenge = { 'www-authenticate': 'Bearer realm="drawbridge-admin"' }

export async function authorizeAdmin(
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
  const busy = http.spend('admin_key', key.id) ?? (isVendor ? undefined : http.spend('admin_tenant', key.tenantId))
  if (busy) return err(busy)
  if (!isVendor && http.tenant?.issuer.kind === 'front') return err(refuseAdmin('vendor_only'))
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
