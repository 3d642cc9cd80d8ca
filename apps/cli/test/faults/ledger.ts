/**
 * What was promised to one company and what was seen of it: every token that came back, every event that was acknowledged, every answer about a token. `judge` holds
 * the one against the other. It knows nothing of the product: it is the outside's idea of what "taken away" means.
 *
 * Times are of the one clock of the process that writes the ledger. What overlaps in time proves nothing; only "answered before it was sent" does.
 */

export type Span = {
  readonly sentAt: number
  /** Undefined: no answer came; it may have happened, or may still happen within the doubt. */
  readonly answeredAt: number | undefined
}
/** Behind the public URL: a company's own issuer, or the front issuer. */
export type IssuerPath = `/t/${string}` | ''
export const issuerPathsOf = (slug: string): readonly [IssuerPath, IssuerPath] => [`/t/${slug}`, '']

export type Issue = Span & {
  readonly answeredAt: number
  readonly token: string
  readonly subject: string
  /** As the vendor knows her. */
  readonly sub?: string
  /** Of an exchanged token that of the one it was exchanged for, with which it ends. */
  readonly grant: string
  /** When the first token of its grant was there. */
  readonly grantSince: number
  /** Of its issuer, behind the public URL. */
  readonly issuerPath: IssuerPath
  /** How the agent came by it; absent: she signed in for its client. */
  readonly how?: 'exchanged' | 'brought'
  /** Where its client hears of logouts. */
  readonly client?: string
  /** Of the same token on the same clock: nobody is asked about it afterwards. */
  readonly expiresAt: number
}
/** Ways that the judge tells apart: an admin lifts whatever keeps her out, the directory takes back its own word alone. */
export const directory = 'the directory'
export const admin = 'an admin'
/** `version`: of her in the directory, as the answer said; of two requests that were under way at once the later has the higher. */
type Versioned = { readonly version?: number }

export type Takes = Span &
  Versioned & {
    readonly effect: 'takes'
    readonly way: string
    readonly subject: string
    /** Absent: all of the subject's, and she stays outside until she is let in again. */
    readonly grant?: string
    /** All of the subject's, and she may come again at once. */
    readonly staysIn?: true
    /** Happens once, however often it is sent: one event, from its first sending to its first acknowledgement. */
    readonly id?: string
    /** Where it was sent more than once. */
    readonly lastSentAt?: number
  }
export type Gives = Span & Versioned & { readonly effect: 'gives'; readonly way: string; readonly subject: string }
export type LedgerEvent = Takes | Gives
/** `unsure`: nobody could say (no answer, 503). */
export type Verdict = 'active' | 'dead' | 'unsure'
export type Probe = {
  readonly at: string
  readonly issue: Issue
  readonly sentAt: number
  readonly answeredAt: number
  readonly said: Verdict
}

export type Ledger = {
  readonly issues: Issue[]
  readonly events: LedgerEvent[]
  readonly probes: Probe[]
  /** Grants of which a refresh got no answer: the family may have been believed stolen, rightly. */
  readonly doubtful: Set<string>
  /** Contradictions that an actor met with. */
  readonly found: string[]
  /** How often what happens once was said again after it was acknowledged, and how often two requests were sent so that one may overtake the other. */
  repeats: number
  overtakings: number
}
export const aLedger = (): Ledger => ({
  ...{ issues: [], events: [], probes: [], doubtful: new Set() },
  ...{ found: [], repeats: 0, overtakings: 0 },
})

export type Bounds = {
  /** How long after it was sent an event without an answer may still happen. */
  readonly doubtMs: number
  /** How long a receiver that was cut off may believe what it knew: its own deafness, and what the broker tells it of late news. */
  readonly receiverMs: number
}
export const isReceiver = (at: string): boolean => at.startsWith('guard')

/** Until when it may happen. */
export const endOf = (event: LedgerEvent, { doubtMs }: Pick<Bounds, 'doubtMs'>): number =>
  event.answeredAt ?? (event.effect === 'takes' ? (event.lastSentAt ?? event.sentAt) : event.sentAt) + doubtMs
const isAbout = (event: LedgerEvent, { subject, grant }: Issue): boolean =>
  event.subject === subject && (event.effect === 'gives' || event.grant === undefined || event.grant === grant)

