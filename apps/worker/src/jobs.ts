/** The table of background work: job name → payload schema → handler → retries. A job that is not here does not exist. */

import { tellSessionEndedEntry } from '@drawbridge/core/logout/session-ended'
import { type DeprovisioningSource, initiatingEntities } from '@drawbridge/core/revocation/deprovisioning-event'
import { endedTogether, tellEndedEntry } from '@drawbridge/core/revocation/ended-grants'
import { followKillEntry, killsOfMany } from '@drawbridge/core/revocation/follow-kill'
import { settleDirectoryEntry, settleGrantsEntry, tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import { tellReinstatedEntry } from '@drawbridge/core/revocation/webhook'
import { condemnedKeyEntry } from '@drawbridge/core/signals/signing-key-condemned'
import { mostNamedPeople } from '@drawbridge/store/directory'
import { sessionEndLimits } from '@drawbridge/store/end-session'
import { z } from 'zod'
import type { JobDeps } from './deps.js'
import { checkSignalStreams } from './jobs/check-signal-streams.job.js'
import { endAuditEvents } from './jobs/end-audit-events.job.js'
import { endIdleRegistrations } from './jobs/end-idle-registrations.job.js'
import { endSubjects } from './jobs/end-subjects.job.js'
import { followKill } from './jobs/follow-kill.job.js'
import { refreshIdpMetadata } from './jobs/refresh-idp-metadata.job.js'
import { revokeGrants, revokePayload } from './jobs/revoke-grants.job.js'
import { rotateSigningKeys } from './jobs/rotate-signing-keys.job.js'
import { runScheduled } from './jobs/run-scheduled.job.js'
import { sendAnnouncements } from './jobs/send-announcements.job.js'
import { settleDirectory } from './jobs/settle-directory.job.js'
import { settleTenantGrants } from './jobs/settle-grants.job.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'
import { tellCondemnedKey } from './jobs/tell-condemned-key.job.js'
import { tellEnded } from './jobs/tell-ended-grants.job.js'
import { tellReinstated } from './jobs/tell-reinstated.job.js'
import { tellSessionEnded } from './jobs/tell-session-ended.job.js'
import { tellSettledGrants } from './jobs/tell-settled-grants.job.js'
import { verifyDomains } from './jobs/verify-domains.job.js'
import { warnCertificates } from './jobs/warn-certificates.job.js'
import { schedule } from './schedule.js'

/**
 * Tries and the first pause between them, which doubles. For work from the outbox they are one round, of a few seconds: a longer trouble is the
 * relay's, which makes further rounds with growing pauses.
 */
export type Retries = { readonly attempts: number; readonly firstPauseMs: number }
/** `yields`: it comes after everything that does not, because many of it may be due at once and nobody waits for any. */
export type JobEntry = {
  readonly retries: Retries
  readonly limitSeconds: number
  readonly yields?: true
  run(deps: JobDeps, data: unknown): Promise<void>
}

/** Longer than any statement may take, so that the database's word comes first where it has one. */
export const outboxJobLimitSeconds = 90
/** What is swept or looked at in a row may be much. */
export const scheduledJobLimitSeconds = 900

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const revokeData = z.object({ tenant: uuid, entry: z.number().int().positive(), payload: revokePayload })

const condemnedKeyPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({ eventId: uuid, issuerId: uuid, kid: z.string().min(1).max(200) }),
})

const settleGrantsPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({ version: z.number().int().positive(), after: uuid.optional(), isLastLook: z.boolean().optional() }),
})
const settleDirectoryPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({
    connection: uuid,
    subjects: z.array(uuid).max(mostNamedPeople).optional(),
    after: uuid.optional(),
    isLastLook: z.boolean().optional(),
  }),
})
const tellSettledPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({
    grants: z.array(
      z.object({
        ...{ eventId: uuid, grantId: uuid, issuerId: uuid, resourceTenantId: uuid, resourceId: uuid },
        ...{ epoch: z.number().int().positive(), scopes: z.array(z.string()), isEnded: z.boolean() },
        cause: z.enum(['policy', 'directory']).optional(),
      }),
    ),
  }),
})
const tellEndedPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({
    grants: z
      .array(z.object({ grantId: uuid, epoch: z.number().int().positive() }))
      .min(1)
      .max(endedTogether),
    ...{
      source: z.enum(Object.keys(initiatingEntities) as DeprovisioningSource[]),
      reason: z.string(),
      requestId: z.string().nullable(),
      at: z.iso.datetime({ offset: true }),
    },
  }),
})
const followKillPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({
    ...{ eventId: uuid, target: z.enum(killsOfMany), targetId: z.string().min(1).max(2048), epoch: z.number().int().positive() },
    ...{ sequence: z.number().int().positive(), after: uuid.optional(), isTold: z.boolean().optional() },
    ...{ afterGrant: uuid.optional(), isLeftOut: z.boolean().optional(), isLastLook: z.boolean().optional() },
  }),
})
const sessionEndedPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({ eventId: uuid, sessions: z.array(uuid).min(1).max(sessionEndLimits.sessions) }),
})
const reinstatedPayload = z.object({
  tenant: uuid,
  entry: z.number().int().positive(),
  payload: z.object({ eventId: uuid, subjectId: uuid, at: z.iso.datetime() }),
})
const askedFor = z.object({ tenant: uuid, entry: z.number().int().positive() })

