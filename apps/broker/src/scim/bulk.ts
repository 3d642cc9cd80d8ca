/**
 * Many operations in one request. Each is what it would be alone, in a transaction of its own: what was done before one that fails stays
 * done, a barrier above all. RFC 7644 §3.7 leaves that to the server; its answer says of each operation what became of it.
 */
import { ok, type Result } from '@drawbridge/core/result'
import { type BulkOperation, type BulkRequest, orderBulk, resolveBulk } from '@drawbridge/core/scim/bulk'
import { type ScimError, scimErrorBody, scimErrors } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { changeOne } from './change.js'
import { demandScope } from './demand-scope.js'
import { conditionOf, placeOf } from './read-request.js'
import type { ScimContext, ScimKind } from './resource-kind.js'

type Done = { readonly status: number; readonly resource: JsonObject | undefined }

export async function runBulk(context: ScimContext, kinds: readonly ScimKind[], request: BulkRequest): Promise<JsonObject> {
  const { operations, failOnErrors } = request
  const { order, circular } = orderBulk(operations)
  const made = new Map<string, string>()
  const answers = new Map<number, JsonObject>()
  let failures = 0
  for (const at of [...order, ...circular]) {
    const operation = operations[at] as BulkOperation
    const outcome: Result<Done, ScimError> = circular.has(at)
      ? { ok: false, error: { reason: 'scim_bulk_circular' } }
      : await runOperation(context, kinds, operation, made)
    answers.set(at, answerOf(context, operation, outcome))
    if (!outcome.ok) failures += 1
    if (failOnErrors !== undefined && failures >= failOnErrors) break
  }
  // In the order in which they were sent; what was left undone is not among them.
  const told = operations.flatMap((_, at) => answers.get(at) ?? [])
  return { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkResponse'], Operations: told }
}

async function runOperation(
  context: ScimContext,
  kinds: readonly ScimKind[],
  given: BulkOperation,
  made: Map<string, string>,
): Promise<Result<Done, ScimError>> {
  const operation = resolveBulk(given, (bulkId) => made.get(bulkId))
  if (operation === undefined) return { ok: false, error: { reason: 'scim_bulk_reference_unknown' } }
  const [, endpoint, id, more] = operation.path.split('/')
  const kind = kinds.find((one) => one.type.endpoint === `/${endpoint ?? ''}`)
  const isOfList = id === undefined || id === ''
  if (kind === undefined || more !== undefined || isOfList !== (operation.method === 'POST'))
    return { ok: false, error: { reason: 'scim_bulk_path_unknown' } }
  const refusal = await demandScope(context, kind, { method: operation.method, id, body: operation.data })
  if (refusal !== undefined) return { ok: false, error: refusal }
  const done = await change(context, kind, id ?? '', operation)
  const newId = done.ok ? done.value.resource?.['id'] : undefined
  if (operation.method === 'POST' && operation.bulkId !== undefined && typeof newId === 'string') made.set(operation.bulkId, newId)
  return done
}

async function change(
  context: ScimContext,
  kind: ScimKind,
  id: string,
  { method, data, version }: BulkOperation,
): Promise<Result<Done, ScimError>> {
  const condition = conditionOf(version)
  switch (method) {
    case 'POST':
      return shown(await kind.create(context, data), 201)
    case 'PUT':
    case 'PATCH':
      return shown(await changeOne(kind, context, { method, id, body: data, condition }), 200)
    case 'DELETE': {
      const removed = await kind.remove(context, id, condition)
      return removed.ok ? ok({ status: 204, resource: undefined }) : removed
    }
  }
}

const shown = (outcome: Result<JsonObject, ScimError>, status: number): Result<Done, ScimError> =>
  outcome.ok ? ok({ status, resource: outcome.value }) : outcome

/** @spec RFC 7644 §3.7.3 */
function answerOf(context: ScimContext, { method, bulkId, path }: BulkOperation, outcome: Result<Done, ScimError>): JsonObject {
  const common = { method, ...(bulkId === undefined ? {} : { bulkId }) }
  // Of a creation that was refused there is no location.
  const known = method === 'POST' ? {} : { location: `${context.baseUrl}${path}` }
  if (!outcome.ok)
    return { ...common, ...known, status: String(scimErrors[outcome.error.reason].status), response: scimErrorBody(outcome.error) }
  const { status, resource } = outcome.value
  if (resource === undefined) return { ...common, ...known, status: String(status) }
  const { location, etag } = placeOf(resource)
  return { ...common, location, version: etag, status: String(status) }
}
