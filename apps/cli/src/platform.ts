/** What broker and worker share in one process: database, keys, clock, log, metrics. */
import { createWriteStream } from 'node:fs'
import { type Random, systemRandom } from '@drawbridge/crypto/random'
import type { Sealer } from '@drawbridge/crypto/seal'
import type { Clock } from '@drawbridge/runtime/clock'
import { offsetClock, systemClock } from '@drawbridge/runtime/clock'
import type { Settings } from '@drawbridge/runtime/env'
import { createLog, type Log } from '@drawbridge/runtime/log'
import { createMetrics, type Metrics } from '@drawbridge/runtime/metrics'
import { type ChangeChannel, listen } from '@drawbridge/store/changes'
import { createDatabase, type Database } from '@drawbridge/store/database'
import { ensureInstallation, findInstallation, type Installation, type InstallationKind } from '@drawbridge/store/installation'
import { holdToMasterKeys, openSealer } from './master-keys.js'
import { createHistoryWatch, type HistoryWatch, holdAnew, holdToHistory } from './timeline.js'

export type Platform = {
  readonly settings: Settings
  readonly installation: Installation
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  /** Sets the lab's offset in this process; other processes hear of it from the database. */
  setClockOffset(offsetMs: number): void
  /** Called when a tenant's configuration may have changed; undefined: any. */
  onConfigurationChange(hear: (tenantId: string | undefined) => void): void
  close(): Promise<void>
}

export type PlatformOptions = {
  /** Written when the database is new. An existing one must be of this kind. */
  readonly kind: InstallationKind
  readonly logFile?: string
  /** Only `drawbridge recover` opens a database whose history is in doubt. */
  readonly isRecovering?: boolean
  /** What happens when the database turns out to have lost history while this process runs. Default: it stops, as if told to. */
  readonly onLostHistory?: () => void
}

/** Connections that listen and the queue are outside the pools; the rest of the budget is theirs. */
const outsidePools = 6

export async function openPlatform(settings: Settings, options: PlatformOptions): Promise<Platform> {
  const { databaseUrl } = settings
  if (!databaseUrl) throw new Error('DATABASE_URL is missing')
  const log = createLog({
    level: settings.logLevel,
    ...(options.logFile === undefined ? {} : { destination: createWriteStream(options.logFile, { flags: 'a', mode: 0o600 }) }),
  })
  const url = databaseUrl.reveal()
  const history = createHistoryWatch()
  const database = createDatabase({
    url,
    admit: history.admit,
    connectionBudget: Math.max(4, settings.connectionBudget - outsidePools),
    onError: (error) => log.warn({ cause: error.message }, 'an idle database connection broke'),
  })
  try {
    const random = systemRandom()
    const installation = await ensureInstallation(database, { kind: options.kind, installationId: random.uuid(), now: systemClock().now() })
    refuseOtherKind(installation.kind, options.kind)
    const sealer = await openSealer(settings, installation.installationId, random)
    tellOfKms(settings, log)
    await holdToMasterKeys({ database, sealer, installationId: installation.installationId, now: systemClock().now() })
    if (!options.isRecovering) {
      const held = { settings, kind: installation.kind, clock: systemClock(), log }
      const stop = options.onLostHistory ?? (() => process.kill(process.pid, 'SIGTERM'))
      history.begin(await holdToHistory({ ...held, database }), {
        look: () => holdAnew({ ...held, url }),
        onLost: (error) => {
          log.error({ cause: error.message }, 'the database has lost history; this process stops')
          stop()
        },
        onFailed: (error) =>
          log.warn({ cause: error instanceof Error ? error.message : String(error) }, 'could not look at the history of the database'),
      })
    }
    return await assemble({ settings, installation, database, log, random, sealer, history })
  } catch (error) {
    await history.close()
    await database.close()
    throw error
  }
}

/** The KMS's own trail says who asked; ours says which process it was for. */
function tellOfKms({ kmsKey, wrappedMasterKeys }: Settings, log: Log): void {
  if (kmsKey === undefined || wrappedMasterKeys.length === 0) return
  log.info({ key: kmsKey.arn, versions: wrappedMasterKeys.map(({ version }) => version) }, 'the KMS unwrapped the master keys')
}

/** Lab and demonstration are properties of the database: security.md §13 of the design, ADR 0004. */
export function refuseOtherKind(found: InstallationKind, wanted: InstallationKind): void {
  if (found === wanted) return
  throw new Error(
    `this database is a ${found} installation and can never become a ${wanted} one: choose another database (DATABASE_URL, or DRAWBRIDGE_DATA_DIRECTORY for an embedded one)`,
  )
}

type Parts = Pick<Platform, 'settings' | 'installation' | 'database' | 'log' | 'random' | 'sealer'>

async function assemble({ history, ...parts }: Parts & { readonly history: HistoryWatch }): Promise<Platform> {
  const { installation, database, log } = parts
  let offsetMs = installation.labClockOffsetMs
  const hearers: ((tenantId: string | undefined) => void)[] = []
  const readOffset = async () => {
    if (installation.kind === 'lab') offsetMs = (await findInstallation(database))?.labClockOffsetMs ?? offsetMs
  }
  const channels: readonly ChangeChannel[] = ['drawbridge_changes']
  const listening = await listen(database, {
    channels,
    onChange: ({ payload }) => {
      if (payload === 'installation') void readOffset().catch(() => undefined)
      else for (const hear of hearers) hear(payload)
    },
    onGap: () => {
      // A failover may lie between the two connections.
      history.look()
      void readOffset().catch(() => undefined)
      for (const hear of hearers) hear(undefined)
    },
    onError: (error) => log.warn({ cause: error.message }, 'not listening for changes; trying again'),
  })
  return {
    ...parts,
    clock: offsetClock(systemClock(), () => offsetMs),
    metrics: createMetrics(),
    setClockOffset: (ms) => {
      offsetMs = ms
    },
    onConfigurationChange: (hear) => void hearers.push(hear),
    close: async () => {
      await listening.close()
      await history.close()
      await database.close()
    },
  }
}
