// One throw-away PostgreSQL for the whole run, the migrated template that every test database is cloned from, and a folder for all files of the run.
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const built = new URL('../packages/store/dist/embedded-postgres.js', import.meta.url)

/** A file system in memory, where the system has one: nothing of a run is to be kept, and every write to a disk costs its journal, too. */
const inMemory = '/dev/shm'
/** Of that file system and of the memory: several times what a whole run holds at once. */
const roomBytes = 4 * 1024 ** 3

function folderForFiles() {
  if (process.platform !== 'linux' || !existsSync(inMemory)) return tmpdir()
  const { bavail, bsize } = statfsSync(inMemory)
  return bavail * bsize >= roomBytes && process.availableMemory() >= roomBytes ? inMemory : tmpdir()
}

/** Answers how to end it and remove its files. */
export default async function setUp() {
  if (!existsSync(built)) throw new Error('the packages are not built: run "npm test", or "npm run build" first')
  const { freePort, startEmbeddedPostgres } = await import(built.href)
  const { ensureRuntimeRole, migrateDatabase } = await import(new URL('../packages/store/dist/migrate.js', import.meta.url).href)
  const directory = mkdtempSync(join(folderForFiles(), 'drawbridge-test-'))
  chmodSync(directory, 0o755)
  process.env.TMPDIR = join(directory, 'tmp') // of the tests, too, and of what they start
  mkdirSync(process.env.TMPDIR)
  chmodSync(process.env.TMPDIR, 0o1777)
  process.env.DRAWBRIDGE_TEST_KEYS = join(directory, 'keys')
  mkdirSync(process.env.DRAWBRIDGE_TEST_KEYS, { mode: 0o700 })
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${new URL('test-keys.mjs', import.meta.url).href}`.trim()
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
