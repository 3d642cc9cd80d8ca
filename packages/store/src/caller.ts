/** The client on whose behalf a hot statement runs: `core/oauth/caller`, as SQL. */

/**
 * `caller.is_current` says whether the client is still the version that was authenticated. A statement that acts for a client begins with
 * this and looks at nothing unless it holds: for a client that was blocked, deleted or given another secret meanwhile, no credential is
 * found, consumed, counted, audited or revoked.
 *
 * `opens`: the statement opens a grant and answers with its token at once. Then it waits for whoever ends the client and looks for what it holds
 * (`deprovisioning`), who in turn waits for it. The grant's foreign key takes the same lock a moment later, and asks for no version.
 */
export const callerCte = (parameters: {
  readonly issuer: string
  readonly client: string
  readonly version: string
  readonly opens?: true
}): string => `
  caller AS (SELECT EXISTS (SELECT 1 FROM clients WHERE tenant_id = $1 AND issuer_id = ${parameters.issuer}
    AND client_id = ${parameters.client} AND version = ${parameters.version}${parameters.opens ? ' FOR KEY SHARE' : ''}) AS is_current)`
