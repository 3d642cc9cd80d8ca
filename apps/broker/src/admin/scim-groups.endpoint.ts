/** The groups that directories sent, and whom they hold: what a policy's groups are decided on, as an admin sees it. Changed at the directory alone. */
import { type ListedScimGroup, type ListedScimMember, listScimGroupMembers, listScimGroups } from '@drawbridge/store/listed-scim-groups'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { tenantOf } from '../http/endpoint.js'
import { idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { id as idShape, time, toIso } from './shapes.js'

const common = { tag: 'Directory', permission: 'audit:read' } as const

const groups = adminList({
  ...common,
  path: '/tenants/:tenant/scim-groups',
  summary: 'List the groups that the directories have sent, newest first; what a directory deleted is not among them',
  member: 'scimGroups',
  shown: z.strictObject({
    id: idShape,
    connectionId: idShape,
    displayName: z.string().describe('A policy may name it so, without case'),
    externalId: z.string().nullable().describe('A policy may name it so, too'),
    memberCount: z.int().describe('People and groups that it holds itself'),
    createdAt: time,
    updatedAt: time,
  }),
  position: ['before', 'moment'],
  filters: {
    displayName: z.string().max(1024).optional().describe('Finds exactly, without case'),
    externalId: z.string().max(1024).optional().describe('Finds exactly'),
    memberId: z.uuid().optional().describe('Those that hold this user, or this group, itself'),
  },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listScimGroups(db, id, http.asked, page))
  },
  show: ({ createdAt, updatedAt, ...group }: ListedScimGroup) => ({ ...group, createdAt: toIso(createdAt), updatedAt: toIso(updatedAt) }),
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const members = adminList({
  ...common,
  path: '/tenants/:tenant/scim-groups/:id/members',
  summary: 'List whom a group of a directory holds itself, by id',
  refuses: ['not_found'],
  member: 'members',
  shown: z.strictObject({
    id: idShape,
    type: z.enum(['user', 'group']),
    display: z.string(),
    userName: z.string().nullable().describe('null: it is a group'),
    active: z.boolean().nullable().describe('False: the directory has switched the person off; null: it is a group'),
    subjectId: idShape.nullable().describe('Who is linked to the user; null: nobody who has signed in'),
  }),
  position: ['after', 'id'],
  read: (http, deps, page) => {
    const { id: tenant } = tenantOf(http)
    const group = idParam(http)
    if (group === undefined) return Promise.resolve(undefined)
    return inTenant(deps.database, tenant, (db) => listScimGroupMembers(db, tenant, group, page))
  },
  show: ({ isGroup, ...member }: ListedScimMember) => ({ ...member, type: isGroup ? ('group' as const) : ('user' as const) }),
  positionOf: ({ id }) => id,
})

export const scimGroupEndpoints = [groups, members]
