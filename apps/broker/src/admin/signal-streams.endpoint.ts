/**
 * The stream of security events that a connection hears: set up at its transmitter, asked to verify itself, looked at, and given up. Who sets one up
 * says whose word ends access, and gives a credential away from here: `impersonate`, as all that is believed of an IdP.
 */
import { toSeconds } from '@drawbridge/core/instant'
import { type SignalErrorReason, signalErrors } from '@drawbridge/core/signals/error'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { type CountedRefusal, listRefusals } from '@drawbridge/store/refused-security-events'
import { deleteSignalStream, findSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { inTenant } from '@drawbridge/store/transaction'
import { streamCredentialShape } from '@drawbridge/upstream/signals/stream-credential'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { ssfReceiverUrlOf } from '../http/connection-addresses.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import {
  isManaged,
  keepByHand,
  retireStream,
  type SetUpRefusal,
  type StreamAt,
  sayOf,
  setUpStream,
  verifyStream,
} from './set-up-signal-stream.js'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Connections'
const path = '/tenants/:tenant/connections/:id/signal-stream'

const shown = z.strictObject({
  delivery: z.enum(['push', 'poll']),
  receiverUrl: z.url().describe('Where a transmitter pushes'),
  streamId: z.string().nullable().describe('As the transmitter calls it; null: set up there by hand'),
  pollUrl: z.string().nullable(),
  hasCredential: z.boolean(),
  status: z.enum(['unknown', 'enabled', 'paused', 'disabled']).describe('As the transmitter said last'),
  statusReason: z.string().nullable(),
  statusAt: timeOrNull,
  verificationAskedAt: timeOrNull,
  verifiedAt: timeOrNull.describe('When the stream last answered that it works'),
  silentSince: timeOrNull.describe('Since when it is known not to answer'),
  lastEventAt: timeOrNull,
  lagSeconds: z.number().nullable().describe('From the making of the last event to its coming'),
  answeredAt: timeOrNull.describe('When the transmitter last answered us well'),
  failures: z.number().describe('Of fetching, in a row'),
  failingSince: timeOrNull,
  checkFailingSince: timeOrNull.describe('poll: the transmitter cannot be asked how the stream is, though it may be fetched'),
  lastError: z.string().nullable(),
  lastErrorSays: z.string().nullable(),
  lastErrorAt: timeOrNull,
  nextPollAt: timeOrNull,
  refusals: z
    .number()
    .describe('Of events that the transmitter signed and we did not believe: they did nothing, and are delivered no more'),
  refusal: z.string().nullable().describe('Of the last of them'),
  refusalSays: z.string().nullable(),
  refusedAt: timeOrNull,
  refusalsByReason: z
    .array(z.strictObject({ reason: z.string(), says: z.string().nullable(), refusals: z.number(), refusedAt: time }))
    .describe('The same, for each reason; the last first'),
})

type Seen = { readonly stream: StoredStream; readonly refused: readonly CountedRefusal[] }

const show = ({ stream, refused }: Seen, { tenant, connectionId }: StreamAt): z.output<typeof shown> => {
  const { lastEventAt: came, lastEventIssuedAt: made } = stream
  return {
    ...{ delivery: stream.delivery, receiverUrl: ssfReceiverUrlOf(tenant, connectionId), streamId: stream.streamId ?? null },
    ...{ pollUrl: stream.pollUrl ?? null, hasCredential: stream.sealedCredential !== undefined },
    ...{ status: stream.status, statusReason: stream.statusReason ?? null, statusAt: toIsoOrNull(stream.statusAt) },
    ...{ verificationAskedAt: toIsoOrNull(stream.verificationAskedAt), verifiedAt: toIsoOrNull(stream.verifiedAt) },
    ...{ silentSince: toIsoOrNull(stream.silentSince), lastEventAt: toIsoOrNull(came) },
    lagSeconds: came === undefined || made === undefined ? null : Math.max(0, toSeconds(came) - toSeconds(made)),
    ...{ answeredAt: toIsoOrNull(stream.answeredAt), failures: stream.failures, failingSince: toIsoOrNull(stream.failingSince) },
    checkFailingSince: toIsoOrNull(stream.checkFailingSince),
    ...{ lastError: stream.lastError ?? null, lastErrorSays: stream.lastError === undefined ? null : sayOf(stream.lastError) },
    ...{ lastErrorAt: toIsoOrNull(stream.lastErrorAt), nextPollAt: toIsoOrNull(stream.nextPollAt) },
    ...{ refusals: stream.refusals, refusal: stream.refusal ?? null, refusedAt: toIsoOrNull(stream.refusedAt) },
    refusalSays: sayOfRefusal(stream.refusal),
    refusalsByReason: refused.map(({ refusedAt, ...each }) => ({ ...each, says: sayOfRefusal(each.reason), refusedAt: toIso(refusedAt) })),
  }
}

/** A refusal is kept as its reason, and the rule. */
function sayOfRefusal(refusal: string | undefined): string | null {
  const [reason = ''] = (refusal ?? '').split(':')
  return Object.hasOwn(signalErrors, reason) ? signalErrors[reason as SignalErrorReason].say : null
}

