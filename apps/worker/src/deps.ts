/** What the worker is given. The composition root makes it; nothing in here reads the environment, the clock or chance by itself. */
import type { Issuer, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'
import type { SealContext, Sealer } from '@drawbridge/crypto/seal'
import type { Clock } from '@drawbridge/runtime/clock'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { MetricsAccess } from '@drawbridge/runtime/metrics-access'
import type { SendMail } from '@drawbridge/runtime/send-mail'
import type { ResolveTxt } from '@drawbridge/runtime/txt-resolver'
import type { Database } from '@drawbridge/store/database'
import type { AcrossDb } from '@drawbridge/store/transaction'

/** What signs as this issuer, inside the transaction that writes them: by the key that is active then, looked for once. */
export type OpenSigner = (
  db: AcrossDb,
  issuer: { readonly tenant: TenantId; readonly id: IssuerId; readonly url: Issuer },
) => Promise<(claims: Readonly<Record<string, unknown>>) => string>

/** Opens what rests sealed in a row of this tenant. Throws where no key of ours opens it. */
export type OpenSealed = (sealed: Buffer, place: Omit<SealContext, 'installation'>) => Buffer

/** What a job's handler sees. */
export type JobDeps = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly database: Database
  readonly openNoticeSigner: OpenSigner
  readonly openLogoutSigner: OpenSigner
  readonly openSealed: OpenSealed
  readonly sealer: Sealer
  /** The installation's id, part of what sealed values are bound to. */
  readonly installationId: string
  /** How long a key signs before its successor takes over. Absent: age rotates nothing. */
  readonly signingKeyAgeSeconds?: number
  /** How long evidence is kept. Absent: as `event-retention` has it. */
  readonly receiversKeepSeconds?: number
  readonly eventKeepSeconds?: number
  /** The only way out. */
  readonly fetchSafely: FetchSafely
  readonly resolveTxt: ResolveTxt
  /** Absent: no mail server is configured, and announcements wait. */
  readonly mail?: { readonly send: SendMail; readonly origin: string }
}

export type WorkerDeps = Omit<JobDeps, 'openNoticeSigner' | 'openLogoutSigner' | 'openSealed'> & {
  readonly queue: QueueSettings
  /** Who may read the figures. */
  readonly metricsAccess: MetricsAccess
  /** Health and metrics. 0: any free port. */
  readonly host: string
  readonly port: number
}

export type QueueSettings = {
  /** PostgreSQL of the queue; used when there is no Redis. */
  readonly databaseUrl: string
  readonly redisUrl?: string
  /** One queue per installation; tests choose their own. */
  readonly name?: string
  /** Connections of the queue's own pool, part of the process's budget. */
  readonly maxConnections?: number
  readonly concurrency?: number
  /** How often it is asked whether it still knows what recurs. */
  readonly scheduleCheckMs?: number
}
