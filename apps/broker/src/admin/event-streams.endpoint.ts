/** Event streams of a resource as its owner sees them: how far behind each is and why; held, let go, or ended by an admin. */
import { streamStatuses } from '@drawbridge/core/signals/event-stream'
import { streamUpdatedClaims } from '@drawbridge/core/signals/set-claims'
import type { ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import {
  type CarriedFor,
  deleteStreamOfResource,
  findCarriedForAcrossTenants,
  holdStream,
  type ListedStream,
  letStreamGo,
  listStreamsOfResourceAcrossTenants,
  mostWaitingCounted,
  type StreamOfOwner,
} from '@drawbridge/store/event-stream-bounds'
import type { OwnEvent } from '@drawbridge/store/event-streams'
import { findOwnResource } from '@drawbridge/store/resources'
import { acrossTenants, type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import type { Endpoint } from '../http/endpoint.js'
import { signOwnEvent } from '../http/own-event.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { commonOf, type ResourceOwner } from './owned-resources.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const shown = z.strictObject({
  id: idShape,
  issuer: z.string().describe('Whose events it carries'),
  description: z.string().nullable(),
  method: z.enum(['push', 'poll']),
  endpointUrl: z.string().nullable().describe('Where it is pushed to; null: it is polled'),
  eventsRequested: z.array(z.string()).nullable().describe('Null: every event'),
  status: z.enum(streamStatuses),
  statusReason: z.string().nullable(),
  statusBy: z.enum(['receiver', 'operator', 'transmitter']),
  statusAt: time,
  createdAt: time,
  heardAt: time.describe('When its receiver last called, or took what was pushed'),
  waiting: z.int().describe(`Events that it owes, counted up to ${mostWaitingCounted}`),
  oldestWaitingAt: timeOrNull.describe('Since when it is behind; null: it is not'),
  refusals: z.int().describe('Events that its receiver has refused for good'),
  failures: z.int().describe('Pushes in a row that came to nothing'),
  trouble: z.string().nullable().describe('Of the last one'),
  tryAt: timeOrNull.describe('When it is tried again; null: at once'),
})
const show = (stream: ListedStream): z.output<typeof shown> => ({
  ...stream,
  eventsRequested: stream.eventsRequested === null ? null : [...stream.eventsRequested],
  statusAt: toIso(stream.statusAt),
  createdAt: toIso(stream.createdAt),
  heardAt: toIso(stream.heardAt),
  oldestWaitingAt: toIsoOrNull(stream.oldestWaitingAt),
  tryAt: toIsoOrNull(stream.tryAt),
})

const list = (owned: ResourceOwner): Endpoint =>
  adminList({
    ...commonOf(owned),
    path: `${owned.path}/:id/streams`,
    summary: 'List the event streams of a resource of this owner, oldest first, with what waits and why',
    permission: 'configuration:read',
    refuses: ['not_found'],
    member: 'streams',
    shown,
    position: ['after', 'moment'],
    read: async (http, deps, page) => {
      const [owner, id] = [owned.ownerOf(http), idParam<ResourceId>(http)]
      const own = id && (await inTenant(deps.database, owner, (db) => findOwnResource(db, owner, id)))
      return own ? acrossTenants(deps.database, (db) => listStreamsOfResourceAcrossTenants(db, owner, own.id, page)) : undefined
    },
    show,
    positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
  })

type Act = {
  readonly kind: 'event_stream.paused' | 'event_stream.resumed' | 'event_stream.deleted'
  /** What its receiver is told of it. */
  readonly tells?: { readonly status: 'paused' | 'enabled'; readonly reason: string | undefined }
  readonly write: (db: Db, stream: StreamOfOwner, event: OwnEvent | undefined) => Promise<boolean>
}

async function act(http: AdminRequest<unknown>, deps: BrokerDeps, owner: TenantId, { kind, tells, write }: Act): Promise<Answer> {
  const [resourceId, id] = [idParam<ResourceId>(http), idParam(http, 'stream')]
  if (resourceId === undefined || id === undefined) return refuseAdmin('not_found')
  const stream = { owner, resourceId, id }
  const of = await acrossTenants(deps.database, (db) => findCarriedForAcrossTenants(db, stream))
  if (of === undefined) return refuseAdmin('not_found')
  const event = tells && (await updatedEvent(deps, of, streamUpdatedClaims(id, tells.status, tells.reason)))
  const done = await inTenant(deps.database, owner, async (db) => {
    if (!(await write(db, stream, event))) return false
    await audit(db, owner, http, deps, { kind, detail: { resource: of.audience, stream: id, tenant: of.slug } })
    return true
  })
  return done ? empty() : refuseAdmin('not_found')
}

/** Signed by the issuer whose events the stream carries. */
async function updatedEvent(
  deps: BrokerDeps,
  { slug, kind, audience }: CarriedFor,
  claims: Readonly<Record<string, unknown>>,
): Promise<OwnEvent> {
  const tenant = await deps.configuration.find(slug, kind)
  if (tenant === undefined) throw new Error('invariant broken: a stream is of an issuer that exists')
  return signOwnEvent(deps, tenant, { kind: 'stream-updated', audience, claims })
}

const pauseBody = z.strictObject({ reason: z.string().trim().min(1).max(200).optional().describe('Its receiver reads it') })

const pause = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'POST',
    path: `${owned.path}/:id/streams/:stream/pause`,
    summary: 'Pause an event stream; it holds back what it owes within its bounds, and only an admin lets it go on',
    permission: 'configuration:write',
    body: pauseBody,
    refuses: ['not_found'],
    run: (http, deps) => {
      const { reason } = http.parsed
      const write: Act['write'] = async (db, stream, event) =>
        event !== undefined && holdStream(db, stream, { reason, now: deps.clock.now(), event })
      const tells = { status: 'paused', reason } as const
      return act(http, deps, owned.ownerOf(http), { kind: 'event_stream.paused', tells, write })
    },
  })

const resume = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'POST',
    path: `${owned.path}/:id/streams/:stream/resume`,
    summary: 'Let an event stream go on that an admin has paused',
    permission: 'configuration:write',
    refuses: ['not_found'],
    run: (http, deps) => {
      const write: Act['write'] = async (db, stream, event) =>
        event !== undefined && letStreamGo(db, stream, { now: deps.clock.now(), event })
      const tells = { status: 'enabled', reason: undefined } as const
      return act(http, deps, owned.ownerOf(http), { kind: 'event_stream.resumed', tells, write })
    },
  })

const remove = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'DELETE',
    path: `${owned.path}/:id/streams/:stream`,
    summary: 'Delete an event stream; what it still owed is not told, and its receipts say so',
    permission: 'configuration:write',
    refuses: ['not_found'],
    run: (http, deps) => {
      const write: Act['write'] = (db, stream) => deleteStreamOfResource(db, stream, deps.clock.now())
      return act(http, deps, owned.ownerOf(http), { kind: 'event_stream.deleted', write })
    },
  })

export const resourceStreamEndpoints = (owned: ResourceOwner): readonly Endpoint[] =>
  [list, pause, resume, remove].map((make) => make(owned))
