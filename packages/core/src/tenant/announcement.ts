/**
 * What a tenant's contacts are told when somebody changes how its people sign in: one plain mail of everything within a window.
 *
 * The words are ours. Names of tenants, connections and keys are other people's text: one line each, cut, without control characters, and
 * written so that no mail program makes a link of them: a connection called like an address must not make our mail the phisher's.
 * The mail holds no secret and no link that acts, so whoever steals it gains nothing, and nobody learns to click in such mails.
 */
import { type AuditEventKind, auditEvents } from '../audit/audit-event.js'
import { addSeconds, type Instant } from '../instant.js'

export const announcementLimits = {
  /** Of one tenant. */
  contacts: 20,
  /** Of one tenant, that are written to within a day, however often its contacts change: our mail server is nobody's to write to strangers. */
  addressesPerDay: 60,
  /** To one address of one tenant within a day; what is done beyond is gathered for an hour, so that it is at most 24 more. */
  promptMailsPerDay: 20,
  /** Listed in one mail; what is beyond is counted, except for the first of each kind. */
  acts: 100,
  nameCharacters: 120,
} as const

/** What is done within this long after the first act goes into the same mail. */
export const gatherSeconds = 60
/** … and once its recipient was written to often within a day, this long. */
export const digestSeconds = 3600
/** Sent or given up, it is kept this long. */
export const keepAnnouncementSeconds = 90 * 86_400
/** Pauses after each failed try, in seconds; behind the last one the mail is given up: about three days in all. */
export const tryAgainSeconds: readonly number[] = [60, 300, 1800, 7200, 21_600, 43_200, 86_400, 86_400]

/** When to try again after so many failed tries; `undefined`: no more. */
export function nextTryAt(attempts: number, now: Instant): Instant | undefined {
  const pause = tryAgainSeconds[attempts - 1]
  return pause === undefined ? undefined : addSeconds(now, pause)
}

/** `isLink`: whoever has opened a set-up link, who holds no key. */
export type AnnouncedDoer = { readonly keyName: string; readonly isVendor: boolean; readonly isLink?: true; readonly address: string }

export type AnnouncedAct = {
  readonly at: Instant
  readonly kind: AuditEventKind
  /** What it was done to, if that has a name: a connection, a domain. */
  readonly about: string | undefined
  /** `undefined`: nobody; the product noticed it by itself. */
  readonly by: AnnouncedDoer | undefined
}

export type AnnouncementMail = { readonly subject: string; readonly text: string }

export type AnnouncementContent = {
  readonly tenantName: string
  readonly recipientName: string
  readonly origin: string
  readonly acts: readonly AnnouncedAct[]
  /** Of all acts, also of those that are not listed. */
  readonly actCount: number
  readonly isDigest: boolean
  /** Its recipient is no contact: she is told of what was done to herself. */
  readonly isOwn: boolean
}

export const buildAnnouncementMail = (content: AnnouncementContent): AnnouncementMail =>
  content.isOwn ? ownMail(content) : contactMail(content)

/** To a person about her own sign-in. */
function ownMail({ tenantName, recipientName, origin, acts }: AnnouncementContent): AnnouncementMail {
  const tenant = inert(tenantName)
  return {
    subject: `${tenant}: your second factor was changed`,
    text: [
      `Hello ${inert(recipientName)},`,
      '',
      `you sign in through ${tenant} at ${origin}. This happened to your second factor there:`,
      '',
      ...acts.map(line),
      '',
      'If it was you, or you asked your administrators for it, there is nothing to do. If not, tell them at once: somebody may be about to',
      'sign in in your name.',
      '',
      ...noLinks,
    ].join('\n'),
  }
}

const noLinks = ['This mail has no links, and nobody will ask you for a password or a code because of it.', '']

function contactMail({ tenantName, recipientName, origin, acts, actCount, isDigest }: AnnouncementContent): AnnouncementMail {
  const tenant = inert(tenantName)
  const more = actCount - acts.length
  return {
    subject: `${tenant}: how people sign in was changed`,
    text: [
      `Hello ${inert(recipientName)},`,
      '',
      `you are a contact of ${tenant} at ${origin}. This happened to the sign-in of your company there:`,
      '',
      ...acts.map(line),
      ...(more > 0 ? [`- and ${more} more, which are in the audit trail`] : []),
      ...(isDigest
        ? [
            '',
            `You have been written to ${announcementLimits.promptMailsPerDay} times within a day, so what is new is gathered for an hour.`,
          ]
        : []),
      '',
      'If you expected this, there is nothing to do. If you did not, tell your administrators and whoever runs the service at once:',
      'the audit trail of your tenant has every one of these acts with its request id, and a connection or a key can be ended at once.',
      '',
      ...noLinks,
    ].join('\n'),
  }
}

function line({ at, kind, about, by }: AnnouncedAct): string {
  const what = about === undefined ? '' : ` "${inert(about)}".`
  return `- ${new Date(at).toISOString()}: ${auditEvents[kind]}${what}${by === undefined ? '' : doer(by)}`
}

function doer({ keyName, isVendor, isLink, address }: AnnouncedDoer): string {
  const name = `"${inert(keyName)}"`
  if (isLink === true) return ` By whoever holds the ${name}, from ${address}.`
  return ` By the ${isVendor ? 'vendor\u2019s' : 'tenant\u2019s'} key ${name} from ${address}.`
}

/** A header, and a line of a list, end where a line ends; direction marks would let a name rewrite what stands beside it. */
export const oneLine = (text: string): string =>
  Array.from(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim())
    .slice(0, announcementLimits.nameCharacters)
    .join('')

/** As it stands in a mail: an address reads `acme[.]example`, and leads nowhere. */
const inert = (text: string): string =>
  oneLine(text)
    .replaceAll('://', ' ')
    .replaceAll('@', '(at)')
    .replaceAll(/\.(?=\S)/g, '[.]')
