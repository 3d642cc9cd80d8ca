/**
 * What an admin approved of a client that speaks for itself, by digests, and what of it is lost when the client says something else.
 *
 * Clients are compared member by member, because versions of ours judge different ones. An approval that knows nothing of a member holds as
 * long as the client says nothing there: it is not lost because we judge more, and what nobody saw is not approved. Members that only a
 * later version judges are left to it.
 */
import type { Instant } from '@drawbridge/core/instant'
import { type ApprovalLost, type Client, type JudgedClient, type JudgedMember, judgedMembers } from '@drawbridge/core/oauth/client'
import { judgedTextsOf, silentClient } from '@drawbridge/core/oauth/judged-client'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import type { Db } from './transaction.js'

/** One for each member, so that it can be said what changed, and `document` for all of them. */
export type Digests = Readonly<Record<JudgedMember | 'document', string>>
/** As some version of ours wrote them. */
export type ApprovedDigests = Readonly<Partial<Record<JudgedMember, string>>>

export function digestsOf(client: JudgedClient): Digests {
  const texts = judgedTextsOf(client)
  const members = Object.fromEntries(judgedMembers.map((member) => [member, sha256Base64url(texts[member])])) as Record<
    JudgedMember,
    string
  >
  return { ...members, document: sha256Base64url(JSON.stringify(judgedMembers.map((member) => texts[member]))) }
}

/** Of a client that says nothing. */
const { document: _, ...ofSilence } = digestsOf(silentClient)
export const silence: ApprovedDigests = ofSilence

/** Undefined: it says what was approved. */
export function lossOf(
  before: Client,
  approved: ApprovedDigests,
  now: { readonly digests: Digests; readonly at: Instant },
): ApprovalLost | undefined {
  const changed = judgedMembers.filter((member) => (approved[member] ?? silence[member]) !== now.digests[member])
  return changed.length === 0 ? undefined : { at: now.at, changed, before: judgedOf(before) }
}

const judgedOf = (client: Client): JudgedClient => ({
  name: client.name,
  redirectUris: client.redirectUris,
  grantTypes: client.grantTypes,
  authMethod: client.authMethod,
  dpopBoundAccessTokens: client.dpopBoundAccessTokens,
  jwks: client.jwks,
  jwksUri: client.jwksUri,
  certificateName: client.certificateName,
  backchannelLogoutUri: client.backchannelLogoutUri,
  postLogoutRedirectUris: client.postLogoutRedirectUris,
})

/** The trail, and the contacts of the tenant. */
export async function tellLoss(db: Db, tenant: TenantId, { id, issuerId }: Client, { at, changed }: ApprovalLost): Promise<void> {
  const kind = 'client.approval_lost'
  await insertAuditEvent(db, tenant, { at, kind, issuerId, clientId: id, detail: { changed } })
  await announce(db, tenant, { at, kind, about: id, by: undefined })
}
