/** The `sub` by which one sector knows a person: worth nothing to another, and always the same. */
import { createHmac } from 'node:crypto'
import type { Random } from './random.js'

export const pairwiseKeyOctets = 32

export const generatePairwiseKey = (random: Random): Buffer => Buffer.from(random.bytes(pairwiseKeyOctets))

/**
 * A keyed hash, so that nobody who knows both sectors, or guesses people, can compute it; of a text that is read in one way alone. It must never come
 * out otherwise: clients know people by it.
 *
 * @spec OIDC Core §8.1
 */
export const pairwiseSubject = (
  key: Uint8Array,
  of: { readonly issuerId: string; readonly sector: string; readonly subject: string },
): string =>
  createHmac('sha256', key)
    .update(JSON.stringify(['pairwise-subject', of.issuerId, of.sector, of.subject]), 'utf8')
    .digest('base64url')
