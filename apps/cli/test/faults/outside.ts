/** Who is told by HTTP: a system of each company by webhook, and its clients by back-channel logout. Whatever they take is kept, with its time. */
import { writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aTcpProxy, type TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import { aCertificate } from '../a-certificate.js'
import { now } from './stop-watch.js'

/** `company`: whose address was called. `id`: by which a receiver knows what it has had: `webhook-id`, `jti`. `client`: the last word of its address. */
export type News = {
  readonly kind: 'news'
  readonly company: string
  readonly id: string
  readonly at: number
  readonly type: string
  readonly eventId: string
  readonly sub: string
}
export type Logout = {
  readonly kind: 'logout'
  readonly company: string
  readonly id: string
  readonly at: number
  readonly client: string
  readonly sub: string
}
export type Told = News | Logout

/** Found by `name-service.mjs`. */
const outsideName = 'outside.example'

/** On a line of its own, as it is another company's. `name`: its slug. */
export type ToldCompany = { readonly name: string; readonly line: TcpProxy }

export type Answering = (body: string, headers: IncomingHttpHeaders) => Promise<{ readonly status: number; readonly json?: object }>

export type Outside = {
  /** Whoever is told. */
  readonly companies: readonly ToldCompany[]
  /** By which all are called. */
  readonly origins: readonly string[]
  /** Where what is shown is found, by name: an address of this machine is refused for what an IdP shows. */
  readonly namedOrigin: string
  /** The way there. */
  readonly line: TcpProxy
  /** With which those who call it believe it. */
  readonly certificateFile: string
  /** In the order of their coming; what comes twice is here twice. */
  readonly told: Told[]
  /** What it shows to whoever asks, by path. */
  readonly shown: Map<string, object>
  /** How it answers what is posted there, by path; everything else that is posted is told. */
  readonly asked: Map<string, Answering>
  /** It answers, and takes nothing. */
  setUnwell(isUnwell: boolean): void
  close(): Promise<void>
}

/** Below which everything of a company is that is told. */
export function toldAt({ companies }: Outside, slug: string): string {
  const found = companies.find(({ name }) => name === slug)
  if (found === undefined) throw new Error(`${slug} has no place outside`)
  return `${originOf(found.line)}/${slug}`
}
const originOf = ({ port }: TcpProxy): string => `https://127.0.0.1:${port}`

export async function anOutside(folder: string, slugs: readonly string[]): Promise<Outside> {
  const certificate = await aCertificate(outsideName)
  const certificateFile = join(folder, 'outside.pem')
  writeFileSync(certificateFile, certificate.cert)
  const told: Told[] = []
  const shown = new Map<string, object>()
  const asked = new Map<string, Answering>()
  let isUnwell = false
  const server = createServer(certificate, (request, response) => {
    const { method, url = '' } = request
    const answer = async (body: string): Promise<void> => {
      if (isUnwell) return void response.writeHead(503).end()
      const page = method === 'GET' ? { status: 200, json: shown.get(url) ?? {} } : await asked.get(url)?.(body, request.headers)
      if (page === undefined) told.push(read(request, body))
      const { status, json } = page ?? { status: 200, json: undefined }
      response.writeHead(status, json ? { 'content-type': 'application/json' } : {}).end(json && JSON.stringify(json))
    }
    readAll(request)
      .then(answer)
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const aLine = async () => aTcpProxy(await freePort(), () => (server.address() as AddressInfo).port)
  const line = await aLine()
  const companies: ToldCompany[] = []
  for (const name of slugs) companies.push({ name, line: await aLine() })
  const namedOrigin = `https://${outsideName}:${line.port}`
  return {
    ...{ companies, line, told, shown, asked, certificateFile, namedOrigin },
    origins: [namedOrigin, ...companies.map((company) => originOf(company.line))],
    setUnwell: (unwell) => {
      isUnwell = unwell
    },
    close: async () => {
      await Promise.all([line, ...companies.map((company) => company.line)].map((one) => one.close()))
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function read({ url, headers }: IncomingMessage, body: string): Told {
  const at = now()
  const [, company = '', ...words] = url?.split('/') ?? []
  if (headers['webhook-id'] === undefined) {
    const token = new URLSearchParams(body).get('logout_token') ?? ''
    const { jti, sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { jti: string; sub: string }
    return { kind: 'logout', company, id: jti, at, sub, client: words.at(-1) ?? '' }
  }
  const { type, data } = JSON.parse(body) as { type: string; data: { eventId: string; subject?: string } }
  return { kind: 'news', company, id: String(headers['webhook-id']), at, type, eventId: data.eventId, sub: data.subject ?? '' }
}
