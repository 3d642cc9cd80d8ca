/** Traces of logins that failed: found by the code that the person was shown, told with cause and remedy. */
import {
  failedOutcomes,
  loginStages,
  parseTraceCode,
  showTraceCode,
  stepsOf,
  type TraceContents,
  traceContentsFromText,
} from '@drawbridge/core/identity/login-trace'
import {
  findLoginTrace,
  listLoginFailures,
  listLoginTraces,
  markFailedClaimsRecorded,
  recordsFailedClaims,
  type StoredLoginTrace,
} from '@drawbridge/store/login-traces'
import { inTenant } from '@drawbridge/store/transaction'
import { type AnswerOutline, differences } from '@drawbridge/upstream/answer-outline'
import { explainFailure } from '@drawbridge/upstream/explain-failure'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { compared, explanation } from './failure-shapes.js'
import { refuseAdmin } from './refuse-admin.js'
import { id, time, toIso } from './shapes.js'

const tag = 'Failed logins'
const code = z.string().max(20).describe('As the person was shown it; case and hyphen do not matter')

const heading = z.strictObject({
  id,
  code: z.string(),
  connectionId: id,
  at: time,
  outcome: z
    .enum(failedOutcomes)
    .describe('unavailable: the IdP was not asked; refused: its answer does not count; denied: policy said no'),
  reason: z.string(),
  proven: z.boolean().describe('The IdP was proven to have spoken; false: anybody may have sent this'),
})
const showHeading = ({ sealed: _sealed, ...trace }: StoredLoginTrace): z.output<typeof heading> => ({
  ...trace,
  code: showTraceCode(trace.code),
  at: toIso(trace.at),
})

const shown = heading.extend({
  connectionName: z.string(),
  steps: z.array(z.strictObject({ stage: z.enum(loginStages), verdict: z.enum(['passed', 'refused', 'not_judged', 'not_reached']) })),
  ...explanation.shape,
  requestId: z.string().describe('Under which the log has it'),
  detail: z.record(z.string(), z.unknown()),
  differences: z.array(compared).describe('What came and is not what this connection awaits'),
  answer: z.record(z.string(), z.unknown()).nullable().describe('What the answer held, redacted; null: nothing could be read'),
  claimNames: z.array(z.string()).nullable().describe('Names of the claims that the mapping made; null: it did not come so far'),
  identity: z.unknown().describe('What the mapping made of the login; null unless the tenant records it'),
  explanation: z.unknown().describe('What policy said of each scope; null: it was not asked'),
})

const list = adminList({
  path: '/tenants/:tenant/login-traces',
  tag,
  summary: 'List the traces of failed logins, newest first',
  permission: 'audit:read',
  member: 'loginTraces',
  shown: heading,
  position: ['before', 'moment'],
  filters: {
    connection: z.uuid().optional(),
    outcome: z.enum(failedOutcomes).optional(),
    reason: z
      .string()
      .max(100)
      .regex(/^[a-z0-9_]+$/)
      .optional(),
    code: code.optional(),
  },
  read: (http, deps, page) => {
    const { id: tenant } = tenantOf(http)
    const { connection: connectionId, outcome, reason, code: asked } = http.asked
    const filter = { connectionId, outcome, reason, code: asked === undefined ? undefined : (parseTraceCode(asked) ?? '') }
    return inTenant(deps.database, tenant, (db) => listLoginTraces(db, tenant, { filter, now: deps.clock.now() }, page))
  },
  show: showHeading,
  positionOf: ({ at, id: row }) => momentPosition(at, row),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/login-traces/:code',
  tag,
  summary: 'Read how far a failed login came, why it was refused and what helps',
  permission: 'audit:read',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const asked = parseTraceCode(http.params['code'] ?? '')
    const trace =
      asked === undefined
        ? undefined
        : await inTenant(deps.database, tenant.id, (db) => findLoginTrace(db, tenant.id, asked, deps.clock.now()))
    const contents = trace && openTrace(deps, tenant, trace)
    return trace && contents ? json(show(tenant, trace, contents)) : refuseAdmin('not_found')
  },
})

