/** Permissions of a tenant are written whole. Whoever read them may say so: what somebody else took away meanwhile does not come back by it. */
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { z } from 'zod'

export const ifRevision = z
  .string()
  .max(64)
  .optional()
  .describe('Refuses the change where the permissions are no longer those that were read')
export const revision = z.string().describe('Of the permissions; sent back as ifRevision, it keeps a change by somebody else')

/** Of what was read from the database by its shape, which fixes the order of members. */
export const revisionOf = (permissions: readonly unknown[]): string => sha256Base64url(JSON.stringify(permissions))
