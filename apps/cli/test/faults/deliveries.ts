/**
 * What was told outside, held against what was promised: whoever lost something is logged out at each client that she came to, the company's system reads of
 * it, nobody is told of what nobody ordered, and what comes twice comes under the same id.
 */
import { type Bounds, deadSince, endOf, type Issue, type Ledger, type LedgerEvent, type Takes } from './ledger.js'
import type { Logout, Told } from './outside.js'

const isTakes = (event: LedgerEvent): event is Takes => event.effect === 'takes'

/** What may have ended what this client was given, or anything of hers: each try counts. */
function causesOf({ events }: Ledger, { subject, grant, sentAt }: Issue, bounds: Bounds): readonly Takes[] {
  return events
    .filter(isTakes)
    .filter((event) => event.subject === subject && (event.grant === undefined || event.grant === grant))
    .filter((event) => endOf(event, bounds) >= sentAt)
}

/** A client that hands its own token back knows; and of a grant that may have been over before nobody need be told again. */
function mustHear(ledger: Ledger, issue: Issue, causes: readonly Takes[]): boolean {
  if (deadSince(ledger, issue) === undefined) return false
  const after = causes.filter((event) => event.sentAt >= issue.answeredAt && event.answeredAt !== undefined)
  const first = causes.reduce<Takes | undefined>(
    (least, event) => (least === undefined || event.sentAt < least.sentAt ? event : least),
    undefined,
  )
  return after.some(({ grant, way }) => grant === undefined || (way !== handedBack && first?.way === way))
}
/** The way by which a client ends its own grant. */
export const handedBack = 'her client'
/** The way by which somebody ends her session, and what was opened in it. */
export const signedOut = 'her sign-out'

/** One of each client: it was registered for one sign-in. */
function clientsOf({ issues }: Ledger): readonly Issue[] {
  const firsts = new Map<string, Issue>()
  for (const issue of issues) if (issue.client !== undefined && !firsts.has(issue.client)) firsts.set(issue.client, issue)
  return [...firsts.values()]
}

/** Every contradiction, in words. `told`: when all that was under way has arrived. */
export function judgeDeliveries(ledger: Ledger, told: readonly Told[], bounds: Bounds): readonly string[] {
  const found: string[] = []
  const logouts = told.filter((one): one is Logout => one.kind === 'logout')
  for (const issue of clientsOf(ledger)) {
    const heard = logouts.filter(({ client }) => client === issue.client)
    const causes = causesOf(ledger, issue, bounds)
    const who = `the client ${issue.client} of ${issue.subject}`
    if (heard.length === 0 && mustHear(ledger, issue, causes)) found.push(`${who} was not told that what it had is over`)
    if (heard.some(({ sub }) => sub !== issue.sub)) found.push(`${who} was told of somebody else`)
    if (heard.some(({ at }) => !causes.some(({ sentAt }) => sentAt <= at))) found.push(`${who} was told of an end that nobody ordered`)
    const distinct = new Set(heard.map(({ id }) => id)).size
    if (distinct > causes.length) found.push(`${who} was told ${distinct} times, under as many ids, of ${causes.length} ends`)
  }
  return [...found, ...judgeNews(ledger, told)]
}

/** Of each end of everything the company's system has read, of no more of them than were ordered, and of no event twice under two ids. */
function judgeNews(ledger: Ledger, told: readonly Told[]): readonly string[] {
  const news = told.filter((one) => one.kind === 'news')
  const found: string[] = []
  const ids = new Map<string, Set<string>>()
  for (const { id, type, eventId } of news) ids.set(`${type} of ${eventId}`, (ids.get(`${type} of ${eventId}`) ?? new Set()).add(id))
  for (const [what, under] of ids) if (under.size > 1) found.push(`${what} was told under ${under.size} ids`)
  const subs = new Map(ledger.issues.map(({ subject, sub }) => [subject, sub]))
  for (const { type, sub } of news)
    if (![...subs.values()].includes(sub))
      found.push(`the company's system was told ${type} of ${sub || 'nobody'}, who is none of its people`)
  for (const event of ledger.events.filter(isTakes)) {
    const { subject, grant, answeredAt } = event
    if (grant !== undefined || answeredAt === undefined) continue
    const since = countsSince(ledger, event)
    if (!news.some(({ type, sub, at }) => type === ended && sub === subs.get(subject) && at >= since))
      found.push(`nobody was told that ${subject} lost access, which was acknowledged at ${(answeredAt / 1000).toFixed(3)} s`)
  }
  for (const [subject, sub] of subs) {
    const ends = new Set(news.filter((one) => one.type === ended && one.sub === sub).map(({ eventId }) => eventId)).size
    const causes = ledger.events.filter((event) => isTakes(event) && event.subject === subject).length
    if (ends > causes) found.push(`${ends} ends of ${subject} were told, and ${causes} were ordered`)
  }
  return found
}

const ended = 'access.ended'

/** An end that the directory says again while she is out changes nothing and is told once; what was said under an id is told as itself. */
export function countsSince({ events }: Ledger, { id, way, subject, sentAt }: Takes): number {
  if (id !== undefined) return sentAt
  const before = events.filter(
    (event) =>
      event.effect === 'gives' && event.way === way && event.subject === subject && event.answeredAt !== undefined && event.sentAt < sentAt,
  )
  return Math.max(0, ...before.map((event) => event.sentAt))
}
