/** What event streams still owe and a key had signed that is believed no longer: the same words, by the key that is active now, or no receiver would believe them. */
import { claimsOfNotice } from '@drawbridge/core/signals/event-stream'
import { type HeldNotice, listNoticesOfKey, replaceNoticeTokens } from '@drawbridge/store/condemned-notices'
import type { AcrossDb } from '@drawbridge/store/transaction'
import type { JobDeps, OpenSigner } from './deps.js'

/** Read and signed at once. */
const signedAtOnce = 1000

/** In the transaction that holds the resources of the issuer. */
export async function signAnew(
  deps: Pick<JobDeps, 'openNoticeSigner'>,
  db: AcrossDb,
  issuer: Parameters<OpenSigner>[1],
  kid: string,
): Promise<void> {
  const sign = await deps.openNoticeSigner(db, issuer)
  let after: HeldNotice | undefined
  do {
    const held = await listNoticesOfKey(db, issuer, { kid, after, limit: signedAtOnce })
    await replaceNoticeTokens(
      db,
      held.map((notice) => ({ ...notice, token: sign(claimsOfNotice(notice.token)) })),
    )
    after = held.at(-1)
  } while (after !== undefined)
}
