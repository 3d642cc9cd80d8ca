/** The embedded PostgreSQL of one data directory, migrated, with its secrets beside it. */
import { join, resolve } from 'node:path'
import { Secret } from '@drawbridge/core/secret'
import { systemRandom } from '@drawbridge/crypto/random'
import type { Settings } from '@drawbridge/runtime/env'
import { makeDataParent, startEmbeddedPostgres } from '@drawbridge/store/embedded-postgres'
import { migrate } from './migrate.js'
import { ensureSecrets } from './secrets-file.js'

export type EmbeddedDatabase = {
  /** The settings with database and master key filled in. */
  readonly settings: Settings
  readonly port: number
  /** Where the database's files really rest. */
  readonly dataDirectory: string
  readonly isNew: boolean
  stop(): Promise<void>
  /** Stops the server only if this call started it: a running `drawbridge start` keeps its own. */
  stopIfOurs(): Promise<void>
}

const databaseName = 'drawbridge'
const runtimeRole = 'drawbridge_runtime'

const hasKeys = ({ masterKeys, wrappedMasterKeys }: Settings): boolean => masterKeys.length + wrappedMasterKeys.length > 0

export async function openEmbeddedDatabase(settings: Settings): Promise<EmbeddedDatabase> {
  const folder = resolve(settings.dataDirectory)
  makeDataParent(folder)
  // Lab and demonstration never share a database (security.md §13).
  const flavour = settings.lab ? 'lab' : 'demo'
  const secrets = ensureSecrets(join(folder, `${flavour}-secrets.json`), systemRandom())
  const server = await startEmbeddedPostgres({
    dataDirectory: join(folder, `${flavour}-database`),
    port: settings.embeddedDatabasePort,
    durable: true,
    password: secrets.ownerPassword,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  })
  try {
    const runtimeUrl = new URL(server.url(databaseName))
    runtimeUrl.username = runtimeRole
    runtimeUrl.password = secrets.runtimePassword
    const applied = await migrate(server.url(databaseName), runtimeUrl.href)
    return {
      settings: {
        ...settings,
        databaseUrl: new Secret(runtimeUrl.href),
        masterKeys: hasKeys(settings) ? settings.masterKeys : secrets.masterKeys,
      },
      port: server.port,
      dataDirectory: server.dataDirectory,
      isNew: applied.includes('0001_tables'),
      stop: () => server.stop(),
      stopIfOurs: () => (server.adopted ? Promise.resolve() : server.stop()),
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}
