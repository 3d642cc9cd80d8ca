/** OpenAPI 3.1 of the whole broker, printed from the endpoint tables and their schemas; nothing in it is written by hand. */
import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.js'
import { httpErrors } from '../http/error.js'
import type { RefusalEntry } from '../http/write-error.js'
import { adminErrors } from './error.js'
import { adminPermissions } from './permission.js'

type Json = Readonly<Record<string, unknown>>

export function printOpenApi(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const found of endpoints) {
    const path = found.path.replace(/:([a-zA-Z]+)/g, '{$1}')
    paths[path] = { ...paths[path], [found.method.toLowerCase()]: operation(found) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Drawbridge', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: 'http://localhost:4400', description: 'npm start' }],
    paths,
    components: {
      securitySchemes: {
        adminKey: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'dba_…',
          description: `Admin key. Permissions: ${Object.entries(adminPermissions)
            .map(([name, what]) => `${name} (${what})`)
            .join('; ')}`,
        },
      },
      schemas: { Problem: problemSchema },
    },
  }
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'instance'],
  properties: {
    type: { type: 'string', description: 'urn:drawbridge:error:<reason>: stable, see errors.md' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The request id, as in the log and the audit trail' },
    errors: { type: 'array', items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } } },
  },
} as const

function operation(found: Endpoint): Json {
  const body = found.schema && toJsonSchema(found.schema, 'input')
  return {
    operationId: operationId(found),
    summary: found.summary,
    ...(found.tag === undefined ? {} : { tags: [found.tag] }),
    description: [
      found.permission === undefined ? '' : `Needs permission ${found.permission}.`,
      found.spec === 'ours' ? '' : `Specified by ${found.spec}.`,
    ]
      .filter(Boolean)
      .join(' '),
    ...securityOf(found),
    ...parametersOf(found),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: responses(found),
  }
}

const isAdmin = (found: Endpoint): boolean => found.path.startsWith('/admin/')

/** The permission of the key stands beside the scheme, where OpenAPI has roles of a scheme that is not OAuth: §4.8.30. */
const securityOf = (found: Endpoint): Json => (isAdmin(found) ? { security: [{ adminKey: [found.permission] }] } : {})

function parametersOf(found: Endpoint): Json {
  const inPath = [...found.path.matchAll(/:([a-zA-Z]+)/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const query = found.query && toJsonSchema(found.query, 'input')
  const inQuery = Object.entries((query?.['properties'] ?? {}) as Readonly<Record<string, Json>>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }))
  const parameters = [...inPath, ...inQuery, ...conditionOf(found)]
  return parameters.length > 0 ? { parameters } : {}
}

const preconditionFailed = 412

/** What may be refused because it is another by now can be asked to be what was seen. RFC 9110 §13.1.1 */
const conditionOf = (found: Endpoint): readonly Json[] =>
  isAdmin(found) && (found.refuses ?? []).some((reason) => refusalEntries[reason]?.status === preconditionFailed)
    ? [{ name: 'If-Match', in: 'header', required: false, description: 'The etag of what was seen, quoted', schema: { type: 'string' } }]
    : []

function responses(found: Endpoint): Json {
  const schema = found.output?.schema
  const content = schema ? { content: { 'application/json': { schema: toJsonSchema(schema, 'output') } } } : {}
  const good = { [String(found.output?.status ?? 200)]: { description: found.summary, ...content } }
  if (!isAdmin(found)) return { ...good, '4XX': { description: 'Refused; see errors.md' } }
  return { ...good, ...refusals(found.refuses ?? []) }
}

const refusalEntries: Readonly<Record<string, RefusalEntry>> = { ...httpErrors, ...adminErrors }

/** By status: which reasons it may have, as the last part of the problem's type. */
function refusals(reasons: readonly string[]): Json {
  const byStatus = new Map<number, string[]>()
  for (const reason of new Set(reasons)) {
    const status = refusalEntries[reason]?.status ?? 400
    byStatus.set(status, [...(byStatus.get(status) ?? []), reason])
  }
  return Object.fromEntries([...byStatus].sort(([one], [other]) => one - other).map(([status, named]) => [String(status), refusal(named)]))
}

const refusal = (reasons: readonly string[]): Json => ({
  description: reasons.map((reason) => `${reason}: ${refusalEntries[reason]?.say ?? ''}`).join('; '),
  content: {
    'application/problem+json': {
      schema: {
        allOf: [
          { $ref: '#/components/schemas/Problem' },
          { type: 'object', properties: { type: { enum: reasons.map((reason) => `urn:drawbridge:error:${reason}`) } } },
        ],
      },
    },
  },
})

const toJsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Json =>
  withoutDialect(z.toJSONSchema(schema, { io, unrepresentable: 'any' }))

const withoutDialect = (schema: Record<string, unknown>): Json =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'))

const operationId = (found: Endpoint): string =>
  `${found.method.toLowerCase()}${found.path
    .replace(/^\/admin\/v1/, '')
    .split(/[^a-zA-Z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}`
