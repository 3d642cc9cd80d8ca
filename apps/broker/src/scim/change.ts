/**
 * A replacement or a change of one resource, at its endpoint and in Bulk. What is refused changes no resource; but if it says that a person leaves, or members
 * leave a group, what they hold by it ends: a directory repeats the request and is refused again, and nobody goes on because of what else it says.
 */
import type { Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { parsePatch } from '@drawbridge/core/scim/patch'
import type { Projection } from '@drawbridge/core/scim/projection'
import type { AskedChange, ScimContext, ScimKind } from './resource-kind.js'

/** There is nobody, or the directory did not mean what is there. */
const changesNothing: readonly ScimError['reason'][] = ['scim_not_found', 'scim_version_stale']

export async function changeOne(
  kind: ScimKind,
  context: ScimContext,
  asked: AskedChange,
  projection?: Projection,
): Promise<Result<JsonObject, ScimError>> {
  const outcome = await attempt(kind, context, asked, projection)
  if (!outcome.ok && !changesNothing.includes(outcome.error.reason)) await kind.takeAwayOnly?.(context, asked)
  return outcome
}

async function attempt(kind: ScimKind, context: ScimContext, { method, id, body, condition }: AskedChange, projection?: Projection) {
  if (method === 'PUT') return kind.replace(context, id, body, condition, projection)
  const operations = parsePatch(kind.type, body)
  return operations.ok ? kind.patch(context, id, operations.value, condition, projection) : operations
}
