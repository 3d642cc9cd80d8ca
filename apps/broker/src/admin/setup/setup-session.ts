/**
 * Whoever opened a set-up link: a browser with a cookie that is worth this link's draft and nothing else.
 *
 * The cookie is Strict, so that no other site's link or form brings it along; every form is proven besides, because a sibling subdomain is
 * the same site.
 */
import type { Client } from '@drawbridge/core/oauth/client'
import { listClients } from '@drawbridge/store/clients'
import { findDraft, type StoredDraft } from '@drawbridge/store/connection-drafts'
import { listDomainsOfSetupLink, type StoredDomain } from '@drawbridge/store/domains'
import { findLivingSetupLink, type SetupLink } from '@drawbridge/store/setup-links'
import { listTestLogins, type StoredTestLogin } from '@drawbridge/store/test-logins'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import { type HttpRequest, tenantOf } from '../../http/endpoint.js'
import { formProof, isFormProof } from '../../http/form-proof.js'
import { setupSessionHashOf } from '../../http/setup-cookie.js'
import type { ResolvedTenant } from '../../http/tenant.js'

export type SetupSession = {
  readonly tenant: ResolvedTenant
  readonly link: SetupLink
  readonly draft: StoredDraft
  /** Those that were claimed by this link. */
  readonly domains: readonly StoredDomain[]
  /** Its tests, and for whom there may be one; `undefined`: there is no connection yet that could be tested. */
  readonly testing: { readonly tests: readonly StoredTestLogin[]; readonly clients: readonly Client[] } | undefined
  readonly proof: string
}

/** To choose from, by their ids. A tenant with more has an admin who asks for tests of the others. */
const mostClientsShown = 50

/** `undefined`: no cookie of ours, or its link has ended since. */
export async function findSetupSession(http: HttpRequest, deps: BrokerDeps): Promise<SetupSession | undefined> {
  const tenant = tenantOf(http)
  const session = setupSessionHashOf(http, deps)
  if (session === undefined) return undefined
  const now = deps.clock.now()
  const found = await inTenant(deps.database, tenant.id, async (db) => {
    const link = await findLivingSetupLink(db, tenant.id, session, now)
    const draft = link && (await findDraft(db, tenant.id, link.draftId))
    if (!draft) return undefined
    const domains = await listDomainsOfSetupLink(db, tenant.id, link.id)
    const isTestable = draft.state === 'activated' && tenant.connection(draft.id)?.configuration.ok === true
    const testing = isTestable
      ? { tests: await listTestLogins(db, tenant.id, link.id, now), clients: await clientsOf(db, tenant) }
      : undefined
    return { link, draft, domains, testing }
  })
  return found && { ...found, tenant, proof: formProof(deps.sealer, 'setup-proof', boundTo(tenant, found.link, found.draft)) }
}

/** Those that could ask for a token here; a blocked one gets none. */
const clientsOf = async (db: Db, { id, issuer }: ResolvedTenant): Promise<readonly Client[]> =>
  (await listClients(db, id, issuer.id, { limit: mostClientsShown })).filter(({ blockedAt }) => blockedAt === undefined)

/** A form is good for the draft as it stood when it was shown. */
const boundTo = (tenant: ResolvedTenant, link: SetupLink, { revision, state }: StoredDraft) => [tenant.id, link.id, String(revision), state]

export const isProven = (deps: BrokerDeps, { tenant, link, draft }: SetupSession, presented: string | undefined): boolean =>
  isFormProof(deps.sealer, 'setup-proof', boundTo(tenant, link, draft), presented)
