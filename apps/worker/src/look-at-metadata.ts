/**
 * One look at the metadata of one connection: fetch, judge, write.
 *
 * The fetch is outside of any transaction. What it brought is judged against the connection as it then is, with its row locked, so an
 * admin who writes meanwhile is neither overwritten nor misjudged. Whatever happens is noted, and the next look is spread by chance.
 */
import { ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { AuditEvent } from '@drawbridge/store/audit-events'
import { lockConnection, type StoredConnection, updateConnection } from '@drawbridge/store/connections'
import {
  type DueMetadata,
  findMetadataSource,
  type MetadataNote,
  noteMetadata,
  type StoredMetadataSource,
} from '@drawbridge/store/metadata-sources'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import { type FetchedMetadata, fetchMetadata } from '@drawbridge/upstream/saml/metadata-fetch'
import type { MetadataFinding } from '@drawbridge/upstream/saml/metadata-findings'
import { endOverlap, type Held, judgeRefresh, type Settled } from '@drawbridge/upstream/saml/metadata-refresh'
import { overlapEndOf } from '@drawbridge/upstream/saml/metadata-rollover'
import { drawChance, nextLookAt } from '@drawbridge/upstream/saml/metadata-schedule'
import type { JobDeps } from './deps.js'
import { tellTenant } from './tell-tenant.js'

/** So many failures in a row are told. One is the weather. */
export const failuresUntilTold = 3

/** `undefined`: it was given by hand, and there is nothing to fetch. */
type Got = Result<FetchedMetadata | undefined, MetadataFinding>
type Look = { readonly source: StoredMetadataSource; readonly stored: StoredConnection; readonly active: SamlConnection; readonly got: Got }

export async function lookAtMetadata(deps: JobDeps, { tenantId, connectionId }: DueMetadata): Promise<void> {
  const source = await inTenant(deps.database, tenantId, (db) => findMetadataSource(db, tenantId, connectionId))
  if (source === undefined) return
  const got: Got = source.url === undefined ? ok(undefined) : await fetchMetadata(deps.fetchSafely, source.url, source.etag)
  const outcome = await inTenant(deps.database, tenantId, (db) => writeDown(deps, db, { tenantId, connectionId }, source, got))
  if (outcome !== undefined) deps.metrics.count('drawbridge_metadata_looks_total', { outcome })
}

async function writeDown(deps: JobDeps, db: Db, { tenantId, connectionId }: DueMetadata, before: StoredMetadataSource, got: Got) {
  const stored = await lockConnection(db, tenantId, connectionId)
  const source = await findMetadataSource(db, tenantId, connectionId)
  if (stored === undefined || source === undefined || isOvertaken(before, source)) return undefined
  const parsed = parseConnection(stored.kind, stored.configuration)
  if (!parsed.ok || parsed.value.kind !== 'saml') return undefined
  const { note, configuration, told } = decide(deps, { source, stored, active: parsed.value, got })
  if (configuration !== undefined) await updateConnection(db, tenantId, connectionId, { name: stored.name, configuration })
  for (const line of told) await tell(deps, db, tenantId, connectionId, line)
  await noteMetadata(db, tenantId, connectionId, note)
  return note.outcome
}

/** Another address or another document since: what was fetched may be older, with a key that an admin took away, and the new one has its own time. */
const isOvertaken = (before: StoredMetadataSource, now: StoredMetadataSource): boolean =>
  now.url !== before.url || now.digest !== before.digest || now.fetchedAt !== before.fetchedAt

type Told = Pick<AuditEvent, 'kind' | 'reason' | 'detail'>
type Decision = { readonly note: MetadataNote; readonly configuration?: unknown; readonly told: readonly Told[] }

function decide(deps: JobDeps, look: Look): Decision {
  const { source, active, got } = look
  const now = deps.clock.now()
  if (!got.ok) return failed(deps, look, got.error)
  const { url, withdrawn, signedBy, pinnedCertificates: pinned } = source
  if (got.value?.kind !== 'document')
    return settle(deps, look, endOverlap({ active, withdrawn, now }), { digest: source.digest ?? '', etag: source.etag, signedBy })
  const verdict = judgeRefresh({ active, document: got.value.document, url, pinned, signedBy, withdrawn, now })
  if (verdict.kind === 'held') return hold(deps, look, verdict)
  return settle(deps, look, verdict, { digest: verdict.digest, etag: got.value.etag, signedBy: verdict.signedBy })
}

function settle(deps: JobDeps, look: Look, settled: Settled, used: NonNullable<MetadataNote['used']>): Decision {
  const { kind: outcome, withdrawn } = settled
  const nextFetchAt = nextAfter(deps, look.source, withdrawn)
  return { note: { outcome, withdrawn, used, failures: 0, nextFetchAt, now: deps.clock.now() }, ...written(look, settled) }
}

/** What a rollover changes: the configuration, and the line that says so. */
function written({ source, stored }: Look, settled: Settled): Omit<Decision, 'note'> {
  if (settled.kind === 'unchanged') return { told: [] }
  const configuration = { ...(stored.configuration as object), ...settled.configuration }
  return { configuration, told: [{ kind: 'connection.metadata_refreshed', detail: { url: source.url, change: settled.change } }] }
}

/** Given by hand, nothing is fetched: only the end of an overlap is waited for. */
function nextAfter(deps: JobDeps, source: StoredMetadataSource, withdrawn: MetadataNote['withdrawn']): MetadataNote['nextFetchAt'] {
  if (source.url !== undefined) return nextLookAt(deps.clock.now(), 0, drawChance(deps.random))
  const ends = withdrawn.map(({ at }) => overlapEndOf(at))
  return ends.length === 0 ? undefined : ends.reduce((one, other) => (one < other ? one : other))
}

/** Told once per document. A withdrawn key goes in its time all the same: whoever spoils the document must not keep it trusted. */
function hold(deps: JobDeps, look: Look, { digest, reason, findings, change }: Held & { readonly digest: string }): Decision {
  const { source, active } = look
  const now = deps.clock.now()
  const rollover = endOverlap({ active, withdrawn: source.withdrawn, now })
  const nextFetchAt = nextLookAt(now, 0, drawChance(deps.random))
  const common = { outcome: 'held', outcomeReason: reason, held: { digest, change }, failures: 0 } as const
  const isKnown = source.heldDigest === digest && source.outcomeReason === reason
  const told: readonly Told[] = isKnown
    ? []
    : [{ kind: 'connection.metadata_held', reason, detail: { url: source.url, digest, findings, change } }]
  const ended = written(look, rollover)
  return { ...ended, note: { ...common, withdrawn: rollover.withdrawn, nextFetchAt, now }, told: [...told, ...ended.told] }
}

function failed(deps: JobDeps, look: Look, finding: MetadataFinding): Decision {
  const { source, active } = look
  const now = deps.clock.now()
  const failures = source.failures + 1
  const rollover = endOverlap({ active, withdrawn: source.withdrawn, now })
  const note: MetadataNote = {
    outcome: 'failed',
    outcomeReason: finding.code,
    ...(source.heldDigest !== undefined && { held: { digest: source.heldDigest, change: source.heldChange } }),
    withdrawn: rollover.withdrawn,
    failures,
    nextFetchAt: nextLookAt(now, failures, drawChance(deps.random)),
    now,
  }
  const detail = { url: source.url, failures, ...finding.detail }
  const told: readonly Told[] = failures === failuresUntilTold ? [{ kind: 'connection.metadata_failed', reason: finding.code, detail }] : []
  const ended = written(look, rollover)
  return { ...ended, note, told: [...told, ...ended.told] }
}

const tell = (deps: JobDeps, db: Db, tenant: TenantId, connectionId: ConnectionId, told: Told): Promise<void> =>
  tellTenant(db, tenant, { ...told, at: deps.clock.now(), connectionId })
