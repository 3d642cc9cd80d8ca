/** Which directory user a subject is, where the link key does not say so: whoever says it decides whom a deactivation hits, so it is `impersonate`. */
import type { DeprovisioningEventId, ScimUserId, SubjectId } from '@drawbridge/core/tenant/ids'
import { changeSubjectLink, type LinkRefusal, type ListedScimUser, listScimUsersWithSubjects } from '@drawbridge/store/subject-links'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import type { AdminErrorReason } from './error.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const common = { method: 'POST', tag: 'Directory', permission: 'impersonate' } as const
const reason = z.string().trim().min(1).max(300).describe('For the audit trail and the receipt')
const linked = z.strictObject({
  subjectId: idShape,
  scimUserId: idShape.nullable(),
  eventId: idShape.nullable().describe('Of the receipt; null: it was so already, and nothing happened'),
  epoch: z.int(),
  deactivated: z.boolean(),
})

const refusals: Readonly<Record<LinkRefusal, AdminErrorReason>> = {
  subject_unknown: 'not_found',
  scim_user_unknown: 'reference_unknown',
  scim_user_taken: 'scim_user_linked',
}

async function change(
  http: AdminRequest<{ readonly reason: string }>,
  deps: BrokerDeps,
  scimUserId: ScimUserId | undefined,
): Promise<Answer> {
  const { id: tenant } = tenantOf(http)
  const subjectId = idParam<SubjectId>(http)
  if (subjectId === undefined) return refuseAdmin('not_found')
  const eventId = deps.random.uuid() as DeprovisioningEventId
  const event = { tenant, subjectId, scimUserId, eventId, reason: http.parsed.reason, now: deps.clock.now(), requestId: http.requestId }
  const done = await inTenant(deps.database, tenant, async (db) => {
    const outcome = await changeSubjectLink(db, event)
    if (outcome.ok && outcome.value.changed) {
      const detail = { from: outcome.value.from ?? null, to: scimUserId ?? null, eventId }
      const kind = scimUserId === undefined ? 'subject.unlinked' : 'subject.linked'
      await audit(db, tenant, http, deps, { kind, subjectId, reason: http.parsed.reason, detail })
    }
    return outcome
  })
  if (!done.ok) return refuseAdmin(refusals[done.error])
  const { changed, epoch, deactivated } = done.value
  return json({ subjectId, scimUserId: scimUserId ?? null, eventId: changed ? eventId : null, epoch, deactivated })
}

const link = adminEndpoint({
  ...common,
  path: '/tenants/:tenant/subjects/:id/link',
  summary: 'Link a subject to a user of her connection’s directory, in place of the link she has; what was issued until now is dead',
  body: z.strictObject({ scimUserId: idShape, reason }),
  answer: linked,
  refuses: ['not_found', 'reference_unknown', 'scim_user_linked'],
  run: (http, deps) => change(http, deps, http.parsed.scimUserId as ScimUserId),
})

const unlink = adminEndpoint({
  ...common,
  path: '/tenants/:tenant/subjects/:id/unlink',
  summary: 'Take the link of a subject away; what was issued until now is dead, and the link key may link her anew',
  body: z.strictObject({ reason }),
  answer: linked,
  refuses: ['not_found'],
  run: (http, deps) => change(http, deps, undefined),
})

const scimUserShape = z.strictObject({
  id: idShape,
  connectionId: idShape,
  userName: z.string(),
  externalId: z.string().nullable(),
  active: z.boolean(),
  createdAt: time,
  unnamedSince: timeOrNull.describe(
    'Since when, after a restore, her directory has not named her, and she stays out; null: nothing is awaited',
  ),
  deletedAt: timeOrNull.describe('A tombstone: whom it names does not come back by herself'),
  subjectId: idShape.nullable().describe('Who is linked to it; null: nobody who has signed in'),
})
const showScimUser = (user: ListedScimUser): z.output<typeof scimUserShape> => ({
  ...user,
  createdAt: toIso(user.createdAt),
  unnamedSince: toIsoOrNull(user.unnamedSince),
  deletedAt: toIsoOrNull(user.deletedAt),
})

const scimUsers = adminList({
  path: '/tenants/:tenant/scim-users',
  tag: 'Directory',
  summary: 'List the users of the directories and whom each is linked to, newest first',
  permission: 'audit:read',
  member: 'scimUsers',
  shown: scimUserShape,
  position: ['before', 'moment'],
  filters: {
    userName: z.string().max(1024).optional().describe('Finds exactly, without case'),
    externalId: z.string().max(1024).optional().describe('Finds exactly'),
    unnamed: z.literal('true').optional().describe('true: those who stay out since a restore, until their directory names them'),
  },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    const { unnamed, ...named } = http.asked
    const filter = { ...named, onlyUnnamed: unnamed === 'true' }
    return inTenant(deps.database, id, (db) => listScimUsersWithSubjects(db, id, filter, page))
  },
  show: showScimUser,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

export const subjectLinkEndpoints = [scimUsers, link, unlink]
