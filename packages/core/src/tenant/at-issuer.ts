/**
 * At which issuers something that a tenant's admins wrote holds: at the tenant's own, or at the front, where it is a member (ADR 75, 90).
 *
 * What does not say so holds at the tenant's own issuer alone. At the front other clients go by the same names, the vendor says which there are, and
 * the resources are shared by everybody: so nobody is let in there by a word that was said of the other.
 */
import type { IssuerKind } from './ids.js'

export const issuersHeldAt = ['own', 'front', 'both'] as const
export type HeldAt = (typeof issuersHeldAt)[number]

/** At the front before a tenant is known nothing of anybody holds. */
export const holdsAt = (kind: IssuerKind, at: HeldAt = 'own'): boolean =>
  kind === 'tenant' ? at !== 'front' : kind === 'front_member' && at !== 'own'

/** Those of a tenant's permissions that hold at one of its issuers. */
export const permissionsAt = <P extends { readonly at?: HeldAt | undefined }>(
  kind: IssuerKind,
  { permissions }: { readonly permissions: readonly P[] },
): { readonly permissions: readonly P[] } => ({ permissions: permissions.filter(({ at }) => holdsAt(kind, at)) })
