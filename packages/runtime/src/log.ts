/** Structured logs, one JSON object per line. What could be a credential is removed by name before a line is written. */
import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogLevel } from './log-level.js'

export type LogFields = Readonly<Record<string, unknown>>
type Write = { (message: string): void; (fields: LogFields, message: string): void }

export type Log = {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
  child(fields: LogFields): Log
}

/**
 * Names that never reach a log, at the top of a line or one level down. The first defence is `Secret`, which prints `[secret]`;
 * this one is for the mistake of logging a form, a header map or a token response whole.
 */
export const redactedNames = [
  'access_token',
  'accessToken',
  'refresh_token',
  'refreshToken',
  'id_token',
  'idToken',
  'token',
  'code',
  'code_verifier',
  'codeVerifier',
  'client_secret',
  'clientSecret',
  'client_assertion',
  'assertion',
  'subject_token',
  'actor_token',
  'SAMLResponse',
  'password',
  'secret',
  'authorization',
  'cookie',
  'set-cookie',
  'drawbridge-proxy-secret',
  'proxySecrets',
  'privateKey',
  'private_key',
  'masterKey',
  'databaseUrl',
  'redisUrl',
] as const

/** Writes to standard output unless told otherwise. */
export function createLog(options: { readonly level: LogLevel; readonly destination?: DestinationStream }): Log {
  const paths = redactedNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`])
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths, censor: '[secret]' } }
  return asLog(options.destination ? pino(settings, options.destination) : pino(settings))
}

export const silentLog = (): Log => createLog({ level: 'silent' })

function asLog(logger: Logger): Log {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error'): Write =>
    (first: string | LogFields, message?: string) => {
      if (typeof first === 'string') logger[level](first)
      else logger[level](first, message)
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => asLog(logger.child(fields)),
  }
}
