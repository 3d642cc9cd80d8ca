/** What only a lab can do: move the clock of every process, set quotas per tenant, run scheduled jobs at once. */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { moveLabClock } from '@drawbridge/store/installation'
import { findScheduledJobsRun, type LabRateLimits, requestScheduledJobs, setLabRateLimits } from '@drawbridge/store/lab'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type RateLimitName, rateLimits } from '../http/rate-limit.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const hundredYearsMs = 3_155_760_000_000
const moveClock = adminEndpoint({
  method: 'PUT',
  path: '/lab/clock',
  tag: 'Lab',
  summary: 'Move the clock of every process of a lab',
  permission: 'lab:clock',
  vendorOnly: true,
  body: z.strictObject({
    offsetSeconds: z
      .int()
      .min(-hundredYearsMs / 1000)
      .max(hundredYearsMs / 1000),
  }),
  answer: z.strictObject({ offsetSeconds: z.int(), now: time }),
  refuses: ['lab_only'],
  run: async (http, deps) => {
    if (deps.installation.kind !== 'lab') return refuseAdmin('lab_only')
    const { offsetSeconds } = http.parsed
    await moveLabClock(deps.database, offsetSeconds * 1000)
    deps.onLabClock?.(offsetSeconds * 1000)
    await inTenant(deps.database, vendorTenantId, (db) =>
      audit(db, vendorTenantId, http, deps, { kind: 'lab.clock_moved', detail: { offsetSeconds } }),
    )
    return json({ offsetSeconds, now: toIso(deps.clock.now()) })
  },
})

const mostPerSecond = 1_000_000
const limit = z.strictObject({ perSecond: z.number().positive().max(mostPerSecond), burst: z.int().min(1).max(mostPerSecond) })
const limitNames = Object.keys(rateLimits) as [RateLimitName, ...RateLimitName[]]

const setRateLimits = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/lab/rate-limits',
  tag: 'Lab',
  summary: 'Set the rate limits of one tenant of a lab; a limit that is not named is the ordinary one',
  permission: 'lab:operate',
  body: z.partialRecord(z.enum(limitNames), limit),
  answer: z.strictObject({ rateLimits: z.record(z.enum(limitNames), limit) }),
  refuses: ['lab_only'],
  run: async (http, deps) => {
    if (deps.installation.kind !== 'lab') return refuseAdmin('lab_only')
    const tenant = tenantOf(http)
    const limits = http.parsed as LabRateLimits
    await inTenant(deps.database, tenant.id, async (db) => {
      await setLabRateLimits(db, tenant.id, Object.keys(limits).length === 0 ? null : limits)
      await audit(db, tenant.id, http, deps, { kind: 'lab.rate_limits_set', detail: { limits } })
    })
    return json({ rateLimits: { ...rateLimits, ...limits } })
  },
})

const run = z.strictObject({ id: z.int(), doneAt: timeOrNull })
const runJobs = adminEndpoint({
  method: 'POST',
  path: '/lab/job-runs',
  tag: 'Lab',
  summary: 'Let a worker of a lab run every scheduled job now',
  permission: 'lab:operate',
  vendorOnly: true,
  status: 202,
  answer: run,
  refuses: ['lab_only'],
  run: async (http, deps) => {
    if (deps.installation.kind !== 'lab') return refuseAdmin('lab_only')
    const id = await inTenant(deps.database, vendorTenantId, async (db) => {
      const asked = await requestScheduledJobs(db, deps.clock.now())
      await audit(db, vendorTenantId, http, deps, { kind: 'lab.jobs_requested', detail: { run: asked } })
      return asked
    })
    return json({ id, doneAt: null }, { status: 202 })
  },
})

const readRun = adminEndpoint({
  method: 'GET',
  path: '/lab/job-runs/:id',
  tag: 'Lab',
  summary: 'Whether the jobs of that run are done',
  permission: 'lab:operate',
  vendorOnly: true,
  answer: run,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const id = http.params['id'] ?? ''
    const found = /^\d{1,15}$/.test(id)
      ? await inTenant(deps.database, vendorTenantId, (db) => findScheduledJobsRun(db, Number(id)))
      : undefined
    return found === undefined ? refuseAdmin('not_found') : json({ id: Number(id), doneAt: toIsoOrNull(found.doneAt) })
  },
})

export const labEndpoints = [moveClock, setRateLimits, runJobs, readRun]
