/** Where clients publish what they say of themselves: each document at an address of its own, changed at any time, its readers counted. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DocumentChange, Published } from '@drawbridge/conformance/requirement'
import { webRedirectUri } from './a-client.js'

export type DocumentHost = {
  readonly origin: string
  readonly publish: (change?: DocumentChange) => Published
  readonly close: () => void
}
type Held = { change: DocumentChange; fetched: number }

export async function aDocumentHost(): Promise<DocumentHost> {
  const held = new Map<string, Held>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const document = held.get(path)
    if (document === undefined) return void response.writeHead(404).end()
    document.fetched += 1
    const { status = 200, headers, text, members } = document.change
    const said = { client_id: origin + path, client_name: 'Published', redirect_uris: [webRedirectUri], token_endpoint_auth_method: 'none' }
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text ?? JSON.stringify({ ...said, ...members }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    publish: (change = {}) => {
      const path = `/${held.size + 1}/client.json`
      const document: Held = { change, fetched: 0 }
      held.set(path, document)
      return {
        clientId: origin + path,
        redirectUri: webRedirectUri,
        change: (next) => {
          document.change = next
        },
        fetched: () => document.fetched,
      }
    },
    close: () => server.close(),
  }
}
