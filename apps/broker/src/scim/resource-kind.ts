/** What a kind of SCIM resource must be able to do. Its endpoints, `.search`, Bulk and discovery are made from that. */
import type { Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import type { PatchOperation } from '@drawbridge/core/scim/patch'
import type { Projection } from '@drawbridge/core/scim/projection'
import type { ResourceType } from '@drawbridge/core/scim/resource-type'
import type { ScimScope } from '@drawbridge/core/scim/scope'
import type { SearchAnswer, SearchQuestion } from '@drawbridge/store/scim-search'
import type { BrokerDeps } from '../deps.js'
import type { ScimBearer } from './bearer.js'
import type { ScimLimit } from './limit.js'

export type ScimContext = {
  readonly deps: BrokerDeps
  readonly caller: ScimBearer
  /** Of the tenant's SCIM endpoints, without a slash at its end. */
  readonly baseUrl: string
  /** Takes one of a limit of the token. False: there is none left. */
  readonly mayTake: (limit: ScimLimit) => boolean
}

/** What the request demands of the version that it meets; asked of the locked row. */
export type Condition = (version: string) => Result<void, ScimError>

/** A PUT or PATCH of one resource, as it came. */
export type AskedChange = { readonly method: 'PUT' | 'PATCH'; readonly id: string; readonly body: unknown; readonly condition: Condition }

/**
 * Answers are whole resources, `meta` with them. Each change is one transaction, and what it does to subjects is in it.
 *
 * `projection` is advice: what is dear to read and not asked for may be left out.
 */
export type ScimKind = {
  readonly type: ResourceType
  readonly maxBodyBytes: number
  /** The least that a token needs to change one, or to have it gone. */
  readonly changedWith: ScimScope
  /** How a PATCH is answered where no attributes are asked for. */
  readonly patchAnswers: 'resource' | 'nothing'
  /** Attributes that become others without a new version of the resource: an answer with them is never said to be known. */
  readonly unversioned: readonly string[]
  readonly create: (context: ScimContext, body: unknown) => Promise<Result<JsonObject, ScimError>>
  readonly find: (context: ScimContext, id: string, projection: Projection) => Promise<JsonObject | undefined>
  readonly search: (context: ScimContext, question: SearchQuestion, projection: Projection) => Promise<SearchAnswer<JsonObject>>
  readonly replace: (
    context: ScimContext,
    id: string,
    body: unknown,
    condition: Condition,
    projection?: Projection,
  ) => Promise<Result<JsonObject, ScimError>>
  readonly patch: (
    context: ScimContext,
    id: string,
    operations: readonly PatchOperation[],
    condition: Condition,
    projection?: Projection,
  ) => Promise<Result<JsonObject, ScimError>>
  /** What a refused change ends all the same. */
  readonly takeAwayOnly?: (context: ScimContext, asked: AskedChange) => Promise<void>
  readonly remove: (context: ScimContext, id: string, condition: Condition) => Promise<Result<void, ScimError>>
}
