/** The real resolver, asking a name server of our own over UDP. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTxtResolver, type ResolveTxt } from './txt-resolver.js'

let server: Socket
let resolveTxt: ResolveTxt
const zone: Record<string, readonly (readonly string[])[] | 'nothing' | 'failure'> = {
  'one.example': [['drawbridge-domain-verification=abc']],
  'split.example': [['first, ', 'second'], ['other']],
  'empty.example': [],
  'gone.example': 'nothing',
  'broken.example': 'failure',
}

/** The name of the first question, and where the question ends. RFC 1035 §4.1.2 */
function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size))
    at += size + 1
  }
  return { name: labels.join('.'), end: at + 5 }
}

function answerTo(query: Buffer): Buffer {
  const { name, end } = questionOf(query)
  const found = zone[name] ?? 'nothing'
  const records = Array.isArray(found) ? (found as readonly (readonly string[])[]) : []
  const code = found === 'nothing' ? 3 : found === 'failure' ? 2 : 0
  const header = Buffer.from([...query.subarray(0, 2), 0x81, 0x80 | code, 0, 1, 0, records.length, 0, 0, 0, 0])
  const answers = records.map((strings) => {
    const data = Buffer.concat(strings.map((text) => Buffer.from([text.length, ...Buffer.from(text)])))
    return Buffer.concat([Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, data.length]), data])
  })
  return Buffer.concat([header, query.subarray(12, end), ...answers])
}

beforeAll(async () => {
  server = createSocket('udp4')
  server.on('message', (query, from) => server.send(answerTo(query), from.port, from.address))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  resolveTxt = createTxtResolver([`127.0.0.1:${(server.address() as AddressInfo).port}`])
})
afterAll(() => {
  server.close()
})

it.each([
  { name: 'one.example', answer: { kind: 'found', records: ['drawbridge-domain-verification=abc'] } },
  { name: 'split.example', answer: { kind: 'found', records: ['first, second', 'other'] } },
  { name: 'empty.example', answer: { kind: 'absent' } },
  { name: 'gone.example', answer: { kind: 'absent' } },
  { name: 'broken.example', answer: { kind: 'unreachable' } },
])('$name is answered as its server says', async ({ name, answer }) => {
  expect(await resolveTxt(name)).toEqual(answer)
})
