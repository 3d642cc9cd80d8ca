/** Every setting of the product, in one table; `readEnv` reports all mistakes at once. `.env.example` is printed from here. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { type LogLevel, logLevels } from './log.js'

export type MasterKeySetting = { readonly version: number; readonly key: Secret }

export type Settings = {
  readonly production: boolean
  readonly lab: boolean
  readonly publicUrl: string
  readonly host: string
  readonly port: number
  readonly workerPort: number
  readonly simulatorPort: number
  readonly exampleServerPort: number
  readonly databaseUrl: Secret | undefined
  readonly databaseOwnerUrl: Secret | undefined
  readonly redisUrl: Secret | undefined
  readonly dataDirectory: string
  readonly embeddedDatabasePort: number
  readonly connectionBudget: number
  readonly masterKeys: readonly MasterKeySetting[]
  readonly currentMasterKey: number | undefined
  readonly logLevel: LogLevel
  readonly trustedProxyHops: number
  readonly rateLimitFactor: number
  readonly allowedOrigins: readonly string[]
  readonly metricsToken: Secret | undefined
}

export type SettingEntry<T> = {
  readonly name: string
  readonly description: string
  readonly example: string
  /** As it would be written in the environment; `undefined` means "not set", and the description says what that means. */
  readonly default: string | undefined
  readonly parse: (text: string | undefined) => Result<T, string>
}

const required =
  <T>(parse: (text: string) => Result<T, string>) =>
  (text: string | undefined) =>
    text === undefined ? err('is missing') : parse(text)
const optional =
  <T>(parse: (text: string) => Result<T, string>) =>
  (text: string | undefined): Result<T | undefined, string> =>
    text === undefined ? ok(undefined) : parse(text)

const flag = (text: string): Result<boolean, string> =>
  text === 'true' || text === 'false' ? ok(text === 'true') : err('must be true or false')
const whole =
  (from: number, to: number) =>
  (text: string): Result<number, string> =>
    /^\d{1,9}$/.test(text) && Number(text) >= from && Number(text) <= to
      ? ok(Number(text))
      : err(`must be a whole number from ${from} to ${to}`)
const port = whole(0, 65_535)
const plain = (text: string): Result<string, string> => ok(text)
const secretUrl =
  (...protocols: readonly string[]) =>
  (text: string): Result<Secret, string> =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol)
      ? ok(new Secret(text))
      : err(`must be a URL that begins with ${protocols.join('// or ')}//`)
/** An origin and nothing more: the issuer's path is ours to add. */
function origin(text: string): Result<string, string> {
  if (!URL.canParse(text)) return err('must be a URL')
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol)) return err('must begin with https:// (or http:// on loopback)')
  return url.origin === text ? ok(text) : err(`must be an origin without path, query or trailing slash, such as ${url.origin}`)
}
function origins(text: string): Result<readonly string[], string> {
  const list = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
  const bad = list.find((item) => !origin(item).ok)
  return bad === undefined ? ok(list) : err(`holds ${bad}, which is no origin`)
}
const level = (text: string): Result<LogLevel, string> =>
  (logLevels as readonly string[]).includes(text) ? ok(text as LogLevel) : err(`must be one of ${logLevels.join(', ')}`)
function masterKeys(text: string): Result<readonly MasterKeySetting[], string> {
  const keys: MasterKeySetting[] = []
  for (const item of text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')) {
    const match = /^([1-9]\d{0,5}):([A-Za-z0-9+/_-]{43}=?)$/.exec(item)
    if (!match) return err('must be a comma-separated list of <version>:<32 bytes in base64>')
    if (keys.some((key) => key.version === Number(match[1]))) return err(`names version ${match[1]} twice`)
    keys.push({ version: Number(match[1]), key: new Secret(match[2] as string) })
  }
  return ok(keys)
}

