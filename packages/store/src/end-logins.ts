/**
 * The end of the logins that one browser has under way, when its person signs out: many IdPs name each login anew, so that no name of the session
 * that ends says which others are hers. What has been parked for one of them is for nothing.
 *
 * A login that is being believed at that moment holds its trip, and is waited for. It may have opened a session in place of the one whose cookie the
 * sign-out brings: by its trips the browser's sessions are found, whichever cookie came last.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { BrowserSessionId, CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, judged, toTimestamp } from './transaction.js'

/** A login ends the session before it in the same browser: only those that came home in the same moment are open side by side. */
export const loginEndLimits = { sessions: 20 } as const

type OfBrowser = { readonly tenant: TenantId; readonly browserHash: CredentialHash; readonly now: Instant }

/**
 * Call it before anything else of the end is locked: a login locks its trip first, too. Whatever time a trip still has: by the clock of another
 * replica it may have more. A test opens nothing, and goes on.
 */
export async function endLoginsUnderWay(db: Db, { tenant, browserHash, now }: OfBrowser): Promise<void> {
  await db.query(
    `WITH open AS MATERIALIZED (
       SELECT id FROM login_requests WHERE tenant_id = $1 AND browser_hash = $2 AND purpose IN ('login', 'enrol') AND consumed_at IS NULL
       ORDER BY id FOR NO KEY UPDATE)
     UPDATE login_requests AS l SET consumed_at = $3 FROM open WHERE l.tenant_id = $1 AND l.id = open.id`,
    [tenant, browserHash, toTimestamp(now)],
  )
}

/** The latest first. */
export async function listOpenSessionsOfBrowser(db: Db, { tenant, browserHash, now }: OfBrowser): Promise<readonly BrowserSessionId[]> {
  const { rows } = await db.query<{ id: BrowserSessionId }>(
    `SELECT b.id FROM login_requests AS l JOIN browser_sessions AS b ON b.tenant_id = $1 AND b.id = l.session_id
     WHERE l.tenant_id = $1 AND l.browser_hash = $2 AND b.ended_at IS NULL AND ${judged('b.expires_at > $3')}
     ORDER BY l.began_nth DESC NULLS LAST LIMIT $4`,
    [tenant, browserHash, toTimestamp(now), loginEndLimits.sessions],
  )
  return rows.map(({ id }) => id)
}
