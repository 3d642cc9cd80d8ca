/** Receipts: what was taken away, when it was dead here, and when at each guard. The evidence that an auditor asks a tenant for. */
import { receiversKeepSeconds } from '@drawbridge/store/event-retention'
import { listRevocationReceipts, mostReceiversListed, type ReceiptFilter, type RevocationReceipt } from '@drawbridge/store/notice-receipts'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { tenantOf } from '../http/endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const receiverShape = z.strictObject({
  resource: z.string(),
  instance: z.string().describe('How the replica names itself, or which event stream it is'),
  dueAt: time.describe('When it had to be told'),
  notifiedAt: timeOrNull.describe('When it was handed the notice'),
  acknowledgedAt: timeOrNull,
  refusedAt: timeOrNull,
  refusal: z.string().nullable().describe('RFC 8935 §2.4'),
  lapsedAt: timeOrNull.describe('When it was given up as silent; by then it refuses, or asks about each token, by its own setting'),
  pausedAt: timeOrNull.describe('Since when its event stream is paused: it has not been told, and does not refuse by itself'),
})

const daysOf = (seconds: number): number => seconds / 86_400

const receiptShape = z.strictObject({
  eventId: idShape,
  source: z.string(),
  target: z.string(),
  targetId: z.string(),
  reason: z.string(),
  matched: z.boolean().describe('False: it named nobody that we know; an alarm'),
  toldAt: timeOrNull.describe('When it happened, as the source says; null: it did not say'),
  receivedAt: time,
  barrierAt: time.describe('From here on nothing of the target is accepted or issued by us'),
  sweptAt: timeOrNull.describe('When the notices were written'),
  deadAt: timeOrNull.describe('Since when it is dead everywhere; null: an instance has not answered yet, or nothing matched'),
  secondsToDead: z.number().nullable().describe('From the barrier until dead everywhere'),
  due: z
    .int()
    .describe('Guard instances and event streams that had to hear of it; 0: none listened, and access tokens are believed until they end'),
  notified: z.int(),
  acknowledged: z.int(),
  refused: z.int(),
  lapsed: z.int(),
  paused: z.int(),
  receiversFoldedAt: timeOrNull.describe(
    `Since when only these counts are left of the receipts: after ${daysOf(receiversKeepSeconds)} days, or as DRAWBRIDGE_RECEIPT_DAYS says. Null: each is still kept`,
  ),
  receivers: z
    .array(receiverShape)
    .max(mostReceiversListed)
    .nullable()
    .describe('Each of them, where asked for; null, too, once they are folded'),
})
const showReceipt = (receipt: RevocationReceipt): z.output<typeof receiptShape> => ({
  ...receipt,
  toldAt: toIsoOrNull(receipt.toldAt),
  receivedAt: toIso(receipt.receivedAt),
  barrierAt: toIso(receipt.barrierAt),
  sweptAt: toIsoOrNull(receipt.sweptAt),
  deadAt: toIsoOrNull(receipt.deadAt),
  receiversFoldedAt: toIsoOrNull(receipt.receiversFoldedAt),
  receivers: receipt.receivers === null ? null : [...receipt.receivers],
})

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
const moment = time.transform(fromIso).optional()

const receipts = adminList({
  path: '/tenants/:tenant/revocations',
  tag: 'Revocation',
  summary: 'Receipts, newest first: what was taken away, when, and since when it is dead at every guard',
  permission: 'audit:read',
  member: 'revocations',
  shown: receiptShape,
  position: ['before', 'moment'],
  filters: {
    since: moment.describe('Received at or after'),
    until: moment.describe('Received before'),
    matched: flag.optional().describe('false: the alarms'),
    receivers: flag.optional().describe(`true: with each guard instance, at most ${mostReceiversListed} an event`),
    resource: z
      .string()
      .max(2048)
      .optional()
      .describe('With receivers: those of this resource server alone, first who has acknowledged. The counts stay those of all'),
  },
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    const { since, until, matched, receivers = false, resource } = http.asked
    const filter: ReceiptFilter = { since, until, matched, withReceivers: receivers, resource }
    return inTenant(deps.database, id, (db) => listRevocationReceipts(db, id, filter, page))
  },
  show: showReceipt,
  positionOf: ({ receivedAt, eventId }) => momentPosition(receivedAt, eventId),
})

export const receiptEndpoints = [receipts]
