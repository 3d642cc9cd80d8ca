/**
 * The admin API over HTTP, as every client meets it. The key goes to the one origin that was named and follows no redirect; what comes
 * back is a value: an answer, or a refusal in plain words.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { z } from 'zod'

/** A broker that fetches an IdP's metadata for us may take its time. */
const patienceMs = 60_000
/** Of a list; 200 rows each. */
const mostPages = 500

export type Mistake = { readonly path: string; readonly message: string }
export type Refused = {
  /** 0: nobody answered. */
  readonly status: number
  /** Of the catalogue of errors; empty where the answer was none of ours. */
  readonly reason: string
  readonly title: string
  readonly detail: string
  readonly errors: readonly Mistake[]
}
export type Answered = Result<unknown, Refused>
export type AdminClient = {
  readonly origin: string
  /** `path` begins behind `/admin/v1`. */
  call(method: string, path: string, body?: unknown, ifMatch?: string): Promise<Answered>
  /** All pages of a list, or its first one. */
  list(path: string, options: ListOptions): Promise<Result<readonly unknown[], Refused>>
}
export type ListOptions = {
  readonly member: string
  readonly query?: Readonly<Record<string, string>>
  /** Such lists go on before a position, the others after it. */
  readonly newestFirst?: boolean
  readonly firstPageAlone?: boolean
}

export function adminClient(origin: string, key: Secret): AdminClient {
  const call = async (method: string, path: string, body?: unknown, ifMatch?: string): Promise<Answered> => {
    if (!isWhereItSays(origin, path)) return err(astray(path))
    try {
      const response = await fetch(`${origin}/admin/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key.reveal()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
        },
        redirect: 'manual',
        signal: AbortSignal.timeout(patienceMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return read(response.status, await response.text())
    } catch (cause) {
      return err(unreachable(origin, cause))
    }
  }
  const list: AdminClient['list'] = async (path, { member, query = {}, newestFirst = false, firstPageAlone = false }) => {
    const rows: unknown[] = []
    let position: Readonly<Record<string, string>> = {}
    for (let page = 0; page < mostPages; page += 1) {
      const parameters = new URLSearchParams({ ...query, ...position }).toString()
      const answered = await call('GET', parameters === '' ? path : `${path}?${parameters}`)
      if (!answered.ok) return answered
      const { next, ...whole } = answered.value as Readonly<Record<string, unknown>>
      rows.push(...((whole[member] as readonly unknown[] | undefined) ?? []))
      if (typeof next !== 'string' || firstPageAlone) return ok(rows)
      position = { [newestFirst ? 'before' : 'after']: next }
    }
    return err(tooMany(path))
  }
  return { origin, call, list }
}

/** A name that is `..` would turn the killing of a client into that of its tenant: such an address is never called. */
const isWhereItSays = (origin: string, path: string): boolean => {
  const whole = `${origin}/admin/v1${path}`
  return URL.canParse(whole) && new URL(whole).pathname === `/admin/v1${path.split('?')[0] ?? ''}`
}
const astray = (path: string): Refused => ({
  status: 400,
  reason: '',
  title: 'No address',
  detail: `${path} leads elsewhere than it says: no name is . or ..`,
  errors: [],
})
/** Part of a list would be taken for all of it. */
const tooMany = (path: string): Refused => ({
  status: 400,
  reason: '',
  title: 'Too many',
  detail: `${path} has more than ${mostPages} pages`,
  errors: [],
})

const problem = z.object({
  type: z.string(),
  title: z.string().catch(''),
  detail: z.string().catch(''),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).catch([]),
})

function read(status: number, text: string): Answered {
  const body = parseJson(text)
  if (status < 300 && (text === '' || body !== undefined)) return ok(body)
  const parsed = problem.safeParse(body)
  if (!parsed.success) return err(strange(status))
  const { type, title, detail, errors } = parsed.data
  return err({ status, reason: type.replace('urn:drawbridge:error:', ''), title, detail, errors })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const strange = (status: number): Refused => ({
  status,
  reason: '',
  title: 'Not a broker',
  detail: `the answer (${status}) is none of a broker's: is this its address, and does a proxy in front of it let /admin/v1 through?`,
  errors: [],
})

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  TimeoutError: `no answer in ${patienceMs / 1000} seconds`,
}

function unreachable(origin: string, cause: unknown): Refused {
  const { name, cause: inner } = cause as { readonly name?: string; readonly cause?: { readonly code?: string; readonly message?: string } }
  const why = causes[inner?.code ?? ''] ?? causes[name ?? ''] ?? inner?.message ?? 'no connection'
  const detail = `${origin} does not answer: ${why}. Is the broker running, and is DRAWBRIDGE_ADMIN_URL its address?`
  return { status: 0, reason: '', title: 'No answer', detail, errors: [] }
}
