/** Signed notices to each resource server, inside the transaction that makes them due. */
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { insertNotices } from '@drawbridge/store/notices'
import type { RevokingIssuer, ToldResource } from '@drawbridge/store/revocations'
import type { AcrossDb } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'

export type News = {
  readonly eventId: string
  /** What is said beside `iss`, `aud`, `iat`, `jti`, and `txn`: the same event at every resource. */
  readonly claims: Readonly<Record<string, unknown>>
}
export type Telling = {
  readonly tenant: TenantId
  readonly issuer: RevokingIssuer
  readonly at: Instant
  readonly expiresAt: Instant
  /** In this order. */
  readonly news: readonly News[]
}

/** What the front says for a member says for which, as its tokens do; what it says of itself, and what a tenant's own issuer says, needs no such word. */
export const tenantClaim = ({ id, signer, tenantSlug }: RevokingIssuer): { readonly tenant?: string } =>
  signer.id === id ? {} : { tenant: tenantSlug }

/** The resources must be locked: that is what keeps a stream that opens meanwhile from missing the news. @spec RFC 8417 §2.2 */
export async function tellResources(
  deps: JobDeps,
  db: AcrossDb,
  resources: readonly ToldResource[],
  { tenant, issuer, at, expiresAt, news }: Telling,
): Promise<void> {
  if (resources.length === 0) return
  const sign = await deps.openNoticeSigner(db, { ...issuer.signer, url: issuer.url })
  for (const { tenantId, id, identifier } of resources) {
    const notices = news.map(({ eventId, claims }) => {
      const jti = deps.random.uuid()
      return {
        eventId,
        jti,
        token: sign({ iss: issuer.url, aud: identifier, ...tenantClaim(issuer), iat: toSeconds(at), jti, txn: eventId, ...claims }),
      }
    })
    const to = { tenantId, resourceId: id, issuer: issuer.signer, eventTenant: tenant, createdAt: at, expiresAt }
    await insertNotices(db, to, notices)
  }
}