const at = (http: HttpRequest<unknown, unknown>): StreamAt | undefined => {
  const connectionId = idParam<ConnectionId>(http)
  return connectionId && { tenant: tenantOf(http), connectionId }
}
const find = (deps: BrokerDeps, { tenant, connectionId }: StreamAt): Promise<StoredStream | undefined> =>
  inTenant(deps.database, tenant.id, (db) => findSignalStream(db, tenant.id, connectionId))

async function answerShown(deps: BrokerDeps, stream: StreamAt): Promise<Answer> {
  const { tenant, connectionId } = stream
  const stored = await inTenant(deps.database, tenant.id, async (db) => ({
    stream: await findSignalStream(db, tenant.id, connectionId),
    refused: await listRefusals(db, tenant.id, connectionId),
  }))
  return stored.stream ? json(show({ stream: stored.stream, refused: stored.refused }, stream)) : refuseAdmin('not_found')
}

export const refuseStream = (refusal: SetUpRefusal): Answer =>
  typeof refusal === 'string'
    ? refuseAdmin(refusal)
    : refuseAdmin('transmitter_failed', [{ path: refusal.trouble, message: sayOf(refusal.trouble) }])

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Say how the security events of a connection are heard, and how well',
  permission: 'configuration:read',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const stream = at(http)
    return stream ? answerShown(deps, stream) : refuseAdmin('not_found')
  },
})

const put = adminEndpoint({
  method: 'PUT',
  path,
  tag,
  summary:
    'Set up the stream at the transmitter that the connection names, and ask it to verify itself; with pollUrl, fetch one that was made there by hand',
  permission: 'impersonate',
  body: z
    .strictObject({
      delivery: z.enum(['push', 'poll']).describe('push: the transmitter calls us; poll: a worker fetches'),
      credential: streamCredentialShape.describe('What we prove ourselves with there; sealed, and never shown'),
      pollUrl: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .optional()
        .describe('poll: of a stream that was made by hand'),
      streamId: z.string().min(1).max(1024).optional().describe('poll: of that stream, so that it can be asked to verify itself'),
    })
    .refine(({ delivery, pollUrl, streamId }) => (pollUrl === undefined ? streamId === undefined : delivery === 'poll'), {
      path: ['pollUrl'],
      message: 'only what is fetched has one, and only a stream that was made by hand is named',
    }),
  answer: shown,
  refuses: ['not_found', 'signals_not_configured', 'transmitter_failed'],
  run: async (http, deps) => {
    const stream = at(http)
    if (stream === undefined) return refuseAdmin('not_found')
    const { delivery, credential, pollUrl, streamId } = http.parsed
    const audited = (db: Parameters<typeof audit>[0], detail: Readonly<Record<string, unknown>>) =>
      audit(db, stream.tenant.id, http, deps, { kind: 'connection.signal_stream_put', connectionId: stream.connectionId, detail })
    const done =
      pollUrl === undefined
        ? await setUpStream(deps, stream, { delivery, credential }, audited)
        : await keepByHand(deps, stream, { pollUrl, streamId, credential }, audited)
    return done.ok ? answerShown(deps, stream) : refuseStream(done.error)
  },
})

const verify = adminEndpoint({
  method: 'POST',
  path: `${path}/verify`,
  tag,
  summary: 'Ask the transmitter how the stream is, and have the stream itself answer; whether it did is shown here a moment later',
  permission: 'configuration:write',
  answer: shown,
  refuses: ['not_found', 'signal_stream_by_hand'],
  run: async (http, deps) => {
    const stream = at(http)
    const stored = stream && (await find(deps, stream))
    if (stream === undefined || stored === undefined) return refuseAdmin('not_found')
    if (!isManaged(stored)) return refuseAdmin('signal_stream_by_hand')
    await inTenant(deps.database, stream.tenant.id, (db) =>
      audit(db, stream.tenant.id, http, deps, { kind: 'connection.signal_verification_asked', connectionId: stream.connectionId }),
    )
    await verifyStream(deps, stream, stored)
    return answerShown(deps, stream)
  },
})

const retire = adminEndpoint({
  method: 'POST',
  path: `${path}/retire`,
  tag,
  summary: 'Delete the stream at the transmitter, and our credential with it; the connection goes on hearing what is pushed by hand',
  permission: 'impersonate',
  body: z.strictObject({ forget: z.boolean().default(false).describe('Also where the transmitter cannot be told') }),
  refuses: ['not_found', 'transmitter_failed', 'signals_not_configured'],
  run: async (http, deps) => {
    const stream = at(http)
    const stored = stream && (await find(deps, stream))
    if (stream === undefined || stored === undefined) return refuseAdmin('not_found')
    const retired = isManaged(stored) ? await retireStream(deps, stream, stored) : undefined
    if (retired?.ok === false && !http.parsed.forget) return refuseStream(retired.error)
    const { tenant, connectionId } = stream
    await inTenant(deps.database, tenant.id, async (db) => {
      if (!(await deleteSignalStream(db, tenant.id, connectionId))) return
      const detail = { toldTransmitter: retired?.ok === true }
      await audit(db, tenant.id, http, deps, { kind: 'connection.signal_stream_removed', connectionId, detail })
    })
    return empty()
  },
})

export const signalStreamEndpoints = [read, put, verify, retire]