/** The table. A new setting is a new line here, in `Settings`, and nowhere else. */
export const settingEntries: { readonly [K in keyof Settings]: SettingEntry<Settings[K]> } = {
  production: {
    name: 'NODE_ENV',
    description: 'Set to "production" on a server that real people use: refuses lab, the simulator, plain http and generated keys.',
    example: 'production',
    default: 'development',
    parse: required((text) => ok(text === 'production')),
  },
  lab: {
    name: 'DRAWBRIDGE_LAB',
    description:
      'Lab mode for conformance suites and load tests: a movable clock, fetches to loopback. Only on a database made for it, only on loopback.',
    example: 'true',
    default: 'false',
    parse: required(flag),
  },
  publicUrl: {
    name: 'DRAWBRIDGE_PUBLIC_URL',
    description: 'The origin under which the world reaches the broker. Every issuer begins with it, so it can never change.',
    example: 'https://login.example.com',
    default: 'http://localhost:4400',
    parse: required(origin),
  },
  host: {
    name: 'DRAWBRIDGE_HOST',
    description: 'The address that the broker binds.',
    example: '0.0.0.0',
    default: '127.0.0.1',
    parse: required(plain),
  },
  port: {
    name: 'DRAWBRIDGE_PORT',
    description: 'The port that the broker binds.',
    example: '8080',
    default: '4400',
    parse: required(port),
  },
  workerPort: {
    name: 'DRAWBRIDGE_WORKER_PORT',
    description: 'The port of the worker for health and metrics, nothing else.',
    example: '9400',
    default: '4401',
    parse: required(port),
  },
  simulatorPort: {
    name: 'DRAWBRIDGE_SIMULATOR_PORT',
    description: 'The port of the simulator, a development tool; always on 127.0.0.1.',
    example: '4410',
    default: '4410',
    parse: required(port),
  },
  exampleServerPort: {
    name: 'DRAWBRIDGE_EXAMPLE_SERVER_PORT',
    description: 'The port of the example MCP server; always on 127.0.0.1.',
    example: '4420',
    default: '4420',
    parse: required(port),
  },
  databaseUrl: {
    name: 'DATABASE_URL',
    description: 'PostgreSQL to use. Not set: an embedded PostgreSQL is started in the data directory.',
    example: 'postgresql://drawbridge:…@db.internal:5432/drawbridge',
    default: undefined,
    parse: optional(secretUrl('postgresql:', 'postgres:')),
  },
  databaseOwnerUrl: {
    name: 'DATABASE_OWNER_URL',
    description: 'The same database as its owner, for `drawbridge migrate` only. Broker and worker run without it.',
    example: 'postgresql://drawbridge_owner:…@db.internal:5432/drawbridge',
    default: undefined,
    parse: optional(secretUrl('postgresql:', 'postgres:')),
  },
  redisUrl: {
    name: 'REDIS_URL',
    description: 'Redis for the job queue. Not set: the queue rests in PostgreSQL.',
    example: 'rediss://:…@redis.internal:6379',
    default: undefined,
    parse: optional(secretUrl('redis:', 'rediss:')),
  },
  dataDirectory: {
    name: 'DRAWBRIDGE_DATA_DIRECTORY',
    description: 'Where the embedded PostgreSQL keeps its files; the embedded master key rests beside the database, never inside.',
    example: '/var/lib/drawbridge',
    default: '.drawbridge',
    parse: required(plain),
  },
  embeddedDatabasePort: {
    name: 'DRAWBRIDGE_EMBEDDED_DATABASE_PORT',
    description: 'The port of the embedded PostgreSQL; always on 127.0.0.1.',
    example: '54329',
    default: '54329',
    parse: required(port),
  },
  connectionBudget: {
    name: 'DRAWBRIDGE_CONNECTION_BUDGET',
    description: 'How many PostgreSQL connections this process may hold in all its pools together.',
    example: '40',
    default: '20',
    parse: required(whole(6, 1000)),
  },
  masterKeys: {
    name: 'DRAWBRIDGE_MASTER_KEYS',
    description:
      'Master keys, newest version highest: everything secret in the database is sealed under them. Not set: the embedded start makes and keeps one.',
    example: '1:<32 random bytes in base64>',
    default: '',
    parse: required(masterKeys),
  },
  currentMasterKey: {
    name: 'DRAWBRIDGE_CURRENT_MASTER_KEY',
    description:
      'The version of DRAWBRIDGE_MASTER_KEYS that seals what is new; the others only open. Not set: the highest. Name the old one while a new key goes to every process.',
    example: '1',
    default: undefined,
    parse: optional(whole(1, 999_999)),
  },
  logLevel: {
    name: 'DRAWBRIDGE_LOG_LEVEL',
    description: 'How much is logged: debug, info, warn, error or silent.',
    example: 'warn',
    default: 'info',
    parse: required(level),
  },
  trustedProxyHops: {
    name: 'DRAWBRIDGE_TRUSTED_PROXY_HOPS',
    description: 'How many proxies of your own stand in front; that many entries of X-Forwarded-For are believed, from the right.',
    example: '1',
    default: '0',
    parse: required(whole(0, 10)),
  },
  rateLimitFactor: {
    name: 'DRAWBRIDGE_RATE_LIMIT_FACTOR',
    description: 'Multiplies every rate limit per client address: raise it where many people share one address, or for a load test.',
    example: '10',
    default: '1',
    parse: required(whole(1, 100_000)),
  },
  allowedOrigins: {
    name: 'DRAWBRIDGE_ALLOWED_ORIGINS',
    description: 'Origins that may be fetched although their addresses are private, comma-separated: an IdP inside your network, say.',
    example: 'https://idp.corp.internal',
    default: '',
    parse: required(origins),
  },
  metricsToken: {
    name: 'DRAWBRIDGE_METRICS_TOKEN',
    description: 'Bearer token for /metrics. Not set: /metrics answers only to loopback.',
    example: '<32 random characters>',
    default: undefined,
    parse: optional((text) => (text.length >= 16 ? ok(new Secret(text)) : err('must have at least 16 characters'))),
  },
}

