/** A draft becomes the connection whose id it has had all along; the secret is sealed anew, to the connection's row. */
import { addSeconds } from '@drawbridge/core/instant'
import { markDraft, type StoredDraft } from '@drawbridge/store/connection-drafts'
import { insertConnection } from '@drawbridge/store/connections'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import { sealContextOf } from '../../http/seal-context.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import { keepSource } from '../connection-draft.js'
import { ensureKeysFor } from '../key-change.js'
import { sealConnectionSecret } from '../new-key.js'

/** How long a decided draft is shown, and how long one waits for a decision. */
export const keepDraftSeconds = 60 * 86_400

/** In the transaction that holds the tenant's set-up lock and the draft's row. */
export async function activateDraft(db: Db, deps: BrokerDeps, tenant: ResolvedTenant, { id, content }: StoredDraft): Promise<void> {
  if (!content) throw new Error('invariant broken: an empty draft is never activated')
  const { kind, name, configuration, source } = content
  const now = deps.clock.now()
  await insertConnection(db, tenant.id, {
    id,
    kind,
    name,
    configuration,
    sealedSecret: resealed(deps, tenant, id, content.sealedSecret),
    now,
  })
  if (source) await keepSource(db, deps, tenant.id, id, { source })
  await ensureKeysFor(db, deps, tenant, { kind, configuration })
  await markDraft(db, tenant.id, id, { state: 'activated', now, expiresAt: addSeconds(now, keepDraftSeconds) })
}

function resealed(deps: BrokerDeps, tenant: ResolvedTenant, id: string, sealed: Buffer | undefined): Buffer | undefined {
  if (sealed === undefined) return undefined
  const opened = deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'connection_drafts', 'sealed_secret', id))
  if (!opened.ok) throw new Error('invariant broken: the secret of a draft does not open')
  return sealConnectionSecret(deps, tenant.id, id, opened.value.toString('utf8'))
}
