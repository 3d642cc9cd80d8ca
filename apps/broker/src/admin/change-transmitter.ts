/**
 * What a connection believes of its transmitter of security events, changed by the set-up of a stream: by which name it calls us, and by which bearer
 * tokens it may come. Whoever changes it says so in the trail, in the same transaction.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { lockConnection, updateConnection } from '@drawbridge/store/connections'
import type { Db } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'

/** As it is written, not as it is read: what an admin left out stays left out. */
export type WrittenTransmitter = Readonly<Record<string, unknown>>
export type ChangeRefusal = 'not_found' | 'signals_not_configured' | { readonly trouble: StreamTrouble }
type Change = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly change: (ssf: WrittenTransmitter) => WrittenTransmitter
}

/** For the trail: no member that is as it was. Of the tokens only that they changed. */
export type ChangedTransmitter = { readonly pushTokens?: true; readonly audience?: string; readonly audienceBefore?: string | null }

/** Refused, nothing is written. */
export async function changeTransmitter(
  db: Db,
  { tenant, connectionId, change }: Change,
): Promise<Result<ChangedTransmitter, ChangeRefusal>> {
  const stored = await lockConnection(db, tenant, connectionId)
  if (stored === undefined) return err('not_found')
  const configuration = stored.configuration as Readonly<Record<string, unknown>>
  const before = configuration['ssf'] as WrittenTransmitter | undefined
  if (before === undefined) return err('signals_not_configured')
  const after = change(before)
  const changed = { ...configuration, ssf: after }
  if (!parseConnection(stored.kind, changed).ok) return err({ trouble: 'transmitter_named_unusably' })
  const what = compare(before, after)
  if (Object.keys(what).length > 0) await updateConnection(db, tenant, connectionId, { name: stored.name, configuration: changed })
  return ok(what)
}

function compare(before: WrittenTransmitter, after: WrittenTransmitter): ChangedTransmitter {
  const isOtherTokens = JSON.stringify(pushTokensOf(before)) !== JSON.stringify(pushTokensOf(after))
  const named =
    before['audience'] === after['audience']
      ? {}
      : { audience: String(after['audience']), audienceBefore: (before['audience'] as string | undefined) ?? null }
  return { ...(isOtherTokens && { pushTokens: true as const }), ...named }
}

export const pushTokensOf = (ssf: WrittenTransmitter): readonly string[] =>
  Array.isArray(ssf['pushTokenSha256']) ? (ssf['pushTokenSha256'] as readonly string[]) : []

/** The newest first. Whatever breaks off, the oldest stay: among them is the one that the transmitter last took. */
export const withPushTokens = (ssf: WrittenTransmitter, pushTokenSha256: readonly string[]): WrittenTransmitter => ({
  ...ssf,
  pushTokenSha256,
})
