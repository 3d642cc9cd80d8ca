/** Grants that were opened by an exchange, and the end of what a permission had allowed. */
import type { Instant } from '@drawbridge/core/instant'
import type { ExchangePermission } from '@drawbridge/core/oauth/exchange-permission'
import type { IssuerKind, TenantId } from '@drawbridge/core/tenant/ids'
import { endGrants } from './end-grants.js'
import type { Db } from './transaction.js'

export type PermissionsLost = {
  readonly lost: readonly ExchangePermission[]
  readonly now: Instant
  readonly requestId: string | undefined
}

/** Nobody opens a grant by an exchange before this transaction ends, and whoever was about to decides again. Call it before anything is read or changed. */
export const holdExchanges = (db: Db, tenant: TenantId): Promise<unknown> =>
  db.query(`SELECT pg_advisory_xact_lock(hashtextextended('exchange:' || $1::uuid::text, 0))`, [tenant])

/** Ends what these permissions opened and what was opened from that; answers how many. Follows `holdExchanges`. */
export async function endExchangedGrants(db: Db, tenant: TenantId, { lost, now, requestId }: PermissionsLost): Promise<number> {
  if (lost.length === 0) return 0
  const which = {
    sql: `ancestors <> '{}' AND (client_id, audience) IN (SELECT * FROM unnest($6::text[], $7::text[]))
      AND EXISTS (SELECT 1 FROM grants old JOIN issuers spoken ON spoken.tenant_id = $1 AND spoken.id = old.issuer_id
        WHERE old.tenant_id = $1 AND old.id = grants.ancestors[1]
          AND (grants.client_id, old.audience, grants.audience, spoken.kind) IN (SELECT * FROM unnest($6::text[], $8::text[], $7::text[], $9::text[])))`,
    parameters: [
      ...[lost.map(({ client }) => client), lost.map(({ to }) => to), lost.map(({ from }) => from)],
      lost.map(({ at }): IssuerKind => (at === 'front' ? 'front_member' : 'tenant')),
    ],
  }
  return endGrants(db, tenant, { which, source: 'admin', reason: 'exchange_no_longer_allowed', now, requestId })
}
