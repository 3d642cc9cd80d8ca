/**
 * Recorded logins: what policies are tried on before they are published, by the tenant's opt-in.
 *
 * That somebody signed in, and what was decided, the audit trail says too, and so does the list. What a login said of a person is read with a
 * permission of its own, and each look leaves a line in the trail. docs/adr/0035
 */
import { type RecordedLogin, recordedLogin, recordedLoginFromText } from '@drawbridge/core/policy/recorded-login'
import type { RecordedLoginId, SubjectId } from '@drawbridge/core/tenant/ids'
import {
  deleteRecordedLogin,
  deleteRecordedLogins,
  findRecordedLogin,
  listRecordedLogins,
  markLoginsRecorded,
  recordsLogins,
  type StoredLogin,
} from '@drawbridge/store/recorded-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id, time, toIso } from './shapes.js'

const tag = 'Recorded logins'
const outcome = z.enum(['allow', 'stepUp', 'deny'])

const heading = z.strictObject({
  id,
  at: time,
  connectionId: id,
  subjectId: id,
  clientId: z.string(),
  outcome,
  policyVersion: z.int().describe('The one that decided'),
})
const showHeading = ({ sealed: _sealed, ...login }: StoredLogin): z.output<typeof heading> => ({ ...login, at: toIso(login.at) })

const list = adminList({
  path: '/tenants/:tenant/recorded-logins',
  tag,
  summary: 'List the recorded logins, newest first; what they say of people is not in the list',
  permission: 'audit:read',
  member: 'recordedLogins',
  shown: heading,
  position: ['before', 'moment'],
  filters: {
    connection: z.uuid().optional(),
    subject: z.uuid().optional(),
    client: z.string().max(2048).optional(),
    outcome: outcome.optional(),
  },
  read: (http, deps, page) => {
    const { id: tenant } = tenantOf(http)
    const { connection: connectionId, subject: subjectId, client: clientId, outcome: wanted } = http.asked
    const filter = { connectionId, subjectId, clientId, outcome: wanted }
    return inTenant(deps.database, tenant, (db) => listRecordedLogins(db, tenant, { filter, now: deps.clock.now() }, page))
  },
  show: showHeading,
  positionOf: ({ at, id: row }) => momentPosition(at, row),
})

/** `undefined`: another version wrote it, or its key is gone. */
export function openRecordedLogin(deps: BrokerDeps, tenant: ResolvedTenant, { id: row, sealed }: StoredLogin): RecordedLogin | undefined {
  const opened = deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'recorded_logins', 'sealed', row))
  return opened.ok ? recordedLoginFromText(opened.value.toString('utf8')) : undefined
}

const shown = heading.extend(recordedLogin.omit({ at: true }).shape)

/** What is read of a person stands in the trail before it is answered. `undefined`: there is no such record, or none that opens. */
export async function readRecordedLogin(
  http: AdminRequest<unknown, unknown>,
  deps: BrokerDeps,
): Promise<{ readonly stored: StoredLogin; readonly record: RecordedLogin } | undefined> {
  const tenant = tenantOf(http)
  const wanted = idParam<RecordedLoginId>(http)
  return inTenant(deps.database, tenant.id, async (db) => {
    const stored = wanted && (await findRecordedLogin(db, tenant.id, { id: wanted, now: deps.clock.now() }))
    const record = stored && openRecordedLogin(deps, tenant, stored)
    if (!record) return undefined
    const { subjectId, connectionId, clientId } = stored
    await audit(db, tenant.id, http, deps, { kind: 'recorded_login.read', subjectId, connectionId, clientId, detail: { login: stored.id } })
    return { stored, record }
  })
}

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/recorded-logins/:id',
  tag,
  summary: 'Read what a recorded login said of a person, and what was decided on it; the trail says who read it',
  permission: 'claims:read',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const login = await readRecordedLogin(http, deps)
    if (!login) return refuseAdmin('not_found')
    const { at: _at, ...said } = login.record
    return json({ ...showHeading(login.stored), ...said })
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/recorded-logins/:id',
  tag,
  summary: 'Delete a recorded login',
  permission: 'configuration:write',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const wanted = idParam<RecordedLoginId>(http)
    const isDone =
      wanted !== undefined &&
      (await inTenant(deps.database, tenant, async (db) => {
        const isDeleted = await deleteRecordedLogin(db, tenant, wanted)
        if (isDeleted) await audit(db, tenant, http, deps, { kind: 'recorded_logins.deleted', detail: { login: wanted, deleted: 1 } })
        return isDeleted
      }))
    return isDone ? empty() : refuseAdmin('not_found')
  },
})

/** Absent: of everybody. */
async function removeThose(http: AdminRequest, deps: BrokerDeps, subjectId?: SubjectId): Promise<Answer> {
  const { id: tenant } = tenantOf(http)
  const deleted = await inTenant(deps.database, tenant, async (db) => {
    const gone = await deleteRecordedLogins(db, tenant, subjectId)
    await audit(db, tenant, http, deps, { kind: 'recorded_logins.deleted', ...(subjectId && { subjectId }), detail: { deleted: gone } })
    return gone
  })
  return json({ deleted })
}

const manyDeleted = { method: 'DELETE', tag, permission: 'configuration:write', answer: z.strictObject({ deleted: z.int() }) } as const

const removeAll = adminEndpoint({
  ...manyDeleted,
  path: '/tenants/:tenant/recorded-logins',
  summary: 'Delete all recorded logins',
  run: (http, deps) => removeThose(http, deps),
})

const removePerson = adminEndpoint({
  ...manyDeleted,
  path: '/tenants/:tenant/subjects/:id/recorded-logins',
  summary: 'Delete the recorded logins of a person',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const subjectId = idParam<SubjectId>(http)
    return subjectId === undefined ? refuseAdmin('not_found') : removeThose(http, deps, subjectId)
  },
})

const recording = z.strictObject({
  recordLogins: z
    .boolean()
    .describe('Whether every decision on a login is recorded, with claims, for a week; false deletes what was recorded'),
})
const recordingAt = { path: '/tenants/:tenant/login-recording', tag, answer: recording } as const

const readRecording = adminEndpoint({
  ...recordingAt,
  method: 'GET',
  summary: 'Read whether logins are recorded, so that policies can be tried on them',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    return json({ recordLogins: await inTenant(deps.database, tenant, (db) => recordsLogins(db, tenant)) })
  },
})

/** Whoever says so lets admins read what everybody's logins say of them: the contacts are told. */
const replaceRecording = adminEndpoint({
  ...recordingAt,
  method: 'PUT',
  summary: 'Say whether logins are recorded, so that policies can be tried on them; who says no deletes what was recorded',
  permission: 'impersonate',
  body: recording,
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const { recordLogins } = http.parsed
    await inTenant(deps.database, tenant, async (db) => {
      const deleted = await markLoginsRecorded(db, tenant, recordLogins)
      await audit(db, tenant, http, deps, { kind: 'tenant.login_recording_changed', detail: { recordLogins, deleted } })
    })
    return json({ recordLogins })
  },
})

export const recordedLoginEndpoints = [list, read, remove, removeAll, removePerson, readRecording, replaceRecording]
