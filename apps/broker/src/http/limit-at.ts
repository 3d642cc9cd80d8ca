/** By which limit something is counted that an issuer's requests spend together. At the front issuer those of all companies come to one address, and to larger limits. */
import type { RateLimitName } from './rate-limit.js'
import type { ResolvedTenant } from './tenant.js'

export const limitsAtFront = {
  tenant_login: 'front_login',
  tenant_push: 'front_push',
  tenant_device_authorization: 'front_device_authorization',
  tenant_token: 'front_token',
  tenant_unvouched_token: 'front_unvouched_token',
  tenant_unvouched_push: 'front_unvouched_push',
  tenant_unproven_introspection: 'front_unproven_introspection',
  tenant_unproven_signals: 'front_unproven_signals',
  client: 'front_client',
  tenant_unvouched_assertion: 'front_unvouched_assertion',
  client_assertion: 'front_client_assertion',
} as const satisfies Partial<Record<RateLimitName, RateLimitName>>

const hasOneAtFront = (limit: RateLimitName): limit is keyof typeof limitsAtFront => Object.hasOwn(limitsAtFront, limit)

/** Of the front itself: a tenant that is its member is counted like any, once it is known. */
export const limitAt = ({ issuer }: Pick<ResolvedTenant, 'issuer'>, limit: RateLimitName): RateLimitName =>
  issuer.kind === 'front' && hasOneAtFront(limit) ? limitsAtFront[limit] : limit
