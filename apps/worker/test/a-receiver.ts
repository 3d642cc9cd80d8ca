/** A server that hears what we tell, on loopback, and answers as the test says. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Heard = { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }
/** A status, or never an answer. */
export type Answers = (heard: Heard) => number | 'nothing' | Promise<number | 'nothing'>

export async function aReceiver() {
  const heard: Heard[] = []
  const state: { answers: Answers } = { answers: () => 200 }
  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
    heard.push(one)
    const answer = await state.answers(one)
    if (answer === 'nothing') request.socket.destroy()
    else
      response
        .writeHead(answer, answer >= 300 && answer < 400 ? { location: 'https://elsewhere.example' } : {})
        .end('a body that nobody reads')
  }
  const server = createServer((request, response) => void hear(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    heard,
    answerWith: (answers: Answers | number) => {
      state.answers = typeof answers === 'number' ? () => answers : answers
    },
    forget: () => {
      heard.length = 0
      state.answers = () => 200
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
