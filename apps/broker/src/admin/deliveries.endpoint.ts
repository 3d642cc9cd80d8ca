/** Calls that must arrive, as an admin sees them; what was given up is tried again when she says so. The vendor's own are those of its webhooks. */
import { deliveryKinds } from '@drawbridge/core/revocation/delivery'
import {
  type DeliveryRecord,
  deliveryStates,
  isDelivery,
  listDeliveries,
  mostReplayed,
  replayDead,
} from '@drawbridge/store/delivery-records'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { ownedByTenant, ownedByVendor, type RowOwner, reservedFor } from './row-owner.js'
import { id as idShape, time, timeOrNull, toIso } from './shapes.js'

const tag = 'Deliveries'
const shown = z.strictObject({
  id: idShape.describe('By which the receiver recognises a repeat: jti, webhook-id'),
  kind: z.enum(deliveryKinds),
  destinationId: idShape.describe('Of a webhook: its id'),
  clientId: z.string().nullable().describe('Of a client that hears of logouts'),
  eventId: idShape,
  orderKey: z.string().describe('What has the same arrives in order: news of one person. Logouts have none: each begins with the sub'),
  state: z.enum(deliveryStates),
  attempts: z.int(),
  reason: z.string().nullable().describe('Why the last try failed, or why it was given up'),
  createdAt: time,
  dueAt: time.describe('When it is tried next, if its destination is not paused'),
  deliveredAt: timeOrNull,
  deadAt: timeOrNull,
  pausedUntil: timeOrNull.describe('Nothing is tried at its destination before'),
  failingSince: timeOrNull.describe('Of its destination'),
})
const orNull = (at: DeliveryRecord['deadAt']) => (at === null ? null : toIso(at))
const show = (delivery: DeliveryRecord): z.output<typeof shown> => ({
  ...delivery,
  createdAt: toIso(delivery.createdAt),
  dueAt: toIso(delivery.dueAt),
  deliveredAt: orNull(delivery.deliveredAt),
  deadAt: orNull(delivery.deadAt),
  pausedUntil: orNull(delivery.pausedUntil),
  failingSince: orNull(delivery.failingSince),
})

const ofTenant = ownedByTenant('deliveries', '')
const ofVendor = ownedByVendor('deliveries', ' to webhooks of the vendor')
const commonOf = (owner: RowOwner) => ({ tag, ...reservedFor(owner) })

const list = (owner: RowOwner) =>
  adminList({
    ...commonOf(owner),
    path: owner.path,
    summary: `List calls${owner.whose} that must arrive, newest first; dead: given up, and kept for 30 days to be replayed`,
    permission: 'audit:read',
    member: 'deliveries',
    shown,
    position: ['before', 'moment'],
    filters: { state: z.enum(deliveryStates).optional(), destinationId: z.uuid().optional() },
    read: (http, deps, page) => {
      const id = owner.tenantId(http)
      const { state, destinationId } = http.asked
      return inTenant(deps.database, id, (db) => listDeliveries(db, id, { state, destinationId }, page))
    },
    show,
    positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
  })

const replayed = z.strictObject({ replayed: z.int().max(mostReplayed) })

const replay = (owner: RowOwner) =>
  adminEndpoint({
    ...commonOf(owner),
    method: 'POST',
    path: `${owner.path}/:id/replay`,
    summary: `Try a call${owner.whose} again that was given up, at once and as often as a new one`,
    permission: 'configuration:write',
    answer: replayed,
    refuses: ['not_found', 'delivery_not_given_up'],
    run: async (http, deps) => {
      const tenant = owner.tenantId(http)
      const id = idParam(http)
      if (id === undefined) return refuseAdmin('not_found')
      const found = await inTenant(deps.database, tenant, async (db) => {
        const count = await replayDead(db, tenant, { id }, deps.clock.now())
        if (count === 0) return (await isDelivery(db, tenant, id)) ? 'delivery_not_given_up' : 'not_found'
        await audit(db, tenant, http, deps, { kind: 'delivery.replayed', detail: { delivery: id, count } })
        return count
      })
      return typeof found === 'string' ? refuseAdmin(found) : json({ replayed: found })
    },
  })

const replayAll = (owner: RowOwner) =>
  adminEndpoint({
    ...commonOf(owner),
    method: 'POST',
    path: `${owner.path}/replay-dead`,
    summary: `Try again the calls${owner.whose} that were given up, of one destination or of all, at most ${mostReplayed} in one request; not that somebody is back who is gone again`,
    permission: 'configuration:write',
    body: z.strictObject({ destinationId: z.uuid().optional() }),
    answer: replayed,
    run: async (http, deps) => {
      const tenant = owner.tenantId(http)
      const { destinationId } = http.parsed
      const count = await inTenant(deps.database, tenant, async (db) => {
        const again = await replayDead(db, tenant, { destinationId }, deps.clock.now())
        await audit(db, tenant, http, deps, { kind: 'delivery.replayed', detail: { destination: destinationId ?? null, count: again } })
        return again
      })
      return json({ replayed: count })
    },
  })

export const deliveryEndpoints = [ofTenant, ofVendor].flatMap((owner) => [list(owner), replay(owner), replayAll(owner)])
