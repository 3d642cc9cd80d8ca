/** A small MCP server over a shelf of documents, guarded by `@drawbridge/guard`: three tools, each behind a scope of its own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Challenge } from '@drawbridge/guard/challenge'
import { createGuard, type Guard, type GuardOptions } from '@drawbridge/guard/create-guard'
import { demandOfRequest, scopesOfRequest } from '@drawbridge/guard/mcp'
import type { VerifiedToken } from '@drawbridge/guard/verify-access-token'
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { createDocumentServer, type Shelf } from './document-tools.js'

export const toolScopes = {
  search_documents: ['documents:read'],
  write_document: ['documents:write'],
  purge_documents: ['admin:purge'],
} as const

/** A larger request body is refused unread. */
export const maxBodyBytes = 1_000_000

export type ExampleOptions = Pick<GuardOptions, 'issuers' | 'onTrouble' | 'instance' | 'now' | 'fetch'> & {
  /** Its own identifier as registered at the issuers, for example `http://127.0.0.1:4420/mcp`. */
  readonly resource: string
  readonly host?: string
  readonly port: number
  readonly onDeaf?: GuardOptions['onDeaf']
}
export type ExampleMcpServer = { readonly server: Server; readonly guard: Guard; readonly port: number; close(): Promise<void> }

/** Starts serving at once; until the guard has heard from its issuers, calls with a token are answered 503. */
export async function createExampleMcpServer(options: ExampleOptions): Promise<ExampleMcpServer> {
  const guard = createGuard({
    ...options,
    name: 'Example documents',
    toolScopes,
    scopeImplies: { 'documents:write': ['documents:read'] },
    baseScopes: ['documents:read'],
    onDeaf: options.onDeaf ?? 'refuse',
  })
  const shelf: Shelf = new Map([['welcome', 'Drawbridge lets people in and takes access away within seconds.']])
  const handler = createMcpHandler(() => createDocumentServer(shelf))
  const handle = toNodeHandler(handler)
  const [isHostAllowed, isOriginAllowed] = [localhostHostValidation(), localhostOriginValidation()]
  const server = createServer((request, response) => {
    if (!isHostAllowed(request, response) || !isOriginAllowed(request, response)) return
    serve({ guard, handle, path: new URL(options.resource).pathname }, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host ?? '127.0.0.1', resolve)
  })
  void guard.start()
  const address = server.address()
  const close = async () => {
    await guard.stop()
    await handler.close()
    await new Promise<void>((resolve) => server.close(() => resolve()).closeAllConnections())
  }
  return { server, guard, port: typeof address === 'object' && address !== null ? address.port : options.port, close }
}

type Serving = { readonly guard: Guard; readonly handle: ReturnType<typeof toNodeHandler>; readonly path: string }

async function serve({ guard, handle, path }: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = (request.url ?? '/').split('?', 1)[0] ?? '/'
  if (request.method === 'GET' && guard.metadataPaths.includes(asked)) return sendMetadata(guard, response)
  if (asked !== path) return void response.writeHead(404).end()
  const body = request.method === 'POST' ? await readJson(request) : undefined
  const needed = request.method === 'POST' ? scopesOfRequest(guard.toolScopes, body) : ({ ok: true, value: [] } as const)
  const verdict = await guard.check(
    { authorization: request.headers.authorization, dpop: dpopOf(request), method: request.method ?? '', path: request.url ?? '' },
    needed.ok ? needed.value : [],
    demandOfRequest(guard.toolAuthentication, body),
  )
  if (!verdict.ok) return sendChallenge(response, verdict.error)
  if (!needed.ok) return sendChallenge(response, guard.refuse(needed.error))
  // An answer may stream for long: it ends with the access that it was given to.
  response.once(
    'close',
    guard.onEnded(verdict.value, () => response.destroy()),
  )
  // The adapter's structural type and Node's own differ only in `undefined` against absent.
  const authorized = Object.assign(request, { auth: toAuthInfo(verdict.value) }) as unknown as Parameters<typeof handle>[0]
  await handle(authorized, response, body)
}

/** Several of them stay several: the guard takes one. */
const dpopOf = ({ headers }: IncomingMessage): string | undefined =>
  headers['dpop'] === undefined ? undefined : [headers['dpop']].flat().join(', ')

function sendMetadata(guard: Guard, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=300' })
  response.end(JSON.stringify(guard.metadata))
}

const sendChallenge = (response: ServerResponse, challenge: Challenge): void =>
  void response.writeHead(challenge.status, { ...challenge.headers }).end(challenge.body)

/** What the tools may know of the caller. The token itself stays here: it must never be passed on. */
const toAuthInfo = (token: VerifiedToken) => ({
  token: '',
  clientId: token.clientId,
  scopes: [...token.scopes],
  expiresAt: token.expiresAtSeconds,
  extra: { subject: token.subject, tenant: token.tenant },
})

/** Undefined for what is not JSON or too large: the guard's scope check then refuses it. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}
