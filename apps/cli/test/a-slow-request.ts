/** A form that is sent in two parts: the server has begun its request, and waits for the rest, as long as a test wants. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

export type SlowRequest = { finish(): Promise<{ readonly status: number | undefined; readonly json: unknown }> }

/** Resolves when the server has read the head of it. */
export async function aSlowRequest(url: string, form: Readonly<Record<string, string>>): Promise<SlowRequest> {
  const body = new URLSearchParams(form).toString()
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
    expect: '100-continue', // the server says when it has begun
  }
  const asked = request(url, { method: 'POST', headers })
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>
  asked.flushHeaders()
  await once(asked, 'continue')
  asked.write(body.slice(0, 10))
  return {
    finish: async () => {
      asked.end(body.slice(10))
      const [response] = await answered
      return { status: response.statusCode, json: JSON.parse(await text(response)) }
    },
  }
}

/** Whether anybody listens there. */
export const takesConnections = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
