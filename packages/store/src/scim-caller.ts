/** Who speaks over SCIM, the lock under which its changes queue, and which names of its people are taken. */
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { Instant } from '@drawbridge/core/instant'
import type { ScimUserData } from '@drawbridge/core/scim/user'
import type { ConnectionId, ScimUserId, TenantId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import type { Db } from './transaction.js'

/** userName is compared without case: RFC 7643 §4.1.1. */
export const keyOf = (userName: string): string => userName.toLowerCase()

/** Whose directory speaks, when, and in which request. */
export type ScimCaller = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly now: Instant
  readonly requestId: string | undefined
  readonly newId: () => string
  /** Declared by the connection. Without it only externalId links, to the stable id. */
  readonly link?: SubjectLink | undefined
  /** The same of another connection. Absent: only the link value that a login kept tells (`elsewhere`). */
  readonly linkAt?: ((connection: ConnectionId) => SubjectLink | undefined) | undefined
  /** The attribute by which this directory names the end of somebody's access. Absent: it names none. */
  readonly endDate?: string | undefined
}

const directoryLock = keptStatement("SELECT pg_advisory_xact_lock(hashtextextended('scim:' || $1::text || $2::text, 0))")

/** First of all: changes of one connection queue here, and a login of it, which shares this lock (`hold_directory`), is written before or hears of them. */
export async function holdDirectory(db: Db, caller: Pick<ScimCaller, 'tenant' | 'connectionId'>): Promise<void> {
  await db.query(directoryLock, [caller.tenant, caller.connectionId])
}

const takenName =
  keptStatement(`SELECT 1 FROM scim_users WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL AND ($5::uuid IS NULL OR id <> $5)
   AND (user_name_key = $3 OR external_id = $4) LIMIT 1`)

/** True when another living user of this connection has this userName, or this externalId. */
export async function isTaken(
  db: Db,
  caller: ScimCaller,
  user: Pick<ScimUserData, 'userName' | 'externalId'>,
  except: ScimUserId | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query(takenName, [
    caller.tenant,
    caller.connectionId,
    keyOf(user.userName),
    user.externalId ?? null,
    except ?? null,
  ])
  return rowCount > 0
}
