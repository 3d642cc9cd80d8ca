/** Settings of what kind of installation this is, how it is watched, and where the tools of a development start listen. */
import { ok } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { type LogLevel, logLevels } from '../log-level.js'
import { flag, oneOf, optional, port, required, type SettingEntries, secretOf, whole } from './setting.js'

export type OperationSettings = {
  readonly production: boolean
  readonly lab: boolean
  readonly logLevel: LogLevel
  readonly metricsToken: Secret | undefined
  readonly simulatorPort: number
  readonly exampleServerPort: number
  readonly receiptDays: number
  readonly evidenceDays: number
  readonly directoryUsers: number
  readonly directoryGroups: number
}

const leastTokenCharacters = 16
/** Longer than the sweep looks for who is dead everywhere, by receipts that are there (`lookedForDeathSeconds`). */
const leastReceiptDays = 14
const leastEvidenceDays = 30
const mostEvidenceDays = 3650
/** Beyond what anything was measured with, and far below what a count of 32 bits holds. */
const mostOfDirectory = 10_000_000

export const operationSettings: SettingEntries<OperationSettings> = {
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
  logLevel: {
    name: 'DRAWBRIDGE_LOG_LEVEL',
    description: 'How much is logged: debug, info, warn, error or silent.',
    example: 'warn',
    default: 'info',
    parse: required(oneOf(logLevels)),
  },
  metricsToken: {
    name: 'DRAWBRIDGE_METRICS_TOKEN',
    description:
      'Bearer token for /metrics of broker and worker. Not set: /metrics answers only to loopback, and to nobody behind a trusted proxy.',
    example: '<32 random characters>',
    default: undefined,
    parse: optional(secretOf(leastTokenCharacters)),
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
  receiptDays: {
    name: 'DRAWBRIDGE_RECEIPT_DAYS',
    description: `After how many days of a revocation the receipts of single receivers shrink to counts, ${leastReceiptDays} to ${mostEvidenceDays}. For workers, all of them alike: the smallest holds.`,
    example: '365',
    default: '90',
    parse: required(whole(leastReceiptDays, mostEvidenceDays)),
  },
  evidenceDays: {
    name: 'DRAWBRIDGE_EVIDENCE_DAYS',
    description: `After how many days of a revocation its event with its counts is removed, ${leastEvidenceDays} to ${mostEvidenceDays}, not before its receipts. For workers, all of them alike: the smallest holds.`,
    example: '2555',
    default: '400',
    parse: required(whole(leastEvidenceDays, mostEvidenceDays)),
  },
  directoryUsers: {
    name: 'DRAWBRIDGE_DIRECTORY_USERS',
    description: `How many people the directory of one connection may have, 1 to ${mostOfDirectory}; with those whom it has deleted, four times as many. Who is told of as inactive comes beyond it, too. For brokers.`,
    example: '1000000',
    default: '500000',
    parse: required(whole(1, mostOfDirectory)),
  },
  directoryGroups: {
    name: 'DRAWBRIDGE_DIRECTORY_GROUPS',
    description: `How many groups the directory of one connection may have, 1 to ${mostOfDirectory}. For brokers.`,
    example: '100000',
    default: '50000',
    parse: required(whole(1, mostOfDirectory)),
  },
}
