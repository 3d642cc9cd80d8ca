/** Microsoft Graph at one's desk: as much of it as answers which groups a person is in. Stands beside the OpenID provider of a company. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CompanyId, type Person, peopleOf } from '../companies.js'
import { readForm, send } from '../http.js'
import { directoryIdOf, objectIdOf } from './directory-ids.js'

export type GraphSettings = {
  readonly company: CompanyId
  readonly publicUrl: () => string
  readonly client: () => { readonly clientId: string; readonly clientSecret: string }
}

export type Graph = {
  /** Serves one request below `/<company>/graph`. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>
}

const tokenSeconds = 3599
/** Small, so that whoever is in many groups takes several pages. */
const pageSize = 100

export function createGraph(settings: GraphSettings): Graph {
  const tokens = new Set<string>()
  const prefix = `/${settings.company}/graph`
  return {
    serve: async (request, response) => {
      const url = new URL(request.url ?? '/', settings.publicUrl())
      const path = url.pathname.slice(url.pathname.indexOf(prefix) + prefix.length)
      if (request.method === 'POST' && path === `/${directoryIdOf(settings.company)}/oauth2/v2.0/token`)
        return giveToken(settings, tokens, request, response)
      if (!tokens.has((request.headers.authorization ?? '').replace(/^Bearer /, '')))
        return refuse(response, 401, 'InvalidAuthenticationToken')
      const [, objectId = '', what = ''] = /^\/v1\.0\/users\/([\w-]+)\/(.+)$/.exec(path) ?? []
      const person = peopleOf(settings.company).find((each) => objectIdOf(each) === objectId)
      if (person === undefined) return refuse(response, 404, 'Request_ResourceNotFound')
      if (request.method === 'POST' && what === 'getMemberObjects') return answer(response, { value: groupsOf(person) })
      if (what === 'transitiveMemberOf/microsoft.graph.group') return answer(response, pageOf(person, url))
      refuse(response, 400, 'BadRequest')
    },
  }
}

/** @spec RFC 6749 §4.4 */
async function giveToken(settings: GraphSettings, tokens: Set<string>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = await readForm(request)
  const { clientId, clientSecret } = settings.client()
  const isOurs = isSame(basicPairOf(request), `${clientId}:${clientSecret}`)
  if (!isOurs || form.get('grant_type') !== 'client_credentials') return answer(response, { error: 'invalid_client' }, 401)
  const token = randomBytes(32).toString('base64url')
  tokens.add(token)
  answer(response, { access_token: token, token_type: 'Bearer', expires_in: tokenSeconds })
}

/** @spec RFC 6749 §2.3.1 both halves are form-encoded before they are joined */
function basicPairOf(request: IncomingMessage): string {
  const pair = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString('utf8')
  return pair
    .split(':')
    .map((half) => new URLSearchParams(`half=${half}`).get('half') ?? '')
    .join(':')
}

const isSame = (given: string, expected: string): boolean =>
  given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected))

const groupsOf = (person: Person): readonly string[] => person.groups ?? []

function pageOf(person: Person, url: URL): unknown {
  const skip = Number(url.searchParams.get('$skiptoken') ?? 0)
  const groups = groupsOf(person)
  const value = groups.slice(skip, skip + pageSize).map((displayName) => ({ id: displayName, displayName, securityEnabled: true }))
  if (skip + pageSize >= groups.length) return { value }
  const next = new URL(url)
  next.searchParams.set('$skiptoken', String(skip + pageSize))
  return { value, '@odata.nextLink': next.href }
}

const answer = (response: ServerResponse, value: unknown, status = 200): void =>
  send(response, status, 'application/json', JSON.stringify(value))

const refuse = (response: ServerResponse, status: number, code: string): void => answer(response, { error: { code } }, status)
