/** What stands in front of several brokers: takes them in turn, goes on to the next where nobody answers, and says whose request it was. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { freePort } from '@drawbridge/store/embedded-postgres'

export type LoadBalancer = {
  readonly url: string
  /** How many requests each port has answered. */
  served(): ReadonlyMap<number, number>
  close(): Promise<void>
}

export async function aLoadBalancer(ports: readonly number[]): Promise<LoadBalancer> {
  const served = new Map(ports.map((port) => [port, 0]))
  let turn = 0
  const server = createServer((incoming, response) => {
    turn += 1
    const order = ports.map((_, each) => ports[(turn + each) % ports.length] as number)
    readBody(incoming)
      .then((body) => pass(order, incoming, body, response, (port) => served.set(port, (served.get(port) ?? 0) + 1)))
      .catch(() => response.writeHead(502).end())
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    served: () => served,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Only a connection that was refused is tried elsewhere: what a broker may have begun is never sent twice. */
function pass(
  order: readonly number[],
  incoming: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  count: (port: number) => void,
): Promise<void> {
  const [port, ...others] = order
  if (port === undefined) return Promise.reject(new Error('nobody answers'))
  const headers = { ...incoming.headers, 'x-forwarded-for': incoming.socket.remoteAddress ?? '' }
  return new Promise((resolve, reject) => {
    const onward = request({ port, host: '127.0.0.1', method: incoming.method, path: incoming.url, headers, agent: false }, (answer) => {
      count(port)
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response).once('close', resolve)
    })
    response.once('close', () => onward.destroy())
    onward.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') pass(others, incoming, body, response, count).then(resolve, reject)
      else reject(error)
    })
    onward.end(body)
  })
}