/** A payload that does not parse is our own mistake: it throws, is retried, and stays visible as a failed job. */
const job = <Payload>(
  schema: z.ZodType<Payload>,
  retries: Retries,
  handler: (deps: JobDeps, payload: Payload) => Promise<void>,
  limitSeconds: number = outboxJobLimitSeconds,
): JobEntry => ({
  ...{ retries, limitSeconds },
  run: (deps, data) => handler(deps, schema.parse(data)),
})

const scheduled = (retries: Retries, handler: (deps: JobDeps) => Promise<void>): JobEntry =>
  job(z.object({}), retries, (deps) => handler(deps), scheduledJobLimitSeconds)

export const jobs: Readonly<Record<string, JobEntry>> = {
  revoke: job(revokeData, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    revokeGrants(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  [condemnedKeyEntry]: job(condemnedKeyPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    tellCondemnedKey(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  [settleGrantsEntry]: {
    ...job(settleGrantsPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
      settleTenantGrants(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
    ),
    yields: true,
  },
  [settleDirectoryEntry]: {
    ...job(settleDirectoryPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
      settleDirectory(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
    ),
    yields: true,
  },
  [tellSettledEntry]: job(tellSettledPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    tellSettledGrants(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  [tellEndedEntry]: job(tellEndedPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    tellEnded(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  [followKillEntry]: {
    ...job(followKillPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
      followKill(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
    ),
    yields: true,
  },
  [tellSessionEndedEntry]: job(sessionEndedPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    tellSessionEnded(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  [tellReinstatedEntry]: job(reinstatedPayload, { attempts: 6, firstPauseMs: 100 }, (deps, data) =>
    tellReinstated(deps, { tenant: data.tenant, entry: data.entry, ...data.payload }),
  ),
  'sweep-expired': scheduled({ attempts: 3, firstPauseMs: 5000 }, sweepExpired),
  'end-idle-registrations': scheduled({ attempts: 3, firstPauseMs: 5000 }, endIdleRegistrations),
  'end-audit-events': scheduled({ attempts: 3, firstPauseMs: 5000 }, endAuditEvents),
  'end-subjects': scheduled({ attempts: 3, firstPauseMs: 1000 }, endSubjects),
  'refresh-idp-metadata': scheduled({ attempts: 1, firstPauseMs: 1000 }, refreshIdpMetadata),
  'warn-certificates': scheduled({ attempts: 3, firstPauseMs: 5000 }, warnCertificates),
  'rotate-signing-keys': scheduled({ attempts: 2, firstPauseMs: 5000 }, rotateSigningKeys),
  'send-announcements': scheduled({ attempts: 1, firstPauseMs: 1000 }, sendAnnouncements),
  'check-signal-streams': scheduled({ attempts: 1, firstPauseMs: 1000 }, checkSignalStreams),
  'verify-domains': scheduled({ attempts: 2, firstPauseMs: 5000 }, verifyDomains),
  'run-scheduled': job(
    askedFor,
    { attempts: 3, firstPauseMs: 1000 },
    (deps, asked) =>
      runScheduled(
        deps,
        asked,
        schedule.map((entry) => async () => findJob(entry.job)?.run(deps, {})),
      ),
    scheduledJobLimitSeconds,
  ),
}

export const findJob = (name: string): JobEntry | undefined => (Object.hasOwn(jobs, name) ? jobs[name] : undefined)
