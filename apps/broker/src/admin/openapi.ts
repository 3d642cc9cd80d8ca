/** OpenAPI 3.1 of the whole broker, printed from the endpoint tables and their schemas; nothing in it is written by hand. */
import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.js'
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
  const parameters = [...found.path.matchAll(/:([a-zA-Z]+)/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const body = found.schema && z.toJSONSchema(found.schema, { io: 'input', unrepresentable: 'any' })
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
    ...(found.permission === undefined ? {} : { security: [{ adminKey: [] }] }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: withoutDialect(body) } } } } : {}),
    responses: responses(found),
  }
}

function responses(found: Endpoint): Json {
  const status = String(found.output?.status ?? 200)
  const good = { [status]: { description: found.summary } }
  if (found.refusals !== 'problem') return { ...good, '4XX': { description: 'Refused; see errors.md' } }
  return {
    ...good,
    '4XX': { description: 'Refused', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
  }
}

const withoutDialect = (schema: Record<string, unknown>): Json =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'))

const operationId = (found: Endpoint): string =>
  `${found.method.toLowerCase()}${found.path
    .replace(/^\/admin\/v1/, '')
    .split(/[^a-zA-Z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}`
