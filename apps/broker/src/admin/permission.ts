/** What an admin key may do. Fixed words, so that a key's reach can be read at a glance. */

/**
 * `impersonate` is everything that lets its holder become somebody: connections, certificates, mappings, domains, SCIM tokens,
 * second factors.
 * It is never part of a support role, and each use is written to the trail of the tenant that it touches.
 */
export const adminPermissions = {
  'tenants:write': 'create, rename and reinstate tenants (vendor keys only)',
  'configuration:read': 'read everything that is configured',
  'configuration:write': 'resources, their credentials, clients and policies',
  impersonate: 'connections, certificates, mappings, domains, SCIM tokens and second factors',
  revoke: 'revoke grants; kill subjects, clients, connections and tenants',
  'keys:rotate': 'make, rotate and condemn signing keys',
  'audit:read': 'audit events, grants and revocation receipts',
  'claims:read': 'what recorded logins say of people, and policies tried on them',
  'admin-keys:write': 'make and revoke admin keys, never wider ones',
  'lab:clock': 'move the clock of a lab',
  'lab:operate': 'set quotas per tenant and run scheduled jobs in a lab',
} as const
export type AdminPermission = keyof typeof adminPermissions
export const adminPermissionNames = Object.keys(adminPermissions) as [AdminPermission, ...AdminPermission[]]
