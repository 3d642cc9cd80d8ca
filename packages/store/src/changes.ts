/**
 * Hints from PostgreSQL that something changed: a configuration, a notice, the outbox.
 *
 * Only hints: one may be lost while the connection is away, so whoever listens also compares versions or polls, and `onGap` says when
 * something may have been missed. Holds one connection of the budget and takes it up again by itself.
 */
import pg from 'pg'
import type { Database } from './database.js'

export const changeChannels = ['drawbridge_changes', 'drawbridge_notices', 'drawbridge_outbox', 'drawbridge_deliveries'] as const
export type ChangeChannel = (typeof changeChannels)[number]

/** `payload` is the tenant's id, or `installation` when the lab clock moved. */
export type Change = { readonly channel: ChangeChannel; readonly payload: string }

export type Listening = { close(): Promise<void> }

export type ListenOptions = {
  readonly channels: readonly ChangeChannel[]
  readonly onChange: (change: Change) => void
  /** Called after each (re)connection, the first included: anything may have changed before it. */
  readonly onGap?: () => void
  readonly onError?: (error: Error) => void
  readonly heartbeat?: { readonly everyMs: number; readonly answerMs: number }
}

const retryMs = 500
/** A connection that only listens would never notice that the network has forgotten it: it is asked now and then. */
export const heartbeat = { everyMs: 10_000, answerMs: 5_000 } as const
/** Apart from the heartbeat: a busy server takes longer to accept a connection than to answer on one. */
const connectMs = 5_000

/** Resolves when the first connection listens. */
export async function listen(database: Pick<Database, 'url'>, options: ListenOptions): Promise<Listening> {
  const state: { client: pg.Client | undefined; closed: boolean; timer: NodeJS.Timeout | undefined } = {
    client: undefined,
    closed: false,
    timer: undefined,
  }
  const reconnect = () => {
    if (state.closed || state.timer) return
    state.timer = setTimeout(() => {
      state.timer = undefined
      open().catch(lost)
    }, retryMs)
  }
  const lost = (error: unknown) => {
    options.onError?.(error instanceof Error ? error : new Error(String(error)))
    reconnect()
  }
  const { everyMs, answerMs } = options.heartbeat ?? heartbeat
  const open = async () => {
    const client = new pg.Client({
      ...{ connectionString: database.url, application_name: 'drawbridge_listen', keepAlive: true },
      ...{ connectionTimeoutMillis: connectMs, query_timeout: answerMs },
    })
    client.on('error', lost)
    client.on('end', reconnect)
    client.on('notification', (message) => options.onChange({ channel: message.channel as ChangeChannel, payload: message.payload ?? '' }))
    await client.connect()
    await client.query(options.channels.map((channel) => `LISTEN ${channel}`).join('; '))
    state.client = client
    const beat = setInterval(() => {
      client.query('SELECT 1').catch((error: unknown) => {
        clearInterval(beat)
        lost(error)
        // It has an unanswered question, so this breaks it at once.
        client.end().catch(() => undefined)
      })
    }, everyMs)
    client.once('end', () => clearInterval(beat))
    if (state.closed) await client.end()
    else options.onGap?.()
  }
  await open()
  return {
    close: async () => {
      state.closed = true
      clearTimeout(state.timer)
      await state.client?.end().catch(() => undefined)
    },
  }
}
