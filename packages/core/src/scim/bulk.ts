/**
 * Bulk requests, read and put into an order in which each reference is known before it is used. RFC 7644 §3.7.
 *
 * Operations keep the order in which they were sent, except that whoever creates what another one names by `bulkId` comes before it.
 * A circle is refused: which of its resources could be made first would be a guess.
 */
import { err, ok, type Result } from '../result.js'
import { type ScimError, scimLimits } from './error.js'
import { isList, isObject, type Json, memberOf } from './json.js'

export const bulkMethods = ['POST', 'PUT', 'PATCH', 'DELETE'] as const

export type BulkOperation = {
  readonly method: (typeof bulkMethods)[number]
  readonly bulkId: string | undefined
  /** If-Match, in effect. */
  readonly version: string | undefined
  /** `/Users`, `/Users/2819`, `/Groups/bulkId:qwerty`. */
  readonly path: string
  readonly data: Json | undefined
}

export type BulkRequest = {
  readonly operations: readonly BulkOperation[]
  /** How many may fail before the rest is left undone. Absent: all of them. */
  readonly failOnErrors: number | undefined
}

export const bulkRequestSchema = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'

/** @spec RFC 7644 §3.7.4 more than maxOperations */
export function parseBulk(body: unknown): Result<BulkRequest, ScimError> {
  const list = isObject(body) ? memberOf(body, 'operations') : undefined
  if (!isObject(body) || !isList(list)) return err({ reason: 'scim_body_malformed', detail: 'Operations' })
  if (list.length > scimLimits.bulkOperations)
    return err({ reason: 'scim_bulk_too_large', detail: `maxOperations is ${scimLimits.bulkOperations}` })
  const operations: BulkOperation[] = []
  for (const one of list) {
    const operation = parseOperation(one)
    if (operation === undefined) return err({ reason: 'scim_body_malformed', detail: `operation ${operations.length + 1}` })
    operations.push(operation)
  }
  const ids = operations.flatMap(({ bulkId }) => bulkId ?? [])
  if (new Set(ids).size < ids.length) return err({ reason: 'scim_body_malformed', detail: 'a bulkId stands twice' })
  const failOnErrors = memberOf(body, 'failonerrors')
  if (failOnErrors === undefined || failOnErrors === null) return ok({ operations, failOnErrors: undefined })
  return typeof failOnErrors === 'number' && Number.isInteger(failOnErrors) && failOnErrors > 0
    ? ok({ operations, failOnErrors })
    : err({ reason: 'scim_value_invalid', detail: 'failOnErrors' })
}

function parseOperation(value: Json): BulkOperation | undefined {
  if (!isObject(value)) return undefined
  const given = memberOf(value, 'method')
  const method = typeof given === 'string' ? bulkMethods.find((one) => one === given.toUpperCase()) : undefined
  const [bulkId, version, path] = ['bulkid', 'version', 'path'].map((name) => memberOf(value, name) ?? undefined)
  const isName = (text: Json | undefined): text is string | undefined =>
    text === undefined || (typeof text === 'string' && text.length <= 512)
  if (method === undefined || typeof path !== 'string' || !isName(path) || !isName(bulkId) || !isName(version)) return undefined
  // Of a POST the answer would name nothing: RFC 7644 §3.7 demands it.
  if (method === 'POST' && (bulkId === undefined || bulkId === '')) return undefined
  return { method, path, bulkId, version, data: memberOf(value, 'data') }
}

const reference = /^bulkId:(.+)$/s

/** Every bulkId that an operation names. */
function referencesOf({ path, data }: BulkOperation): readonly string[] {
  const found: string[] = []
  const look = (value: Json | undefined): void => {
    if (typeof value === 'string') {
      const name = reference.exec(value)?.[1]
      if (name !== undefined) found.push(name)
    } else if (isList(value)) value.forEach(look)
    else if (isObject(value)) Object.values(value).forEach(look)
  }
  look(path.split('/').at(-1))
  look(data)
  return found
}

/** Positions of operations, in the order in which they are done; those of a circle are not among them. */
export function orderBulk(operations: readonly BulkOperation[]): {
  readonly order: readonly number[]
  readonly circular: ReadonlySet<number>
} {
  const makers = new Map(
    operations.flatMap(({ method, bulkId }, at) => (method === 'POST' && bulkId !== undefined ? [[bulkId, at] as const] : [])),
  )
  const needs = operations.map((one) => [...new Set(referencesOf(one))].flatMap((name) => makers.get(name) ?? []))
  const waitsFor = needs.map((list) => new Set(list).size)
  const waiters = operations.map((): number[] => [])
  needs.forEach((list, at) => {
    for (const maker of new Set(list)) waiters[maker]?.push(at)
  })
  const order: number[] = []
  const done = new Set<number>()
  const finish = (first: number): void => {
    const ready = [first]
    for (let at = ready.shift(); at !== undefined; at = ready.shift()) {
      if (done.has(at)) continue
      done.add(at)
      order.push(at)
      for (const waiter of waiters[at] ?? []) {
        waitsFor[waiter] = (waitsFor[waiter] ?? 0) - 1
        // Whoever had its turn already was only waiting for this one.
        if (waitsFor[waiter] === 0 && waiter < turn) ready.push(waiter)
      }
    }
  }
  let turn = 0
  for (turn = 0; turn < operations.length; turn += 1) {
    if (waitsFor[turn] === 0) finish(turn)
  }
  return { order, circular: new Set(operations.flatMap((_, at) => (done.has(at) ? [] : [at]))) }
}

/** An operation with every reference replaced. Undefined: one of them names nothing that was made. */
export function resolveBulk(operation: BulkOperation, idOf: (bulkId: string) => string | undefined): BulkOperation | undefined {
  let isMissing = false
  const resolveText = (text: string): string => {
    const name = reference.exec(text)?.[1]
    if (name === undefined) return text
    const id = idOf(name)
    if (id === undefined) isMissing = true
    return id ?? text
  }
  const resolve = (value: Json): Json => {
    if (typeof value === 'string') return resolveText(value)
    if (isList(value)) return value.map(resolve)
    return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner)])) : value
  }
  const path = operation.path.split('/').map(resolveText).join('/')
  const data = operation.data === undefined ? undefined : resolve(operation.data)
  return isMissing ? undefined : { ...operation, path, data }
}
