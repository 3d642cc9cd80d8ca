/** The company's directory as a SCIM 2.0 client, speaking as Okta does or as Entra ID does in either of its dialects. */
import type { Person } from './companies.js'

/**
 * How the three put "this person is out":
 * `okta` a path-less replace; `entra-legacy` `"Replace"` with the string "False"; `entra-compliant` (`?aadOptscim062020`) a path and a boolean.
 */
export const scimDialects = ['okta', 'entra-legacy', 'entra-compliant'] as const
export type ScimDialect = (typeof scimDialects)[number]

export type ScimTarget = { readonly baseUrl: string; readonly token: string }

/** What was sent and what came back, to be shown on the page. */
export type ScimOutcome = { readonly isDone: boolean; readonly status: number; readonly said: string }

type ScimAnswer = { readonly status: number; readonly body: Record<string, unknown>; readonly text: string }

const userSchema = 'urn:ietf:params:scim:schemas:core:2.0:User'
const patchSchema = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
const timeoutMs = 30_000
const maxShownCharacters = 300

/** Creates the person there, or brings an existing record to `active`. @spec RFC 7644 §3.3 */
export async function provisionPerson(target: ScimTarget, person: Person, dialect: ScimDialect = 'okta'): Promise<ScimOutcome> {
  const existing = await findUserId(target, person)
  if (existing !== undefined) return setActive(target, person, true, dialect)
  const answer = await call(target, 'POST', '/Users', userResource(person))
  return outcome(answer, `created ${person.email}`)
}

/** The kill: PATCH to active=false (or true to bring the person back). @spec RFC 7644 §3.5.2 */
export async function setActive(target: ScimTarget, person: Person, active: boolean, dialect: ScimDialect = 'okta'): Promise<ScimOutcome> {
  const id = await findUserId(target, person)
  if (id === undefined) return { isDone: false, status: 404, said: `${person.email} is not provisioned there` }
  const query = dialect === 'entra-compliant' ? '?aadOptscim062020' : ''
  const answer = await call(target, 'PATCH', `/Users/${encodeURIComponent(id)}${query}`, patchActive(active, dialect))
  return outcome(answer, `${active ? 'reactivated' : 'deactivated'} ${person.email}`)
}

/** The body of the PATCH, exported so that a test of a server can send it without a network. */
export function patchActive(active: boolean, dialect: ScimDialect): Record<string, unknown> {
  const capitalised = active ? 'True' : 'False'
  const operations: Readonly<Record<ScimDialect, Record<string, unknown>>> = {
    okta: { op: 'replace', value: { active } },
    'entra-legacy': { op: 'Replace', path: 'active', value: capitalised },
    'entra-compliant': { op: 'replace', path: 'active', value: active },
  }
  return { schemas: [patchSchema], Operations: [operations[dialect]] }
}

/** `undefined`: nobody of that userName there. Okta also takes a 404 for an empty list. */
export async function findUserId(target: ScimTarget, person: Person): Promise<string | undefined> {
  const filter = encodeURIComponent(`userName eq "${person.email}"`)
  const answer = await call(target, 'GET', `/Users?filter=${filter}&startIndex=1&count=100`)
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw new Error(`SCIM search answered ${answer.status}: ${answer.text.slice(0, maxShownCharacters)}`)
  const resources = answer.body['Resources']
  const first: unknown = Array.isArray(resources) ? resources[0] : undefined
  const id = typeof first === 'object' && first !== null ? (first as Record<string, unknown>)['id'] : undefined
  return typeof id === 'string' ? id : undefined
}

function userResource(person: Person): Record<string, unknown> {
  return {
    schemas: [userSchema],
    externalId: person.id,
    userName: person.email,
    name: { givenName: person.givenName, familyName: person.familyName },
    displayName: `${person.givenName} ${person.familyName}`,
    title: person.title,
    emails: [{ value: person.email, type: 'work', primary: true }],
    active: true,
  }
}

async function call(target: ScimTarget, method: string, path: string, body?: Record<string, unknown>): Promise<ScimAnswer> {
  const response = await fetch(target.baseUrl.replace(/\/$/, '') + path, {
    method,
    headers: {
      authorization: `Bearer ${target.token}`,
      accept: 'application/scim+json',
      ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  const text = await response.text()
  return { status: response.status, text, body: parseObject(text) }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function outcome(answer: ScimAnswer, did: string): ScimOutcome {
  const isDone = answer.status >= 200 && answer.status < 300
  return { isDone, status: answer.status, said: isDone ? did : answer.text.slice(0, maxShownCharacters) }
}
