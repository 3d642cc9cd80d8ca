/**
 * A company leaves, person by person: its directory deactivates ten thousand people who hold five grants each, while somebody else's clients
 * go on asking for tokens. How long until the last one is dead at a guard, and what the token endpoint is like meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createGuard } from '@drawbridge/guard/create-guard'
import { countUndoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { asOwner } from '@drawbridge/testkit/database'
import { createSender, loop, percentile } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'
import { bySecret } from './machine-clients.js'
import { cpuMsOf } from './process-figures.js'
import { deactivatePath, deactivation, scimHeaders } from './take-away.js'

const pollMs = 100
const giveUpMs = 600_000
/** Of the others' load: so many requests a second, whatever the answers take. */
const othersPerSecond = 50

export type Mass = {
  readonly people: number
  readonly grants: number
  /** Until the directory had all its answers; each is sent after the barrier's commit. */
  readonly answeredMs: number
  /** Until the worker was done, and every guard had acknowledged. */
  readonly sweptMs: number
  readonly acknowledgedMs: number
  readonly answered: readonly number[]
  readonly tokensBefore: readonly number[]
  readonly tokensMeanwhile: readonly number[]
  readonly cpuMs: { readonly broker: number; readonly worker: number; readonly database: number }
}
type Processes = { readonly broker: number; readonly worker: number }

export async function measureMass(laboratory: Laboratory, processes: Processes, size: { people: number; grants: number }): Promise<Mass> {
  const people = await employ(laboratory, size)
  const { tenant, issuer, databasePid, brokerUrl, platform } = laboratory
  const guard = createGuard({
    ...{ resource: tenant.resource, toolScopes: {}, onDeaf: 'refuse' },
    issuers: [{ issuer, credential: { id: tenant.credentialId, secret: tenant.credentialSecret } }],
    instance: 'mass',
  })
  await guard.start()
  const sender = createSender(brokerUrl)
  try {
    const tokensBefore = await during(laboratory, () => sleep(size.people > 1000 ? 10_000 : 1000))
    const cpu = () => ({ broker: cpuMsOf(processes.broker), worker: cpuMsOf(processes.worker), database: cpuMsOf(databasePid) })
    const before = cpu()
    const begun = performance.now()
    const elapsed = () => performance.now() - begun
    const found = { answeredMs: 0, sweptMs: 0, acknowledgedMs: 0, answered: [] as readonly number[] }
    const tokensMeanwhile = await during(laboratory, async () => {
      found.answered = await loop(
        async (_, turn) => {
          const answered = await sender.send({
            ...{ method: 'PATCH', path: deactivatePath(people[turn] ?? ''), headers: scimHeaders(laboratory) },
            body: JSON.stringify(deactivation),
          })
          if (answered.status >= 300) throw new Error(`SCIM answered ${answered.status}: ${answered.text}`)
        },
        0,
        people.length,
      )
      found.answeredMs = elapsed()
      await until(async () => (await acrossTenants(platform.database, countUndoneAcrossTenants)) === 0)
      found.sweptMs = elapsed()
      await until(async () => (await unacknowledged(laboratory)) === 0)
      found.acknowledgedMs = elapsed()
    })
    const after = cpu()
    const cpuMs = { broker: after.broker - before.broker, worker: after.worker - before.worker, database: after.database - before.database }
    return { people: size.people, grants: size.grants, ...found, tokensBefore, tokensMeanwhile, cpuMs }
  } finally {
    sender.close()
    await guard.stop()
  }
}

/** As many people as that, known to the directory, each with grants and a living refresh token of each. Answers their ids at the directory. */
async function employ({ fixture, tenant, platform }: Laboratory, { people, grants }: { people: number; grants: number }) {
  const { grantId } = await aGrant(fixture, tenant, { now: platform.clock.now(), scopes: ['documents:read'] })
  const columns = await asOwner<{ name: string }>(
    fixture.ownerUrl,
    `SELECT quote_ident(column_name) AS name FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name = 'grants' AND column_name NOT IN ('id', 'subject_id')`,
  )
  const copied = columns.map(({ name }) => name).join(', ')
  const made = await asOwner<{ id: string }>(
    fixture.ownerUrl,
    `WITH known AS (
       INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
       SELECT $1, gen_random_uuid(), $2, 'mass-' || n, 'mass-' || n, 'mass-' || n, true, '{}', now(), now() FROM generate_series(1, $3) AS n RETURNING id),
     person AS (
       INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, id::text, id, '{}', now(), now(), now() FROM known RETURNING id),
     granted AS (
       INSERT INTO grants (id, subject_id, ${copied})
       SELECT gen_random_uuid(), person.id, ${copied} FROM person, generate_series(1, $4), grants g WHERE g.tenant_id = $1 AND g.id = $5
       RETURNING id, issuer_id, client_id),
     refreshable AS (
       INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at)
       SELECT $1, sha256(id::text::bytea), id, issuer_id, client_id, now(), now() + interval '4 hours' FROM granted RETURNING 1)
     SELECT id, (SELECT count(*) FROM refreshable) AS n FROM known`,
    [tenant.tenantId, tenant.connectionId, people, grants, grantId],
  )
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  return made.map(({ id }) => id)
}

/** How long each of the others' tokens took, sent at a steady pace while something goes on. */
async function during({ brokerUrl, tenant }: Laboratory, work: () => Promise<unknown>): Promise<readonly number[]> {
  const sender = createSender(brokerUrl)
  const body = new URLSearchParams(bySecret(tenant)).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const took: number[] = []
  const asked: Promise<void>[] = []
  const ask = async () => {
    const begun = performance.now()
    const { status, text } = await sender.send({ method: 'POST', path: '/t/bench/token', headers, body })
    if (status !== 200) throw new Error(`the token endpoint answered ${status}: ${text}`)
    took.push(performance.now() - begun)
  }
  const pace = setInterval(() => asked.push(ask()), 1000 / othersPerSecond)
  try {
    await work()
  } finally {
    clearInterval(pace)
    await Promise.all(asked)
    sender.close()
  }
  return took
}

async function unacknowledged({ fixture }: Laboratory): Promise<number> {
  const [row] = await asOwner<{ n: number }>(
    fixture.ownerUrl,
    `SELECT count(*)::int AS n FROM notice_receipts WHERE instance = 'mass' AND acknowledged_at IS NULL`,
  )
  return row?.n ?? 0
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const begun = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begun > giveUpMs) throw new Error(`not done after ${giveUpMs / 1000} s`)
    await sleep(pollMs)
  }
}

export const p99 = (values: readonly number[]): number => percentile(values, 0.99)
