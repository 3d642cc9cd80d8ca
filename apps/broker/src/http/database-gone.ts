/**
 * Tells a database that is lost, or has no time for us, from a mistake of ours: the first is answered 503, the second 500. Whatever is told
 * here has changed nothing, or nobody knows whether it has; either way whoever asked may ask again.
 */

import { busyBy } from '@drawbridge/store/turns'

/**
 * Connection faults of Node, and SQLSTATE classes 08 (connection), 53 (resources) and 57P0x (shutdown, cannot connect now). A statement or a
 * lock that took too long (57014, 55P03), a connection that idled in its transaction (25P03), and what lost against another transaction
 * (40001, 40P01) are rolled back.
 */
const networkCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
])
const sqlState = /^(08...|53...|57P0[1-5]|57014|55P03|25P0[34]|40001|40P01)$/
/** pg says these without a code. */
const messages =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end|Query read timeout/
const deepestCause = 5

export function isDatabaseGone(cause: unknown, depth = 0): boolean {
  if (!(cause instanceof Error) || depth > deepestCause) return false
  if (busyBy(cause)) return true
  const code = (cause as { readonly code?: unknown }).code
  if (typeof code === 'string' && (networkCodes.has(code) || sqlState.test(code))) return true
  if (messages.test(cause.message)) return true
  if (cause instanceof AggregateError && cause.errors.some((inner) => isDatabaseGone(inner, depth + 1))) return true
  return isDatabaseGone(cause.cause, depth + 1)
}
