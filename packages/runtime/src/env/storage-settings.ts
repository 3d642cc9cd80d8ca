/** Settings of where things rest: PostgreSQL, Redis, and the folder of an embedded start. */
import type { Secret } from '@drawbridge/core/secret'
import { oneOf, optional, plain, port, required, type SettingEntries, secretUrl, whole } from './setting.js'

export type StorageSettings = {
  readonly databaseUrl: Secret | undefined
  readonly databaseOwnerUrl: Secret | undefined
  readonly redisUrl: Secret | undefined
  readonly dataDirectory: string
  readonly embeddedDatabasePort: number
  readonly connectionBudget: number
  readonly failover: Failover
}

const failovers = ['may-lose', 'lossless'] as const
export type Failover = (typeof failovers)[number]

export const storageSettings: SettingEntries<StorageSettings> = {
  databaseUrl: {
    name: 'DATABASE_URL',
    description:
      'PostgreSQL to use, directly or through a pooler that keeps sessions (not one of transactions). Not set: an embedded PostgreSQL is started in the data directory.',
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
  failover: {
    name: 'DRAWBRIDGE_FAILOVER',
    description:
      'lossless: a standby that takes over has every commit that was answered (synchronous_standby_names), so its promotion is accepted. may-lose: after one, `drawbridge recover` decides.',
    example: 'lossless',
    default: 'may-lose',
    parse: required(oneOf(failovers)),
  },
}
