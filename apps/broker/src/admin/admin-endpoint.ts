/** How every endpoint of the admin API is made: key, permission and tenant are checked before anything of the request is read. */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AnnouncedAct } from '@drawbridge/core/tenant/announcement'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { announce } from '@drawbridge/store/announcements'
import { type AuditEvent, insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Db } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest, jsonParser, type Method } from '../http/endpoint.js'
import { type AdminCaller, authorizeAdmin } from './authorize-admin.js'
import type { AdminErrorReason } from './error.js'
import type { AdminPermission } from './permission.js'
import { reasonsOf } from './reasons.js'
import { refuseAdmin } from './refuse-admin.js'

type Output<S, Absent> = S extends z.ZodType ? z.output<S> : Absent
type NoQuery = Readonly<Record<never, never>>

/** `asked` is the query, parsed; `permission` what the endpoint needs. */
export type AdminRequest<Body = undefined, Query = NoQuery> = HttpRequest<Body, AdminCaller> & {
  readonly asked: Query
  readonly permission: AdminPermission
}

export type AdminEndpointDefinition<B extends z.ZodType | undefined, Q extends z.ZodType | undefined> = {
  readonly method: Method
  /** After `/admin/v1`. */
  readonly path: string
  readonly summary: string
  readonly permission: AdminPermission
  readonly vendorOnly?: true
  readonly tag: string
  readonly body?: B
  readonly query?: Q
  readonly maxBodyBytes?: number
  /** What it answers when all is well: 200 with a body of this shape, 204 without. */
  readonly status?: number
  readonly answer?: z.ZodType
  /** By which it may refuse, beside what holds for all: key, permission, tenant, form of the request. */
  readonly refuses?: readonly AdminErrorReason[]
  readonly run: (http: AdminRequest<Output<B, undefined>, Output<Q, NoQuery>>, deps: BrokerDeps) => Promise<Answer>
}

/** Metadata of large federations; a policy is far smaller. */
export const adminMaxBodyBytes = 1_048_576
const noQuery = z.strictObject({})

export function adminEndpoint<B extends z.ZodType | undefined = undefined, Q extends z.ZodType | undefined = undefined>(
  definition: AdminEndpointDefinition<B, Q>,
): Endpoint {
  const { path, permission, vendorOnly, body, query, status, answer, run, maxBodyBytes, refuses: _own, ...rest } = definition
  return endpoint<Output<B, undefined>, AdminCaller>({
    ...rest,
    path: `/admin/v1${path}`,
    spec: 'ours',
    permission,
    refusals: 'problem',
    refuses: reasonsOf(definition),
    maxBodyBytes: maxBodyBytes ?? adminMaxBodyBytes,
    servesSuspended: true,
    output: { status: status ?? (answer ? 200 : 204), ...(answer ? { schema: answer } : {}) },
    authorize: (http, deps) => authorizeAdmin(http, deps, permission, vendorOnly === true),
    ...(query ? { query } : {}),
    ...(body ? { parse: jsonParser(body) as never } : {}),
    run: async (http, deps) => {
      const asked = parseQuery(query ?? noQuery, http)
      if (!asked.ok) return asked.error
      try {
        return await run({ ...http, asked: asked.value as Output<Q, NoQuery>, permission }, deps)
      } catch (cause) {
        const reason = reasonOfSqlState(cause)
        if (reason === undefined) throw cause
        return refuseAdmin(reason)
      } finally {
        // Whoever wrote reads what they wrote, here at once; the hint that the database sends reaches this process a moment later.
        if (rest.method !== 'GET' && http.tenant) deps.configuration.invalidate(http.tenant.id)
      }
    },
  })
}

/** What nobody has a use for is refused too: a misspelt filter would answer more than was asked for. */
function parseQuery(schema: z.ZodType, http: HttpRequest): Result<unknown, Answer> {
  if (!http.query.ok)
    return err(refuseAdmin('query_invalid', [{ path: http.query.error.parameter ?? '', message: http.query.error.reason }]))
  const parsed = schema.safeParse({ ...http.query.value })
  if (parsed.success) return ok(parsed.data)
  return err(
    refuseAdmin(
      'query_invalid',
      parsed.error.issues.slice(0, 20).map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    ),
  )
}

/** The schema refuses what one transaction cannot see: taken names, foreign references. */
function reasonOfSqlState(cause: unknown): AdminErrorReason | undefined {
  const code = (cause as { readonly code?: unknown } | undefined)?.code
  if (code === '23505') return 'conflict'
  return code === '23503' ? 'reference_unknown' : undefined
}

/** Removes what nothing refers to; the schema keeps the rest, and the answer says so. `remove` answers whether there was anything. */
export async function answerRemoval(remove: () => Promise<boolean>): Promise<Answer> {
  try {
    return (await remove()) ? empty() : refuseAdmin('not_found')
  } catch (cause) {
    if ((cause as { readonly code?: unknown } | undefined)?.code === '23503') return refuseAdmin('still_in_use')
    throw cause
  }
}

/**
 * Writes to the trail of the tenant that is touched, in the transaction that touches it, and tells the tenant's contacts of what lets its
 * doer become somebody (`impersonate`). Which key did it is always there.
 */
export async function audit(
  db: Db,
  tenant: TenantId,
  http: AdminRequest<unknown, unknown>,
  deps: BrokerDeps,
  event: Omit<AuditEvent, 'at' | 'requestId' | 'address'>,
): Promise<void> {
  const { key, isVendor } = http.caller
  const at = deps.clock.now()
  const detail = { ...event.detail, adminKey: key.id, vendor: isVendor }
  await insertAuditEvent(db, tenant, { ...event, at, requestId: http.requestId, address: http.address, detail })
  if (http.permission === 'impersonate') await announce(db, tenant, actOf(http, event, at), { connectionId: event.connectionId })
}

/** What the contacts read of an act. */
export const actOf = (
  { caller: { key, isVendor }, address }: AdminRequest<unknown, unknown>,
  { kind, detail }: Pick<AuditEvent, 'kind' | 'detail'>,
  at: Instant,
): AnnouncedAct => ({ at, kind, about: aboutOf(detail), by: { keyName: key.name, isVendor, address } })

const namedBy = ['name', 'domain', 'mode'] as const

/** The first member of the detail that names what was touched. */
function aboutOf(detail: AuditEvent['detail']): string | undefined {
  const named = namedBy.map((member) => detail?.[member]).find((value) => typeof value === 'string' && value !== '')
  return named as string | undefined
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** The `:id` of the path; malformed ones find nothing. */
export const idParam = <Id extends string = string>(
  http: { readonly params: Readonly<Record<string, string>> },
  name = 'id',
): Id | undefined => {
  const value = http.params[name]
  return value !== undefined && uuid.test(value) ? (value as Id) : undefined
}
