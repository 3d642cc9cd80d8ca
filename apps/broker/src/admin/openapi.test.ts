/** The printed OpenAPI document is valid, and says of every endpoint of the admin API what it takes, answers, refuses and needs. */

import { validate } from '@readme/openapi-parser'
import { describe, expect, it } from 'vitest'
import { brokerEndpoints } from '../app.js'
import { httpErrors } from '../http/error.js'
import { adminEndpoints } from './admin-endpoints.js'
import { adminErrors } from './error.js'
import { printOpenApi } from './openapi.js'
import { adminPermissions } from './permission.js'

type Operation = {
  readonly operationId: string
  readonly security?: readonly { readonly adminKey: readonly string[] }[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>
}
const document = printOpenApi(brokerEndpoints, '0.0.0') as unknown as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}
const operationOf = (method: string, path: string) =>
  document.paths[path.replace(/:([a-zA-Z]+)/g, '{$1}')]?.[method.toLowerCase()] as Operation

it('is valid OpenAPI 3.1', async () => {
  expect(await validate(structuredClone(document) as never)).toEqual({ valid: true, warnings: [], specification: 'OpenAPI' })
})

it('gives every operation an id of its own', () => {
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBe(brokerEndpoints.length)
})

describe.each(adminEndpoints.map((endpoint) => ({ line: `${endpoint.method} ${endpoint.path}`, endpoint })))('$line', ({ endpoint }) => {
  const operation = operationOf(endpoint.method, endpoint.path)

  it('names its permission', () => {
    expect(Object.keys(adminPermissions)).toContain(endpoint.permission)
    expect(operation.security).toEqual([{ adminKey: [endpoint.permission] }])
  })

  it('shows what it takes: the parts of the path, the query, the body', () => {
    const inPath = [...endpoint.path.matchAll(/:([a-zA-Z]+)/g)].map(([, name]) => name)
    expect(operation.parameters?.filter((one) => one.in === 'path').map(({ name }) => name) ?? []).toEqual(inPath)
    expect(operation.requestBody !== undefined).toBe(endpoint.schema !== undefined)
    if (endpoint.method === 'PUT' || endpoint.method === 'PATCH')
      expect(operation.requestBody?.content['application/json']?.schema).toBeDefined()
  })

  it('takes a condition where it refuses what fails one, and nowhere else', () => {
    const inHeader = operation.parameters?.filter((one) => one.in === 'header').map(({ name }) => name) ?? []
    expect(inHeader).toEqual(operation.responses['412'] === undefined ? [] : ['If-Match'])
  })

  it('shows what it answers, or that it answers nothing', () => {
    const status = String(endpoint.output?.status)
    expect(status).toMatch(/^20[0124]$/)
    expect(operation.responses[status]?.content?.['application/json']?.schema !== undefined).toBe(status !== '204')
  })

  it('names every reason by which it refuses, as a problem document of the status that the catalogue gives it', () => {
    expect(operation.responses['401']).toBeDefined()
    expect(operation.responses['403']).toBeDefined()
    const entries: Readonly<Record<string, { readonly status: number }>> = { ...httpErrors, ...adminErrors }
    for (const reason of endpoint.refuses ?? []) {
      const response = operation.responses[String(entries[reason]?.status)]
      expect(JSON.stringify(response?.content?.['application/problem+json']?.schema)).toContain(`"urn:drawbridge:error:${reason}"`)
    }
  })
})
