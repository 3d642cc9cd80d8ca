/**
 * Notices that are still owed and were signed by a key that has been condemned since: no receiver believes them as they are, and none may be taken
 * for refused because of that.
 */
import { kidOf } from '@drawbridge/core/signals/event-stream'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { AcrossDb } from './transaction.js'

export type SigningIssuer = { readonly tenant: TenantId; readonly id: IssuerId }
export type HeldNotice = { readonly tenantId: TenantId; readonly resourceId: string; readonly position: number; readonly token: string }

/** Of every resource with an event stream of this issuer, in the order of their keys, beyond `after`; at most `limit`. */
export async function listNoticesOfKey(
  db: AcrossDb,
  issuer: SigningIssuer,
  asked: { readonly kid: string; readonly after: Pick<HeldNotice, 'resourceId' | 'position'> | undefined; readonly limit: number },
): Promise<readonly HeldNotice[]> {
  const found: HeldNotice[] = []
  for (let after = asked.after; found.length < asked.limit; ) {
    const { rows } = await db.query<HeldNotice>(
      `SELECT n.tenant_id AS "tenantId", n.resource_id AS "resourceId", n.position, n.token FROM notices n
        WHERE n.issuer_tenant_id = $1 AND n.issuer_id = $2 AND (n.resource_id, n.position) > ($3::uuid, $4::bigint)
          AND n.resource_id IN (SELECT resource_id FROM event_streams WHERE issuer_tenant_id = $1 AND issuer_id = $2)
        ORDER BY n.resource_id, n.position LIMIT $5`,
      [issuer.tenant, issuer.id, after?.resourceId ?? firstId, after?.position ?? -1, asked.limit],
    )
    found.push(...rows.filter(({ token }) => kidOf(token) === asked.kid))
    after = rows.at(-1)
    if (rows.length < asked.limit) break
  }
  return found
}
const firstId = '00000000-0000-0000-0000-000000000000'

/** The same words, by another key. */
export async function replaceNoticeTokens(db: AcrossDb, notices: readonly HeldNotice[]): Promise<void> {
  await db.query(
    `UPDATE notices SET token = anew.token FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS anew (tenant_id, resource_id, position, token)
      WHERE notices.tenant_id = anew.tenant_id AND notices.resource_id = anew.resource_id AND notices.position = anew.position`,
    [
      notices.map(({ tenantId }) => tenantId),
      notices.map(({ resourceId }) => resourceId),
      notices.map(({ position }) => position),
      notices.map(({ token }) => token),
    ],
  )
}

/** Which of these tokens a condemned key of the issuer signed. */
export async function findSignedByCondemned(db: AcrossDb, issuer: SigningIssuer, tokens: readonly string[]): Promise<ReadonlySet<string>> {
  const kids = tokens.map((token) => kidOf(token) ?? '')
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND state = 'compromised' AND id = ANY ($3::text[])`,
    [issuer.tenant, issuer.id, kids],
  )
  const condemned = new Set(rows.map(({ id }) => id))
  return new Set(tokens.filter((token) => condemned.has(kidOf(token) ?? '')))
}
