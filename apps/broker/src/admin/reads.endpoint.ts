/** What an admin looks through before and after taking something away: grants and subjects. */
import { ceilingKinds } from '@drawbridge/core/policy/decision'
import { type ListedGrant, type ListedSubject, listGrants, listSubjects } from '@drawbridge/store/admin-reads'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { tenantOf } from '../http/endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Revocation'

const ceiling = z.strictObject({ seconds: z.int(), by: z.enum(ceilingKinds), detail: z.string() })
const wonCeilings = z.strictObject({ accessToken: ceiling.nullable(), refreshToken: ceiling.nullable() })

const grantShape = z.strictObject({
  id: idShape,
  clientId: z.string(),
  subjectId: idShape.nullable(),
  connectionId: idShape.nullable(),
  audience: z.string(),
  scopes: z.array(z.string()),
  accessTokenSeconds: z.int().describe('How long an access token of it lives, unless the grant ends before'),
  refreshTokenSeconds: z.int().nullable().describe('How long a refresh token of it waits to be used; null: it has none'),
  ceilings: wonCeilings.describe(
    'Which limit won, when it was opened or decided again; null where there is no such token, or an earlier version opened or tightened it',
  ),
  exchangedFrom: idShape
    .nullable()
    .describe('The grant whose token was exchanged for it, with which it ends; null: the person gave it to the client herself'),
  createdAt: time.describe('Of two installations of a client that prove nothing, this and the address tell them apart'),
  openedFrom: z.string().nullable().describe('Address of whoever opened it: her browser, or the client; null: the trail does not say'),
  boundToKey: z
    .string()
    .nullable()
    .describe('Thumbprint of the key that its refresh tokens are bound to: two with one key are of one installation; null: of none'),
  expiresAt: time,
  revokedAt: timeOrNull,
  revokedReason: z.string().nullable(),
  living: z.boolean().describe('What the token endpoints would say of it now'),
})
/** An earlier version tightens the seconds and does not tell by which limit: then none is named, rather than a wrong one. */
function stillWon({ ceilings, accessTokenSeconds, refreshTokenSeconds }: ListedGrant): z.output<typeof wonCeilings> {
  const { accessToken = null, refreshToken = null } = wonCeilings.safeParse(ceilings).data ?? {}
  return {
    accessToken: accessToken?.seconds === accessTokenSeconds ? accessToken : null,
    refreshToken: refreshToken?.seconds === refreshTokenSeconds ? refreshToken : null,
  }
}
const showGrant = (grant: ListedGrant): z.output<typeof grantShape> => ({
  ...grant,
  scopes: [...grant.scopes],
  ceilings: stillWon(grant),
  createdAt: toIso(grant.createdAt),
  expiresAt: toIso(grant.expiresAt),
  revokedAt: toIsoOrNull(grant.revokedAt),
})

const grants = adminList({
  path: '/tenants/:tenant/grants',
  tag,
  summary: 'List grants, newest first',
  permission: 'audit:read',
  member: 'grants',
  shown: grantShape,
  position: ['before', 'moment'],
  filters: { subject: z.uuid().optional(), client: z.string().max(2048).optional() },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    const filter = { subjectId: http.asked.subject, clientId: http.asked.client, now: deps.clock.now() }
    return inTenant(deps.database, id, (db) => listGrants(db, id, filter, page))
  },
  show: showGrant,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const subjectShape = z.strictObject({
  id: idShape,
  connectionId: idShape,
  stableId: z.string(),
  scimUserId: idShape.nullable(),
  epoch: z.int(),
  deactivatedAt: timeOrNull,
  deactivatedBy: z
    .array(z.string())
    .describe('Who keeps her out: scim (her directory), signal (her IdP), admin; empty while she is not deactivated'),
  lastLoginAt: time,
})
const showSubject = (subject: ListedSubject): z.output<typeof subjectShape> => ({
  ...subject,
  deactivatedAt: toIsoOrNull(subject.deactivatedAt),
  deactivatedBy: [...subject.deactivatedBy],
  lastLoginAt: toIso(subject.lastLoginAt),
})

const subjects = adminList({
  path: '/tenants/:tenant/subjects',
  tag,
  summary: 'List subjects by last login, newest first',
  permission: 'audit:read',
  member: 'subjects',
  shown: subjectShape,
  position: ['before', 'moment'],
  filters: { stableId: z.string().max(1024).optional().describe('Finds one person exactly') },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listSubjects(db, id, http.asked.stableId, page))
  },
  show: showSubject,
  positionOf: ({ lastLoginAt, id }) => momentPosition(lastLoginAt, id),
})

export const readEndpoints = [grants, subjects]
