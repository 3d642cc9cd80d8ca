/**
 * Whoever opened a set-up link: a browser with a cookie that is worth this link's draft and nothing else.
 *
 * The cookie is Strict, so that no other site's link or form brings it along; every form is proven besides, because a sibling subdomain is
 * the same site.
 */
import { hashCredential } from '@drawbridge/crypto/hash'
import { findDraft, type StoredDraft } from '@drawbridge/store/connection-drafts'
import { listDomainsOfSetupLink, type StoredDomain } from '@drawbridge/store/domains'
import { findLivingSetupLink, type SetupLink } from '@drawbridge/store/setup-links'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import { setCookie } from '../../http/cookies.js'
import { type HttpRequest, tenantOf } from '../../http/endpoint.js'
import { formProof, isFormProof } from '../../http/form-proof.js'
import { readHandle } from '../../http/session-cookie.js'
import type { ResolvedTenant } from '../../http/tenant.js'

const cookieOf = (tenant: Pick<ResolvedTenant, 'slug'>): string => `drawbridge-setup-${tenant.slug}`

export const setSetupCookie = (deps: BrokerDeps, tenant: ResolvedTenant, handle: string): string =>
  setCookie(cookieOf(tenant), handle, { publicUrl: deps.settings.publicUrl, sameSite: 'Strict' })

export type SetupSession = {
  readonly tenant: ResolvedTenant
  readonly link: SetupLink
  readonly draft: StoredDraft
  /** Those that were claimed by this link. */
  readonly domains: readonly StoredDomain[]
  readonly proof: string
}

/** `undefined`: no cookie of ours, or its link has ended since. */
export async function findSetupSession(http: HttpRequest, deps: BrokerDeps): Promise<SetupSession | undefined> {
  const tenant = tenantOf(http)
  const handle = readHandle(http, deps, cookieOf(tenant))
  if (handle === undefined) return undefined
  const found = await inTenant(deps.database, tenant.id, async (db) => {
    const link = await findLivingSetupLink(db, tenant.id, hashCredential(handle), deps.clock.now())
    const draft = link && (await findDraft(db, tenant.id, link.draftId))
    return draft && { link, draft, domains: await listDomainsOfSetupLink(db, tenant.id, link.id) }
  })
  return found && { ...found, tenant, proof: formProof(deps.sealer, 'setup-proof', boundTo(tenant, found.link, found.draft)) }
}

/** A form is good for the draft as it stood when it was shown. */
const boundTo = (tenant: ResolvedTenant, link: SetupLink, { revision, state }: StoredDraft) => [tenant.id, link.id, String(revision), state]

export const isProven = (deps: BrokerDeps, { tenant, link, draft }: SetupSession, presented: string | undefined): boolean =>
  isFormProof(deps.sealer, 'setup-proof', boundTo(tenant, link, draft), presented)