/** All that is wrong with the environment, in one error. */
export class EnvError extends Error {
  constructor(readonly mistakes: readonly string[]) {
    super(`the settings cannot be used:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`)
    this.name = 'EnvError'
  }
}

export type EnvSource = Readonly<Record<string, string | undefined>>

/** Reads all settings, or throws one `EnvError` that names every mistake. An empty variable counts as not set. */
export function readEnv(source: EnvSource): Settings {
  const mistakes: string[] = []
  const wrong = new Set<string>()
  const read = Object.entries(settingEntries).map(([key, entry]: [string, SettingEntry<unknown>]) => {
    const given = source[entry.name]
    const parsed = entry.parse(given === undefined || given === '' ? entry.default : given)
    if (!parsed.ok) {
      wrong.add(key)
      mistakes.push(`${entry.name} ${parsed.error} (for example ${entry.example})`)
    }
    return [key, parsed.ok ? parsed.value : undefined]
  })
  const settings = Object.fromEntries(read) as Settings
  // A rule that looks at a setting which is wrong by itself has nothing to judge yet.
  const judged = combinationRules.filter(({ reads }) => reads.every((key) => !wrong.has(key)))
  const impossible = judged.filter(({ holds }) => holds(settings)).map(({ message }) => message)
  if (mistakes.length + impossible.length > 0) throw new EnvError([...mistakes, ...impossible])
  return settings
}

/** The environment of this process; nothing else of the house reads it. */
export const processEnvironment = (): EnvSource => process.env

export const isLoopbackHost = (hostname: string): boolean =>
  ['localhost', '127.0.0.1', '[::1]', '::1'].includes(hostname) || hostname.endsWith('.localhost')
const publicHostIsLoopback = (settings: Settings): boolean => isLoopbackHost(new URL(settings.publicUrl).hostname)

type CombinationRule = {
  readonly reads: readonly (keyof Settings)[]
  readonly holds: (settings: Settings) => boolean
  readonly message: string
}

const combinationRules: readonly CombinationRule[] = [
  {
    reads: ['production', 'lab'],
    holds: (s) => s.production && s.lab,
    message: 'DRAWBRIDGE_LAB is refused with NODE_ENV=production: lab moves the clock and fetches loopback addresses',
  },
  {
    reads: ['lab', 'host', 'publicUrl'],
    holds: (s) => s.lab && !(publicHostIsLoopback(s) && isLoopbackHost(s.host)),
    message: 'DRAWBRIDGE_LAB needs DRAWBRIDGE_PUBLIC_URL and DRAWBRIDGE_HOST on loopback',
  },
  {
    reads: ['publicUrl'],
    holds: (s) => !s.publicUrl.startsWith('https:') && !publicHostIsLoopback(s),
    message: 'DRAWBRIDGE_PUBLIC_URL must begin with https:// unless its host is loopback (RFC 9700 §2.6)',
  },
  {
    reads: ['databaseUrl', 'masterKeys'],
    holds: (s) => s.databaseUrl !== undefined && s.masterKeys.length === 0,
    message: 'DRAWBRIDGE_MASTER_KEYS is missing: with DATABASE_URL the keys come from the environment, so that every process has the same',
  },
  {
    reads: ['masterKeys', 'currentMasterKey'],
    holds: (s) => s.currentMasterKey !== undefined && !s.masterKeys.some(({ version }) => version === s.currentMasterKey),
    message: 'DRAWBRIDGE_CURRENT_MASTER_KEY names a version that is not in DRAWBRIDGE_MASTER_KEYS',
  },
  {
    reads: ['production', 'databaseUrl'],
    holds: (s) => s.production && s.databaseUrl === undefined,
    message: 'DATABASE_URL is missing: with NODE_ENV=production the database is yours, not embedded',
  },
  {
    reads: ['production', 'publicUrl'],
    holds: (s) => s.production && publicHostIsLoopback(s),
    message: 'DRAWBRIDGE_PUBLIC_URL is on loopback: with NODE_ENV=production it must be the address that the world uses',
  },
]
