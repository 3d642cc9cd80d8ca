/**
 * What a receiver's answer to a pushed event means, and when the next try is due.
 *
 * 202 is the one success. A refusal speaks of the event only where it names a code that does; a receiver that does not know us, or is in
 * trouble, is asked again until it answers: what would be lost otherwise is the news that somebody's access has ended.
 *
 * @spec RFC 8935 §2.2 success, §2.3 failure, §2.4 error codes
 */
import { addSeconds, type Instant } from '../instant.js'

export type PushOutcome =
  | { readonly kind: 'taken' }
  /** It says that it can never believe this event. */
  | { readonly kind: 'disbelieved'; readonly code: string }
  | { readonly kind: 'trouble'; readonly say: string }

const codesOfTheEvent = ['invalid_request', 'invalid_key', 'invalid_issuer', 'invalid_audience'] as const
const longestSay = 200

/** How often a receiver may refuse one event before that is its last word: its copy of our keys may be old when it does so first. */
export const refusalsBelieved = 3

export function judgePushAnswer(answer: { readonly status: number; readonly body: Buffer }): PushOutcome {
  if (answer.status === 202) return { kind: 'taken' }
  const { err, description } = answer.status === 400 ? readFailure(answer.body) : {}
  const code = codesOfTheEvent.find((known) => known === err)
  if (code !== undefined) return { kind: 'disbelieved', code }
  return { kind: 'trouble', say: sayOf([`answered ${answer.status}`, err, description]) }
}

type Failure = { readonly err?: string; readonly description?: string }

function readFailure(body: Buffer): Failure {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    if (typeof parsed !== 'object' || parsed === null) return {}
    const { err, description } = parsed as Readonly<Record<string, unknown>>
    return { ...(typeof err === 'string' ? { err } : {}), ...(typeof description === 'string' ? { description } : {}) }
  } catch {
    return {}
  }
}

/** A stranger's words: printable, and not many of them. */
const sayOf = (parts: readonly (string | undefined)[]): string =>
  parts
    .filter((part) => part !== undefined && part !== '')
    .join(': ')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, longestSay)

const firstPauseSeconds = 1
export const longestPauseSeconds = 300

/** The pause doubles with each failure, and is shortened by chance (0 to 1) by up to a half, so that receivers that fell together are not asked together. */
export function nextPushAt(failures: number, now: Instant, chance: number): Instant {
  const pause = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** Math.min(failures - 1, 30))
  return addSeconds(now, pause * (1 - chance / 2))
}
