/** Refusals of the admin API that are about connections, and about how much a tenant may configure. */
export const connectionErrors = {
  connection_secret_needed: {
    code: 'conflict',
    status: 409,
    spec: 'ours',
    title: 'Client secret needed',
    say: 'an address that the client secret goes to changes, and the one that is kept was given for the address before: send clientSecret, or null to remove it',
  },
  tenant_full: {
    code: 'conflict',
    status: 409,
    spec: 'ours',
    title: 'Tenant full',
    say: 'the tenant has as much of this as it may have; see errors. Remove what nobody uses, or ask the operator for a second tenant',
  },
} as const
