/** What the broker is given by whoever composes it. Nothing in here is reached in any other way. */
import type { Random } from '@drawbridge/crypto/random'
import type { Sealer } from '@drawbridge/crypto/seal'
import type { VerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Settings } from '@drawbridge/runtime/env'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { ResolveTxt } from '@drawbridge/runtime/txt-resolver'
import type { Database } from '@drawbridge/store/database'
import type { Connector } from '@drawbridge/upstream/connector'
import type { LoginRecorder } from './authorize/login-recorder.js'
import type { ClientCache } from './clients/client-cache.js'
import type { ConfigurationCache, ResolvedConnection, ResolvedTenant } from './http/tenant.js'

/** The installation's one row, read at start. */
export type InstallationFacts = { readonly id: string; readonly kind: 'production' | 'demo' | 'lab' }

export type BrokerDeps = {
  readonly settings: Settings
  readonly installation: InstallationFacts
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly database: Database
  readonly sealer: Sealer
  readonly configuration: ConfigurationCache
  readonly clients: ClientCache
  readonly logins: LoginRecorder
  /** Of access tokens that were brought here before. */
  readonly signatures: VerifiedSignatures
  readonly fetchSafely: FetchSafely
  readonly resolveTxt: ResolveTxt
  readonly connectorFor: (tenant: ResolvedTenant, connection: ResolvedConnection) => Connector | undefined
  /** Lab only: told the new offset after it was written. */
  readonly onLabClock?: (offsetMs: number) => void
}
