/**
 * Ends what runs on: a request that was let through, and streams for longer than its access lasts.
 *
 * Whatever was let through is looked at again every second, by what the guard knows by then, without verifying its signature again; where the guard is deaf and
 * its owner has it ask the issuer, the issuer is asked now and then. The timer runs while there is something to look at, and keeps no process alive.
 */
import type { GuardRefusal } from './refusal.js'
import type { VerifiedToken } from './verify-access-token.js'

export const lookAgainSeconds = 1
/** The issuer is asked about each open request, for as long as nothing is heard of it. */
export const askAgainSeconds = 10

export type AccessDeps = {
  /** By what it would be refused now; undefined: by nothing; `ask`: only the issuer knows. */
  readonly look: (checked: VerifiedToken) => GuardRefusal | 'ask' | undefined
  readonly ask: (checked: VerifiedToken) => Promise<GuardRefusal | undefined>
}
/** Answers what takes it out of the watch: when the request is over. */
export type WatchAccess = (checked: VerifiedToken, onEnded: (reason: GuardRefusal) => void) => () => void

type Watched = { readonly checked: VerifiedToken; readonly onEnded: (reason: GuardRefusal) => void; looksUntilAsked: number }

export function createAccessWatch({ look, ask }: AccessDeps): WatchAccess {
  const watched = new Set<Watched>()
  let timer: ReturnType<typeof setInterval> | undefined
  const forget = (one: Watched): boolean => {
    const wasThere = watched.delete(one)
    if (watched.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
    return wasThere
  }
  /** Once, and each by itself: what the owner's code throws keeps none of the others open. */
  const end = (one: Watched, reason: GuardRefusal): void => {
    if (forget(one)) queueMicrotask(() => one.onEnded(reason))
  }
  const askAbout = (one: Watched): void => {
    if (one.looksUntilAsked > 0) {
      one.looksUntilAsked -= 1
      return
    }
    one.looksUntilAsked = askAgainSeconds / lookAgainSeconds
    void ask(one.checked).then((reason) => {
      if (reason !== undefined) end(one, reason)
    })
  }
  const lookAt = (one: Watched): void => {
    const found = look(one.checked)
    if (found === 'ask') askAbout(one)
    else if (found !== undefined) end(one, found)
  }
  return (checked, onEnded) => {
    const one: Watched = { checked, onEnded, looksUntilAsked: 0 }
    watched.add(one)
    if (timer === undefined) {
      timer = setInterval(() => {
        for (const each of [...watched]) lookAt(each)
      }, lookAgainSeconds * 1000)
      timer.unref()
    }
    lookAt(one)
    return () => void forget(one)
  }
}
