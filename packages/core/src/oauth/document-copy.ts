/** How long the stored copy of a client's metadata document serves whom it served, once it has lapsed and no good document can be read. ADR 101 */
import { addSeconds, type Instant } from '../instant.js'
import type { Client } from './client.js'

export const documentCopyLimits = {
  /** From when it lapsed: nobody can say what the publisher says now. */
  unreachableSeconds: 86_400,
  /** From when the publisher was first heard to say that the document is gone, or none: while he puts up a new version he may say so by mistake. */
  withdrawnSeconds: 300,
} as const

/** Of a copy that has lapsed. No authorization is begun by it in either case; clients at work, by whichever grant, go on. */
export function servesClientsAtWork({ documentExpiresAt, documentWithdrawnAt }: Client, now: Instant): boolean {
  const { unreachableSeconds, withdrawnSeconds } = documentCopyLimits
  if (now >= addSeconds(documentExpiresAt ?? now, unreachableSeconds)) return false
  return documentWithdrawnAt === undefined || now < addSeconds(documentWithdrawnAt, withdrawnSeconds)
}
