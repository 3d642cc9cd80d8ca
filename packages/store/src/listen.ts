/**
 * LISTEN on one connection of its own, kept alive.
 *
 * A notification is only a hint: what counts is in the tables. After every (re)connection `onConnected` is called, because whatever was
 * told while nobody listened is lost.
 */
import pg from 'pg'

export type Listening = { readonly isConnected: () => boolean; close(): Promise<void> }
export type ListenOptions = {
  readonly url: string
  readonly channels: readonly string[]
  readonly onNotification: (channel: string, payload: string) => void
  readonly onConnected?: () => void
  readonly onError?: (error: Error) => void
}

export const listenRetryMs = 500
const channelName = /^[a-z_]{1,60}$/

/** Starts at once and never gives up; the first connection need not succeed. */
export function listen(options: ListenOptions): Listening {
  for (const channel of options.channels) if (!channelName.test(channel)) throw new Error(`not a channel name: ${channel}`)
  let client: pg.Client | undefined
  let isConnected = false
  let isClosed = false
  let retry: NodeJS.Timeout | undefined

  const lose = (lost: pg.Client, error?: Error): void => {
    if (client !== lost) return
    client = undefined
    isConnected = false
    if (error !== undefined) options.onError?.(error)
    lost.end().catch(() => {})
    if (!isClosed) retry = setTimeout(() => void connect(), listenRetryMs)
  }
  const connect = async (): Promise<void> => {
    const fresh = new pg.Client({ connectionString: options.url, keepAlive: true, application_name: 'drawbridge_listen' })
    client = fresh
    fresh.on('error', (error) => lose(fresh, error))
    fresh.on('end', () => lose(fresh))
    fresh.on('notification', (message) => options.onNotification(message.channel, message.payload ?? ''))
    try {
      await fresh.connect()
      for (const channel of options.channels) await fresh.query(`LISTEN ${channel}`)
      if (isClosed) return
      isConnected = true
      options.onConnected?.()
    } catch (error) {
      lose(fresh, error instanceof Error ? error : new Error(String(error)))
    }
  }

  const connecting = connect()
  return {
    isConnected: () => isConnected,
    close: async () => {
      isClosed = true
      clearTimeout(retry)
      await connecting.catch(() => {})
      const last = client
      client = undefined
      await last?.end().catch(() => {})
    },
  }
}
