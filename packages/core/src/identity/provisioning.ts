/** Who may become, and stay, a subject of a tenant: everybody whom its IdPs name, whoever its directory provisioned, or whoever was invited. */
export const provisioningModes = ['just_in_time', 'scim_only', 'invited_only'] as const
export type ProvisioningMode = (typeof provisioningModes)[number]

/** While nobody has chosen. The first SCIM token chooses `scim_only`: security.md §3. */
export const undecidedProvisioning: ProvisioningMode = 'just_in_time'

export type ProvisioningFacts = {
  readonly mode: ProvisioningMode
  /** She is a subject of this connection already. */
  readonly isKnown: boolean
  /** The directory of this connection has her, living and active. */
  readonly isInDirectory: boolean
  /** The directory's record is hers already; else this login would make the link. */
  readonly isLinked: boolean
  readonly isInvited: boolean
  /** An address that she claims lies in a domain that another tenant has proven. */
  readonly claimsForeignAddress: boolean
  /** An address that she claims lies in a domain of this tenant whose proof has lapsed. */
  readonly isOfLapsedDomain: boolean
  /** The value of her link key is an address in a domain that this tenant has not proven. */
  readonly isLinkUnproven: boolean
}

export type ProvisioningVerdict =
  | 'provisioned'
  | 'address_of_another'
  | 'directory_missing'
  | 'domain_lapsed'
  | 'link_unproven'
  | 'not_invited'

/**
 * Says whether a person whom the directory does not shut out may come in.
 *
 * A claimed address of another company ends it whatever the mode. A lapsed proof ends what is new, subject and link alike; who was let in
 * before it lapsed stays. `scim_only` holds for whoever came before it was chosen too: whom the directory does not know has no access.
 * An invitation makes a subject once, and is not asked for again.
 */
export function judgeProvisioning(facts: ProvisioningFacts): ProvisioningVerdict {
  if (facts.claimsForeignAddress) return 'address_of_another'
  if (facts.mode === 'scim_only' && !facts.isInDirectory) return 'directory_missing'
  const makesLink = facts.isInDirectory && !facts.isLinked
  if (facts.isOfLapsedDomain && (!facts.isKnown || makesLink)) return 'domain_lapsed'
  if (facts.isLinkUnproven && makesLink) return 'link_unproven'
  return facts.mode === 'invited_only' && !facts.isKnown && !facts.isInvited ? 'not_invited' : 'provisioned'
}
