/**
 * Decides recorded logins under two policies, page by page, without keeping anybody waiting: after each stretch others have their turn, and
 * after a named time it ends with what it has. Of what logins said nothing is kept but who signed in, so that memory does not grow with claims.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { CompiledPolicy } from '@drawbridge/core/policy/compile'
import { inputOfRecord, type RecordedLogin } from '@drawbridge/core/policy/recorded-login'
import { type Replayed, replayLimits, replayLogin } from '@drawbridge/core/policy/replay'
import type { StoredLogin } from '@drawbridge/store/recorded-logins'

export type Replaying = {
  readonly present: CompiledPolicy
  readonly other: CompiledPolicy
  readonly most: number
  /** At most so many, older than the last; none: there are no more. */
  readonly readPage: (after: StoredLogin | undefined, limit: number) => Promise<readonly StoredLogin[]>
  readonly open: (stored: StoredLogin) => RecordedLogin | undefined
  /** In milliseconds, of a clock that never stands still. */
  readonly elapsed: () => number
  readonly nextTurn: () => Promise<unknown>
}

export type ReplayedLogins = {
  readonly replayed: readonly Replayed[]
  /** Which no key opens any more, or another version wrote. */
  readonly unreadable: number
  /** False: its time ended it, and older logins were not looked at. */
  readonly isComplete: boolean
  readonly newest: Instant | undefined
  readonly oldest: Instant | undefined
}

const perPage = 100

export async function replayLogins(replaying: Replaying): Promise<ReplayedLogins> {
  const { present, other, most, readPage, open, elapsed, nextTurn } = replaying
  const replayed: Replayed[] = []
  const began = elapsed()
  let [stretchBegan, isComplete, seen] = [began, true, 0]
  let newest: Instant | undefined
  let last: StoredLogin | undefined
  while (seen < most && isComplete) {
    const page = await readPage(last, Math.min(perPage, most - seen))
    stretchBegan = elapsed()
    for (const stored of page) {
      const record = open(stored)
      if (record !== undefined) replayed.push(replayOne(stored, record, { present, other }))
      seen += 1
      newest ??= stored.at
      last = stored
      if (elapsed() - began >= replayLimits.milliseconds) {
        isComplete = false
        break
      }
      if (elapsed() - stretchBegan >= replayLimits.stretchMilliseconds) {
        await nextTurn()
        stretchBegan = elapsed()
      }
    }
    if (page.length === 0) break
  }
  return { replayed, unreadable: seen - replayed.length, isComplete, newest, oldest: last?.at }
}

function replayOne({ id }: StoredLogin, record: RecordedLogin, { present, other }: Pick<Replaying, 'present' | 'other'>): Replayed {
  const input = inputOfRecord(record)
  const { connectionId, stableId, subjectId, claims } = input.identity
  const email = claims.get('email')
  return {
    id,
    person: { connectionId, stableId, subjectId, email: typeof email === 'string' ? email : undefined },
    clientId: input.client.id,
    resource: input.resource.identifier,
    change: replayLogin(present, other, input),
  }
}
