/**
 * Sends the contacts of tenants what was done in their sign-in.
 *
 * What is due is claimed for the length of a lease and sent one by one. A mail that its server refuses for good is given up with the reason;
 * one that it delays is tried again later; a server that cannot be used at all ends the run, because the next mail would fare no better, and
 * costs no mail a try that it did not have. Without a mail server nothing is claimed and everything waits.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { buildAnnouncementMail, nextTryAt } from '@drawbridge/core/tenant/announcement'
import type { MailTrouble } from '@drawbridge/runtime/send-mail'
import {
  type ClaimedAnnouncement,
  claimAnnouncementsAcrossTenants,
  countWaitingAnnouncementsAcrossTenants,
  markAnnouncementDelayedAcrossTenants,
  markAnnouncementEndedAcrossTenants,
} from '@drawbridge/store/announcements'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Claimed at once. All of them are sent within the lease, even where each waits for every time-out of the mail server. */
export const mailsPerClaim = 10
const leaseSeconds = 600
/** Of one run; what is left waits for the next, half a minute later. */
const mostClaims = 10
/** Where the server itself cannot be used, all that was claimed is due again after this. */
const serverPauseSeconds = 60

type Mailing = JobDeps & { readonly mail: NonNullable<JobDeps['mail']> }

export async function sendAnnouncements(deps: JobDeps): Promise<void> {
  const { mail } = deps
  if (mail !== undefined) await sendDue({ ...deps, mail })
  deps.metrics.set('drawbridge_announcements_waiting', await acrossTenants(deps.database, countWaitingAnnouncementsAcrossTenants))
}

async function sendDue(deps: Mailing): Promise<void> {
  for (let claim = 0; claim < mostClaims; claim += 1) {
    const now = deps.clock.now()
    const lease = { now, leaseUntil: addSeconds(now, leaseSeconds), limit: mailsPerClaim }
    const claimed = await acrossTenants(deps.database, (db) => claimAnnouncementsAcrossTenants(db, lease))
    for (const [index, announcement] of claimed.entries()) {
      const trouble = await send(deps, announcement)
      if (trouble?.kind !== 'unavailable') continue
      deps.log.warn({ cause: trouble.say, waiting: claimed.length - index }, 'announcements could not be sent')
      await putBack(deps, claimed.slice(index), trouble)
      return
    }
    if (claimed.length < mailsPerClaim) return
  }
}

/** The trouble that is not this mail's own; what is, has been written down. */
async function send(deps: Mailing, announcement: ClaimedAnnouncement): Promise<MailTrouble | undefined> {
  const { id, recipientName, recipientEmail, attempts } = announcement
  const { subject, text } = buildAnnouncementMail({ ...announcement, origin: deps.mail.origin })
  const to = { name: recipientName, address: recipientEmail }
  const sent = await deps.mail.send({ to, subject, text, messageId: `<${id}@${new URL(deps.mail.origin).hostname}>` })
  if (!sent.ok && sent.error.kind === 'unavailable') return sent.error
  const now = deps.clock.now()
  const tryAt = sent.ok || sent.error.kind === 'refused' ? undefined : nextTryAt(attempts, now)
  const trouble = sent.ok ? undefined : sent.error.say
  deps.metrics.count('drawbridge_announcements_total', { outcome: sent.ok ? 'sent' : tryAt === undefined ? 'failed' : 'delayed' })
  await acrossTenants(deps.database, (db) =>
    tryAt === undefined
      ? markAnnouncementEndedAcrossTenants(db, announcement, { state: sent.ok ? 'sent' : 'failed', trouble, now })
      : markAnnouncementDelayedAcrossTenants(db, announcement, { tryAt, trouble: trouble ?? '' }),
  )
  if (!sent.ok && tryAt === undefined)
    deps.log.error({ tenant: announcement.tenantId, announcement: id, trouble }, 'an announcement was given up')
  return undefined
}

async function putBack(deps: Mailing, claimed: readonly ClaimedAnnouncement[], { say }: MailTrouble): Promise<void> {
  const tryAt = addSeconds(deps.clock.now(), serverPauseSeconds)
  await acrossTenants(deps.database, async (db) => {
    for (const announcement of claimed)
      await markAnnouncementDelayedAcrossTenants(db, announcement, { tryAt, trouble: say, givesBackTry: true })
  })
}
