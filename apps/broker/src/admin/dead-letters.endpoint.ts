/** Dead letters: work that was promised and given up after its last round. Of all tenants, for the vendor, who runs the workers. */
import { type DeadLetter, listDeadLettersAcrossTenants, mostReplayed, replayDeadLettersAcrossTenants } from '@drawbridge/store/dead-letters'
import { acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { adminEndpoint } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, toIso } from './shapes.js'

const tag = 'Dead letters'
const kind = z.string().min(1).max(100)

const deadLetterShown = z.strictObject({
  id: z.int(),
  tenant: z.string(),
  kind: z.string().describe('revoke: resource servers are not told of a revocation; an emergency, though the barrier holds'),
  createdAt: time,
  deadAt: time,
  reason: z.string().describe('Why its last round failed'),
  attempts: z.int().describe('How often the queue was given it'),
  eventId: z.uuid().nullable().describe('The event whose receipt waits for it'),
  target: z.string().nullable(),
  targetId: z.string().nullable(),
})
const showDeadLetter = (letter: DeadLetter): z.output<typeof deadLetterShown> => ({
  ...letter,
  createdAt: toIso(letter.createdAt),
  deadAt: toIso(letter.deadAt),
})

const list = adminList({
  path: '/dead-letters',
  tag,
  summary: 'List work that was given up after its last round, newest first',
  permission: 'audit:read',
  vendorOnly: true,
  member: 'deadLetters',
  shown: deadLetterShown,
  position: ['before', 'serial'],
  filters: { kind: kind.optional(), tenant: z.string().max(63).optional().describe('The slug of one tenant') },
  read: (http, deps, page) =>
    acrossTenants(deps.database, (db) => listDeadLettersAcrossTenants(db, { kind: http.asked.kind, tenant: http.asked.tenant }, page)),
  show: showDeadLetter,
  positionOf: ({ id }) => id,
})

const reason = z.string().trim().min(1).max(300).describe('For the trail of each tenant whose work it is')

const replay = adminEndpoint({
  method: 'POST',
  path: '/dead-letters/replay',
  tag,
  summary: 'Have one of them, or all of a kind, tried again at once, with all their rounds before them',
  permission: 'revoke',
  vendorOnly: true,
  body: z
    .strictObject({ id: z.int().positive().optional(), kind: kind.optional(), reason })
    .refine(({ id, kind: all }) => (id === undefined) !== (all === undefined), 'either an id or a kind'),
  answer: z.strictObject({ replayed: z.int().describe(`At most ${mostReplayed}; of more, ask again`) }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { reason: why, id, kind: all } = http.parsed
    const which = id === undefined ? { kind: all ?? '' } : { id }
    const { key, isVendor } = http.caller
    const by = {
      ...{ kind: 'dead_letters.replayed' as const, reason: why, detail: { adminKey: key.id, vendor: isVendor } },
      ...{ requestId: http.requestId, address: http.address },
    }
    const replayed = await acrossTenants(deps.database, (db) => replayDeadLettersAcrossTenants(db, { which, now: deps.clock.now() }, by))
    return replayed === 0 ? refuseAdmin('not_found') : json({ replayed })
  },
})

export const deadLetterEndpoints = [list, replay]
