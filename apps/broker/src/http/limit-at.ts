/** By which limit something is counted that an issuer's requests spend together. At the front issuer those of all companies come to one address, and to larger limits. */
import type { Brand } from '@drawbridge/core/brand'
import type { RateLimitName } from './rate-limit.js'
import type { ResolvedTenant } from './tenant.js'

/** A new row for a stranger makes room for others by the same count at the front as anywhere: this one is no larger there. */
export type SameAtFront = 'tenant_register'
/** A copy is made at a member, whoever asked at the front. */
type OfMembers = 'tenant_client_copy'
type NeedsOneAtFront = Exclude<Extract<RateLimitName, `tenant_${string}`>, SameAtFront | OfMembers> | 'client' | 'client_assertion'

/** Whole by its type: what is counted for a tenant together has one at the front. */
export const limitsAtFront = {
  tenant_login: 'front_login',
  tenant_push: 'front_push',
  tenant_device_authorization: 'front_device_authorization',
  tenant_client_document: 'front_client_document',
  tenant_token: 'front_token',
  tenant_unvouched_token: 'front_unvouched_token',
  tenant_unvouched_push: 'front_unvouched_push',
  tenant_unproven: 'front_unproven',
  tenant_unproven_introspection: 'front_unproven_introspection',
  tenant_unproven_signals: 'front_unproven_signals',
  tenant_unproven_revocation: 'front_unproven_revocation',
  tenant_revocation: 'front_revocation',
  tenant_registration: 'front_registration',
  client: 'front_client',
  tenant_unvouched_assertion: 'front_unvouched_assertion',
  client_assertion: 'front_client_assertion',
} as const satisfies Record<NeedsOneAtFront, RateLimitName>

/** Counted by what the issuer is: nobody spends one by its bare name. */
export type IssuerLimit = keyof typeof limitsAtFront
export type LimitAtIssuer = Brand<RateLimitName, 'LimitAtIssuer'>
export type LimitOfOne = Exclude<RateLimitName, IssuerLimit>
/** What may be spent: of whoever is meant alone, or of an issuer as `limitAt` names it. */
export type Spendable = LimitOfOne | LimitAtIssuer

/** Of the front itself: a tenant that is its member is counted like any, once it is known. */
export const limitAt = ({ issuer }: Pick<ResolvedTenant, 'issuer'>, limit: IssuerLimit | SameAtFront): LimitAtIssuer =>
  (issuer.kind === 'front' && limit !== 'tenant_register' ? limitsAtFront[limit] : limit) as LimitAtIssuer
