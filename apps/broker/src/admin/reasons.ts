/** By which reasons an endpoint of the admin API may refuse: what its shape brings with it, and what it says itself. */
import type { HttpErrorReason } from '../http/error.js'
import type { AdminErrorReason } from './error.js'

export type AdminReason = AdminErrorReason | HttpErrorReason

type Shape = {
  readonly path: string
  readonly vendorOnly?: true
  readonly body?: unknown
  readonly refuses?: readonly AdminErrorReason[]
}

const always: readonly AdminReason[] = [
  'key_missing',
  'key_unknown',
  'permission_missing',
  'query_invalid',
  'path_malformed',
  'media_type_refused',
  'body_incomplete',
  'body_too_large',
  'rate_limited',
  'database_gone',
  'tenant_busy',
  'server_fault',
]
const ofBody: readonly AdminReason[] = ['json_malformed', 'body_invalid']
const ofTenant: readonly AdminReason[] = ['tenant_unknown', 'other_tenant']

export const reasonsOf = ({ path, vendorOnly, body, refuses = [] }: Shape): readonly AdminReason[] => [
  ...always,
  ...(path.includes('/:tenant') ? ofTenant : []),
  ...(vendorOnly ? (['vendor_only'] as const) : []),
  ...(body ? ofBody : []),
  ...refuses,
]