function openTrace(deps: BrokerDeps, tenant: ResolvedTenant, trace: StoredLoginTrace): TraceContents | undefined {
  const opened = deps.sealer.open(trace.sealed, sealContextOf({ deps, tenant }, 'login_traces', 'sealed', trace.id))
  return opened.ok ? traceContentsFromText(opened.value.toString('utf8')) : undefined
}

function show(tenant: ResolvedTenant, trace: StoredLoginTrace, contents: TraceContents): z.output<typeof shown> {
  const { stage, requestId, detail, claimNames, identity, explanation } = contents
  const connection = tenant.connection(trace.connectionId)
  const configuration = connection?.configuration.ok ? connection.configuration.value : undefined
  const told = explainFailure({ reason: trace.reason, detail }, configuration) ?? unknownReason
  const answer = (contents.answer ?? null) as AnswerOutline | null
  return {
    ...showHeading(trace),
    connectionName: connection?.name ?? '',
    steps: [...stepsOf(stage, trace.proven)],
    cause: told.cause,
    remedy: told.remedy,
    vendor: told.vendor === undefined ? null : { name: told.vendor.name, remedy: told.vendor.remedy ?? null },
    guide: told.guide,
    requestId,
    detail,
    differences: answer === null ? [] : differences(answer).map((each) => ({ ...each, received: [...each.received] })),
    answer: answer === null ? null : { ...answer },
    claimNames: claimNames ?? null,
    identity: identity ?? null,
    explanation: explanation ?? null,
  }
}

/** A trace outlives the version that wrote it. */
const unknownReason = {
  cause: 'Another version of this software refused the login for a reason that this one does not know.',
  remedy: 'Look the reason up in the documentation of that version.',
  vendor: undefined,
  guide: 'docs/how-to/find-out-why-a-login-failed.md',
} as const

const failures = adminList({
  path: '/tenants/:tenant/login-failures',
  tag,
  summary: 'Count failed logins by hour, connection and reason, newest first; also those that left no trace',
  permission: 'audit:read',
  member: 'loginFailures',
  shown: z.strictObject({
    connectionId: id,
    hour: time,
    proven: z.int(),
    unproven: z.int().describe('Of which nobody can say who sent them'),
    reasons: z.record(z.string(), z.int()),
  }),
  position: ['before', 'moment'],
  filters: { connection: z.uuid().optional() },
  read: (http, deps, page) => {
    const { id: tenant } = tenantOf(http)
    const asked = { connectionId: http.asked.connection, now: deps.clock.now() }
    return inTenant(deps.database, tenant, (db) => listLoginFailures(db, tenant, asked, page))
  },
  show: (row) => ({ ...row, hour: toIso(row.hour), reasons: { ...row.reasons } }),
  positionOf: ({ hour, connectionId }) => momentPosition(hour, connectionId),
})

const tracing = z.strictObject({
  recordClaims: z.boolean().describe('Whether the trace of a failed login holds the claims that the mapping made, not their names alone'),
})
const tracingAt = { path: '/tenants/:tenant/login-tracing', tag, answer: tracing } as const

const readTracing = adminEndpoint({
  ...tracingAt,
  method: 'GET',
  summary: 'Read what traces of failed logins hold',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    return json({ recordClaims: await inTenant(deps.database, tenant, (db) => recordsFailedClaims(db, tenant)) })
  },
})

/** Whoever says so lets admins read what people's logins say of them. */
const replaceTracing = adminEndpoint({
  ...tracingAt,
  method: 'PUT',
  summary: 'Say whether traces of failed logins hold claims; what was recorded goes with its trace',
  permission: 'impersonate',
  body: tracing,
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const { recordClaims } = http.parsed
    await inTenant(deps.database, tenant, async (db) => {
      await markFailedClaimsRecorded(db, tenant, recordClaims)
      await audit(db, tenant, http, deps, { kind: 'tenant.login_tracing_changed', detail: { recordClaims } })
    })
    return json({ recordClaims })
  },
})

export const loginTraceEndpoints = [list, read, failures, readTracing, replaceTracing]
