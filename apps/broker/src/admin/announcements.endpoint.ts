/** What the contacts of a tenant were told, or will be; what was given up is tried again when an admin says so. */
import { type Announcement, listAnnouncements, retryAnnouncement } from '@drawbridge/store/announcements'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Contacts'

const states = ['waiting', 'sent', 'failed'] as const
const shownAnnouncement = z.strictObject({
  id: idShape,
  recipientName: z.string(),
  recipientEmail: z.string(),
  acts: z.array(
    z.strictObject({
      at: time,
      kind: z.string(),
      about: z.string().nullable(),
      by: z
        .strictObject({
          keyName: z.string(),
          isVendor: z.boolean(),
          isLink: z.boolean().describe('By a set-up link, which is no key'),
          address: z.string(),
        })
        .nullable(),
    }),
  ),
  actCount: z.int().describe('Of all acts that it tells of; acts lists the first of them'),
  state: z.enum(states),
  attempts: z.int(),
  trouble: z.string().nullable().describe('Why it has not been sent yet, or was given up'),
  isOwn: z.boolean().describe('Its recipient is no contact: she is told of what was done to herself'),
  isDigest: z.boolean().describe('It gathers for an hour, because its recipient was written to often within a day'),
  openedAt: time,
  tryAt: time.describe('When it is sent, or tried again'),
  endedAt: timeOrNull,
})
const showAnnouncement = (announcement: Announcement): z.output<typeof shownAnnouncement> => ({
  ...announcement,
  acts: announcement.acts.map(({ at, kind, about, by }) => ({
    at: toIso(at),
    kind,
    about: about ?? null,
    by: by === undefined ? null : { ...by, isLink: by.isLink === true },
  })),
  trouble: announcement.trouble ?? null,
  openedAt: toIso(announcement.openedAt),
  tryAt: toIso(announcement.tryAt),
  endedAt: toIsoOrNull(announcement.endedAt),
})

const list = adminList({
  path: '/tenants/:tenant/announcements',
  tag,
  summary: 'List what the contacts were told, or will be, newest first; without a mail server all of it waits here',
  permission: 'audit:read',
  member: 'announcements',
  shown: shownAnnouncement,
  position: ['before', 'moment'],
  filters: { state: z.enum(states).optional() },
  read: (http, deps, page) =>
    inTenant(deps.database, tenantOf(http).id, (db) => listAnnouncements(db, tenantOf(http).id, http.asked.state, page)),
  show: showAnnouncement,
  positionOf: ({ openedAt, id }) => momentPosition(openedAt, id),
})

/** To the address that it was written to: whoever has that by now cannot be told what somebody else was to read elsewhere. */
const retry = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/announcements/:id/retry',
  tag,
  summary: 'Try a mail again that was given up, at once and as often as a new one, to the address that it was written to',
  permission: 'configuration:write',
  answer: shownAnnouncement,
  refuses: ['not_found', 'announcement_not_given_up'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const retried = await inTenant(deps.database, tenant, async (db) => {
      const announcement = await retryAnnouncement(db, tenant, id, deps.clock.now())
      if (typeof announcement !== 'string')
        await audit(db, tenant, http, deps, { kind: 'announcement.retried', detail: { announcement: id } })
      return announcement
    })
    if (retried === 'unknown') return refuseAdmin('not_found')
    return retried === 'not_given_up' ? refuseAdmin('announcement_not_given_up') : json(showAnnouncement(retried))
  },
})

export const announcementEndpoints = [list, retry]
