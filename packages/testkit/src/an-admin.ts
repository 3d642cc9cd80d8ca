/** An admin who calls the API and holds every answer against what its OpenAPI document says: shape, status and reason. */
import { brokerEndpoints } from '@drawbridge/broker/app'
import type { TestBroker } from './a-broker.js'

export type Answered = {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each held against its schema
  readonly body: any
  readonly headers: Headers
}
export type Call = (method: string, path: string, body?: unknown, key?: string) => Promise<Answered>

/** `path` begins behind `/admin/v1`. An empty key sends none; a string as body is sent as it is. */
export function anAdmin(broker: Pick<TestBroker, 'url' | 'adminKey'>): Call {
  return async (method, path, body, key = broker.adminKey) => {
    const answer = await fetchAgain(`${broker.url}/admin/v1${path}`, {
      method,
      headers: {
        ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    const answered = { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers }
    holdToDocument(method, path, answered)
    return answered
  }
}

/** Once more where a kept connection ended at the moment in which it was used; never where that could do a thing twice. */
const fetchAgain = (url: string, init: RequestInit & { readonly method: string }): Promise<Response> =>
  fetch(url, init).catch((cause: unknown) => (init.method === 'GET' ? fetch(url, init) : Promise.reject(cause)))

const patternOf = (path: string): RegExp => new RegExp(`^${path.replaceAll(/:[a-zA-Z]+/g, '[^/]+')}$`)
const documented = brokerEndpoints
  .filter(({ path }) => path.startsWith('/admin/v1'))
  .map((endpoint) => ({ endpoint, pattern: patternOf(endpoint.path) }))

/** The most literal of those that match: `/policies/check` before `/policies/:version`. */
export function findAdminEndpoint(method: string, path: string) {
  const address = `/admin/v1${path.split('?')[0] ?? ''}`
  const found = documented.filter(({ endpoint, pattern }) => endpoint.method === method && pattern.test(address))
  return found.toSorted((one, other) => one.endpoint.path.split(':').length - other.endpoint.path.split(':').length)[0]?.endpoint
}

function holdToDocument(method: string, path: string, answered: Answered): void {
  const endpoint = findAdminEndpoint(method, path)
  if (!endpoint) return
  const told = `${method} ${path} answered ${answered.status}`
  if (answered.status < 400) {
    if (answered.status !== endpoint.output?.status) throw new Error(`${told}, but is documented to answer ${endpoint.output?.status}`)
    const parsed = endpoint.output.schema?.safeParse(answered.body)
    if (parsed && !parsed.success) throw new Error(`${told} in another shape than documented: ${parsed.error.message}`)
    if (!parsed && answered.body !== undefined) throw new Error(`${told} with a body, and none is documented`)
    return
  }
  const reason = String(answered.body?.type).replace('urn:drawbridge:error:', '')
  if (answered.headers.get('content-type') !== 'application/problem+json') throw new Error(`${told} without a problem document`)
  if (!endpoint.refuses?.includes(reason)) throw new Error(`${told} for ${reason}, which is not documented`)
}
