/** The queue of an admin's decisions: clients that people use, that asked for want of an approval, or that lost it, and that nobody vouches for now. */
import { hostOfClient } from '@drawbridge/core/oauth/client'
import { inTenant } from '@drawbridge/store/transaction'
import { listWaitingClients, mostPeopleCounted, type WaitingClient } from '@drawbridge/store/waiting-clients'
import { z } from 'zod'
import { tenantOf } from '../http/endpoint.js'
import { adminList } from './admin-list.js'
import { clientShape, showClient } from './client-shapes.js'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const waitingShape = clientShape.extend({
  host: z.string().describe('Of its document, or of its first redirect URI: what stands behind the name'),
  firstSeenAt: time,
  askedAt: timeOrNull.describe('When it last asked in vain, because the tenant demands an approval; exact to a day'),
  people: z.int().describe(`How many have granted it something that lives; counted up to ${mostPeopleCounted}`),
})

const show = ({ client, firstSeenAt, askedAt, people }: WaitingClient): z.output<typeof waitingShape> => ({
  ...showClient(client),
  host: hostOfClient(client),
  firstSeenAt: toIso(firstSeenAt),
  askedAt: toIsoOrNull(askedAt),
  people,
})

const waiting = adminList({
  path: '/tenants/:tenant/waiting-clients',
  tag: 'Clients',
  summary: 'List clients that wait to be approved or blocked: in use, asked for, or approved before, and vouched for by nobody now',
  permission: 'configuration:read',
  member: 'clients',
  shown: waitingShape,
  position: ['after', 'name'],
  filters: { unused: z.literal('true').optional().describe('Those that nobody uses or asks for, too') },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    const filter = { withUnused: http.asked.unused === 'true', now: deps.clock.now() }
    return inTenant(deps.database, id, (db) => listWaitingClients(db, id, filter, page))
  },
  show,
  positionOf: ({ client }) => client.id,
})

export const waitingClientEndpoints = [waiting]
