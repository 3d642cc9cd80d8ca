/**
 * Many operations in one request. Each is what it would be alone, in a transaction of its own: what was done before one that fails stays
 * done, a barrier above all. RFC 7644 §3.7 leaves that to the server; its answer says of each operation what became of it.
 *
 * Each counts under the limit under which it would count alone, and waits for its turn like any other of its directory: a thousand in one request are heard no sooner than a
 * thousand requests. Whoever waits for the answer does not wait for ever: what has not begun after `scimLimits.bulkSeconds` is told so and not done.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type BulkOperation, type BulkRequest, orderBulk, resolveBulk } from '@drawbridge/core/scim/bulk'
import { type ScimError, scimErrorBody, scimErrors, scimLimits } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { busyBy } from '@drawbridge/store/turns'
import { changeOne } from './change.js'
import { demandScope } from './demand-scope.js'
import { scimLimitOf } from './limit.js'
import { conditionOf, placeOf } from './read-request.js'
import type { ScimContext, ScimKind } from './resource-kind.js'

type Done = { readonly status: number; readonly resource: JsonObject | undefined }

export async function runBulk(context: ScimContext, kinds: readonly ScimKind[], request: BulkRequest): Promise<JsonObject> {
  const { operations, failOnErrors } = request
  const { order, circular } = orderBulk(operations)
  const made = new Map<string, string>()
  const answers = new Map<number, JsonObject>()
  let failures = 0
  const { clock } = context.deps
  const end = addSeconds(clock.now(), scimLimits.bulkSeconds)
  for (const at of [...order, ...circular]) {
    const operation = operations[at] as BulkOperation
    const run = () =>
      circular.has(at) ? refuse(context, kinds, operation, 'scim_bulk_circular') : runOperation(context, kinds, operation, made)
    const outcome = clock.now() >= end ? err<ScimError>({ reason: 'scim_bulk_late' }) : await inRoom(context, operation, run)
    answers.set(at, answerOf(context, operation, outcome))
    if (!outcome.ok) failures += 1
    if (failOnErrors !== undefined && failures >= failOnErrors) break
  }
  // In the order in which they were sent; what was left undone is not among them.
  const told = operations.flatMap((_, at) => answers.get(at) ?? [])
  return { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkResponse'], Operations: told }
}

/** Runs it where its token has room for it and its directory a turn. */
async function inRoom(
  context: ScimContext,
  { method, path, data }: BulkOperation,
  run: () => Promise<Result<Done, ScimError>>,
): Promise<Result<Done, ScimError>> {
  if (!context.mayTake(scimLimitOf({ method, path, json: ok(data) }))) return err({ reason: 'scim_bulk_limited' })
  try {
    return await run()
  } catch (cause) {
    // Those before it are done, and their answers must not be lost with it.
    if (busyBy(cause) === undefined) throw cause
    return err({ reason: 'scim_bulk_late' })
  }
}

async function runOperation(
  context: ScimContext,
  kinds: readonly ScimKind[],
  given: BulkOperation,
  made: Map<string, string>,
): Promise<Result<Done, ScimError>> {
  const operation = resolveBulk(given, (bulkId) => made.get(bulkId))
  if (operation === undefined) return refuse(context, kinds, given, 'scim_bulk_reference_unknown')
  const place = findPlace(kinds, operation)
  if (place === undefined) return err({ reason: 'scim_bulk_path_unknown' })
  const refusal = await demandScope(context, place.kind, { method: operation.method, id: place.id, body: operation.data })
  if (refusal !== undefined) return err(refusal)
  const done = await change(context, place.kind, place.id, operation)
  const newId = done.ok ? done.value.resource?.['id'] : undefined
  if (operation.method === 'POST' && operation.bulkId !== undefined && typeof newId === 'string') made.set(operation.bulkId, newId)
  return done
}

/** Nobody goes on because somebody else is not there: what it takes away ends, as where a change is refused (`change.ts`). */
async function refuse(
  context: ScimContext,
  kinds: readonly ScimKind[],
  operation: BulkOperation,
  reason: 'scim_bulk_circular' | 'scim_bulk_reference_unknown',
): Promise<Result<Done, ScimError>> {
  const { method, data: body, version } = operation
  const place = findPlace(kinds, operation)
  if (place === undefined || (method !== 'PUT' && method !== 'PATCH')) return err({ reason })
  const refusal = await demandScope(context, place.kind, { method, id: place.id, body })
  if (refusal !== undefined) return err(refusal)
  await place.kind.takeAwayOnly?.(context, { method, id: place.id, body, condition: conditionOf(version) })
  return err({ reason })
}

/** `id`: empty for a creation. Undefined: an operation of this method has no such place. */
function findPlace(
  kinds: readonly ScimKind[],
  { method, path }: BulkOperation,
): { readonly kind: ScimKind; readonly id: string } | undefined {
  const [, endpoint, id = '', more] = path.split('/')
  const kind = kinds.find((one) => one.type.endpoint === `/${endpoint ?? ''}`)
  return kind === undefined || more !== undefined || (id === '') !== (method === 'POST') ? undefined : { kind, id }
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
