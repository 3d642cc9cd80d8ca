/**
 * How much one tenant may have of what every broker holds in memory for it, whole, whoever of its people comes. Without these a tenant's own key
 * could fill the memory of processes that serve everybody. What was killed or withdrawn counts: it is held, too, or can come back.
 */
export const tenantLimits = {
  connections: 200,
  assertionTrusts: 200,
  resources: 500,
  domains: 500,
  /** Of all configurations of connections and trusts together, as JSON. A large SAML connection has some 10 KiB. */
  configurationBytes: 4 * 1024 * 1024,
} as const

/** What is counted. */
export type CountedOfTenant = Exclude<keyof typeof tenantLimits, 'configurationBytes'>
