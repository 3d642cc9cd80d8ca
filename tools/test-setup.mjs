// One throw-away PostgreSQL for the whole run, and the migrated template that every test database is cloned from.
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const built = new URL('../packages/store/dist/embedded-postgres.js', import.meta.url)

/** Answers how to end it and remove its files. */
export default async function setUp() {
  if (!existsSync(built)) throw new Error('the packages are not built: run "npm test", or "npm run build" first')
  const { freePort, startEmbeddedPostgres } = await import(built.href)
  const { ensureRuntimeRole, migrateDatabase } = await import(new URL('../packages/store/dist/migrate.js', import.meta.url).href)
  const directory = mkdtempSync(join(tmpdir(), 'drawbridge-test-'))
  chmodSync(directory, 0o755)
  const server = await startEmbeddedPostgres({
    dataDirectory: join(directory, 'data'),
    port: await freePort(),
    durable: false,
    settings: { max_connections: 300, shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.max': 50_000 },
  })
  const ownerUrl = server.url('drawbridge_template')
  await migrateDatabase(ownerUrl)
  process.env.DRAWBRIDGE_TEST_OWNER_URL = ownerUrl
  process.env.DRAWBRIDGE_TEST_RUNTIME_URL = await ensureRuntimeRole(ownerUrl, {
    name: 'drawbridge_runtime',
    password: randomBytes(16).toString('hex'),
  })
  return async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
