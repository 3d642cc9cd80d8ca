/**
 * Records what policy decided on logins, for tenants that want it, behind the logins' back.
 *
 * A record is a sample that policies are tried on, not evidence: the audit trail is that. So no login waits for it and none fails by it. It is
 * written after the answer, by at most one connection of this process; logins that come while one statement runs are written by the next,
 * together. Where the database is slower than logins come, or is away, what comes beyond a named number of waiting logins is lost, and so is
 * what waits when the process is killed. Every loss but the last is counted.
 */
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import type { PolicyInput } from '@drawbridge/core/policy/input'
import { recordedLoginId, recordedLoginLimits, recordLogin } from '@drawbridge/core/policy/recorded-login'
import type { AuthorizationRequestId, RecordedLoginId, SubjectId } from '@drawbridge/core/tenant/ids'
import type { Sealer } from '@drawbridge/crypto/seal'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { Database } from '@drawbridge/store/database'
import { keepRecordedLogins, type StoredLogin } from '@drawbridge/store/recorded-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'

export type DecidedLogin = {
  readonly tenant: Pick<ResolvedTenant, 'id' | 'recordsLogins' | 'policyVersion'>
  readonly requestId: AuthorizationRequestId
  readonly subjectId: SubjectId
  readonly input: PolicyInput
  readonly decision: PolicyDecision
}

export type LoginRecorder = {
  /** Returns at once and never throws. */
  record(login: DecidedLogin): void
  /** When everything that waits now has been written, or lost. */
  settled(): Promise<void>
}

export type LoginRecorderDeps = {
  readonly database: Database
  readonly sealer: Sealer
  readonly metrics: Metrics
  readonly log: Log
  readonly installation: { readonly id: string }
}

export function createLoginRecorder(deps: LoginRecorderDeps): LoginRecorder {
  // By id: whatever is decided again on a login that still waits takes its place.
  const waiting = new Map<RecordedLoginId, DecidedLogin>()
  let writing: Promise<void> | undefined
  const count = (outcome: 'kept' | 'unwanted' | 'too_many' | 'too_large' | 'failed', logins: number) =>
    logins > 0 && deps.metrics.count('drawbridge_recorded_logins_total', { outcome }, logins)

  const takeBatch = (): readonly DecidedLogin[] => {
    const [first] = waiting.values()
    const batch = [...waiting].filter(([, { tenant }]) => tenant.id === first?.tenant.id).slice(0, recordedLoginLimits.perWrite)
    for (const [id] of batch) waiting.delete(id)
    return batch.map(([, login]) => login)
  }
  const write = async (batch: readonly DecidedLogin[]): Promise<void> => {
    try {
      const rows = batch.flatMap((login) => toRow(deps, login) ?? [])
      count('too_large', batch.length - rows.length)
      const tenant = batch[0]?.tenant.id
      if (tenant === undefined || rows.length === 0) return
      const kept = await inTenant(deps.database, tenant, (db) => keepRecordedLogins(db, tenant, rows))
      count('kept', kept)
      count('unwanted', rows.length - kept)
    } catch (cause) {
      count('failed', batch.length)
      deps.log.warn({ logins: batch.length, cause: cause instanceof Error ? cause.message : 'unknown' }, 'logins were not recorded')
    }
  }
  const writeAll = async (): Promise<void> => {
    while (waiting.size > 0) await write(takeBatch())
    writing = undefined
  }
  return {
    record: (login) => {
      if (!login.tenant.recordsLogins) return
      const id = idOf(login)
      if (waiting.size >= recordedLoginLimits.waiting && !waiting.has(id)) return void count('too_many', 1)
      waiting.set(id, login)
      // Not even sealing is done before the answer is on its way.
      writing ??= new Promise((resolve) => setImmediate(() => resolve(writeAll())))
    },
    settled: async () => {
      while (writing !== undefined) await writing
    },
  }
}

const idOf = ({ requestId, input }: DecidedLogin): RecordedLoginId => recordedLoginId(requestId, input.request.stepUpsDone)

/** `undefined`: it is larger than the limit. */
function toRow(deps: LoginRecorderDeps, login: DecidedLogin): StoredLogin | undefined {
  const { tenant, subjectId, input, decision } = login
  const octets = Buffer.from(JSON.stringify(recordLogin(input, decision)), 'utf8')
  if (octets.byteLength > recordedLoginLimits.octets) return undefined
  const id = idOf(login)
  return {
    id,
    at: input.now,
    connectionId: input.identity.connectionId,
    subjectId,
    clientId: input.client.id,
    outcome: decision.kind,
    policyVersion: tenant.policyVersion,
    sealed: deps.sealer.seal(octets, sealContextOf({ deps, tenant }, 'recorded_logins', 'sealed', id)),
  }
}
