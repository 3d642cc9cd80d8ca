/**
 * Which groups the person is in whose address somebody typed, as far as that may choose a connection. docs/adr/0027
 *
 * Whoever types an address sees where it leads, so an answer is given only where nothing else can be meant: one person has the address, in a
 * domain that the tenant has proven, she is switched off nowhere, and what is known of her is not old. Everything else is unknown, which
 * is what a stranger's address is.
 */
import { addSeconds, type Instant } from '../instant.js'

export type AddressGroups = { readonly state: 'known'; readonly value: readonly string[] } | { readonly state: 'unknown' }
export const unknownGroups: AddressGroups = { state: 'unknown' }

/** Somebody who has the address: by a login, by the directory, or by both. */
export type AddressHolder = {
  /** Neither her subject nor her directory user is switched off. */
  readonly isActive: boolean
  /** Groups of her last login; undefined: she has not signed in, or that login did not say. */
  readonly groups: readonly string[] | undefined
  readonly saidAt: Instant | undefined
}

/** A group that was left is still chosen by for so long, unless she signs in. */
export const groupsOfAddressLimits = { ageSeconds: 30 * 86_400 } as const

export function judgeGroupsOfAddress(holders: readonly AddressHolder[], now: Instant): AddressGroups {
  const [holder, another] = holders
  if (holder === undefined || another !== undefined || !holder.isActive) return unknownGroups
  if (holder.groups === undefined || holder.saidAt === undefined) return unknownGroups
  if (addSeconds(holder.saidAt, groupsOfAddressLimits.ageSeconds) <= now) return unknownGroups
  return { state: 'known', value: holder.groups }
}