/** Since when this token must be dead: the first acknowledged event that came after its grant, however late the token itself. Undefined: no event says so. */
export function deadSince(ledger: Ledger, issue: Issue): number | undefined {
  const ends = ledger.events
    .filter((event) => event.effect === 'takes' && isAbout(event, issue) && event.sentAt >= issue.grantSince)
    .map(({ answeredAt }) => answeredAt)
    .filter((at) => at !== undefined)
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** True: from its issue until then nothing can have taken it away. */
function mustLive(ledger: Ledger, issue: Issue, until: number, bounds: Bounds): boolean {
  if (ledger.doubtful.has(issue.grant) || until >= issue.expiresAt) return false
  return !ledger.events.some(
    (event) => event.effect === 'takes' && isAbout(event, issue) && event.sentAt <= until && endOf(event, bounds) >= issue.sentAt,
  )
}

const tail = (token: string): string => `…${token.slice(-8)}`
const at = (ms: number): string => `${(ms / 1000).toFixed(3)} s`

/** Every contradiction, in words. None: what was promised is what was seen. */
export function judge(ledger: Ledger, bounds: Bounds): readonly string[] {
  const found: string[] = [...ledger.found]
  for (const probe of ledger.probes) {
    const { issue } = probe
    const dead = deadSince(ledger, issue)
    const grace = isReceiver(probe.at) ? bounds.receiverMs : 0
    if (probe.said === 'active' && dead !== undefined && probe.sentAt >= dead + grace)
      found.push(
        `${probe.at} called ${tail(issue.token)} of ${issue.subject} active at ${at(probe.sentAt)}: its end was acknowledged at ${at(dead)}`,
      )
    if (probe.said === 'dead' && mustLive(ledger, issue, probe.answeredAt, bounds))
      found.push(
        `${probe.at} refused ${tail(issue.token)} of ${issue.subject} at ${at(probe.sentAt)}: issued at ${at(issue.answeredAt)}, and nothing was taken away since; grant ${issue.grant}`,
      )
  }
  for (const issue of ledger.issues) {
    const shut = whatShutOut(ledger, issue, bounds)
    if (shut !== undefined)
      found.push(
        `${tail(issue.token)} was issued to ${issue.subject} at ${at(issue.answeredAt)}, asked for at ${at(issue.sentAt)}: ${shut.way} was acknowledged at ${at(shut.answeredAt ?? 0)}`,
      )
  }
  return found
}

/**
 * An event that had been acknowledged before this token was asked for: of a grant that is dead with it whoever is in again, and of any while she is outside.
 */
function whatShutOut(ledger: Ledger, issue: Issue, bounds: Bounds): Takes | undefined {
  const letIn = ledger.events.filter((event): event is Gives => event.effect === 'gives' && event.subject === issue.subject)
  const isOutside = (event: Takes) => event.staysIn !== true && !letIn.some((given) => lifts(given, event, { issue, bounds }))
  return ledger.events.find(
    (event): event is Takes =>
      event.effect === 'takes' &&
      isAbout(event, issue) &&
      event.answeredAt !== undefined &&
      event.answeredAt <= issue.sentAt &&
      (event.grant !== undefined || issue.grantSince <= event.sentAt || isOutside(event)),
  )
}

/** Whether it may have come after the event and before the token. Of two words of the directory their versions say which came first. */
function lifts(given: Gives, event: Takes, { issue, bounds }: { readonly issue: Issue; readonly bounds: Bounds }): boolean {
  if (given.way !== admin && given.way !== event.way) return false
  if (given.version !== undefined && event.version !== undefined && given.version < event.version) return false
  return endOf(given, bounds) >= event.sentAt && given.sentAt <= issue.answeredAt
}

/** How long after its acknowledgement each receiver still believed something of it, in milliseconds: one number per event and receiver that was asked. */
export function timesToDead(ledger: Ledger): readonly number[] {
  const last = new Map<string, number>()
  for (const probe of ledger.probes) {
    const dead = deadSince(ledger, probe.issue)
    if (dead === undefined || !isReceiver(probe.at) || probe.sentAt < dead) continue
    const key = `${probe.at} ${dead}`
    last.set(key, Math.max(last.get(key) ?? 0, probe.said === 'active' ? probe.answeredAt - dead : 0))
  }
  return [...last.values()].sort((one, other) => one - other)
}
