/**
 * Replay: what another policy would have changed for the logins that were recorded. Who runs one chooses the conditions, and so learns of
 * claims what she asks: it needs the permission that reading them needs, and stands in the trail. docs/adr/0035
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inputOfRecord } from '@drawbridge/core/policy/recorded-login'
import { type PersonChange, type ReplayedPerson, replayEffects, replayLimits, reportReplay } from '@drawbridge/core/policy/replay'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { listRecordedLogins } from '@drawbridge/store/recorded-logins'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type AdminRequest, adminEndpoint, audit } from './admin-endpoint.js'
import { type Asked, answerDryRun, dryRunRefusals, findChosenPolicy, policyChoice } from './dry-run.js'
import { shownDryRun } from './dry-run-shapes.js'
import { openRecordedLogin, readRecordedLogin } from './recorded-logins.endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { type ReplayedLogins, type Replaying, replayLogins } from './replay-logins.js'
import { id, timeOrNull, toIsoOrNull } from './shapes.js'

const counted = z.strictObject({ logins: z.int(), people: z.int() })
const outcome = z.enum(['allow', 'stepUp', 'deny'])
const scopes = z.array(z.string())
const because = z.array(z.strictObject({ scope: z.string(), because: z.string() }))
const lifetime = z.strictObject({ from: z.number().nullable(), to: z.number().nullable() }).nullable()
const effects = z.array(z.enum(replayEffects))

const change = z.strictObject({
  clientId: z.string(),
  resource: z.string(),
  logins: z.int().describe('That change alike'),
  newest: id.describe('Of these the newest recorded login, whose seconds are shown'),
  outcome: z.strictObject({ from: outcome, to: outcome }),
  effects,
  gained: because.describe('What rules grant that they did not'),
  lost: because.describe('What rules granted and do not any more'),
  granted: z.strictObject({ from: scopes, to: scopes }).describe('What she has in the end'),
  accessTokenSeconds: lifetime.describe('null: the same'),
  refreshTokenSeconds: lifetime.describe('null: the same; null within: no such token'),
  missing: z.string().nullable().describe('What she is asked for, or refused for want of'),
})

export const replayShown = z.strictObject({
  presentVersion: z.int(),
  recordsLogins: z.boolean().describe('Whether logins are recorded at all'),
  newest: timeOrNull,
  oldest: timeOrNull,
  complete: z.boolean().describe('false: it took too long, and logins older than `oldest` were not looked at'),
  unreadable: z.int().describe('Recorded logins that could not be opened'),
  all: counted,
  changed: counted,
  effects: z.strictObject(
    Object.fromEntries(replayEffects.map((effect) => [effect, counted])) as Record<(typeof replayEffects)[number], typeof counted>,
  ),
  people: z.array(
    z.strictObject({
      subjectId: id.nullable(),
      connectionId: id,
      stableId: z.string(),
      email: z.string().nullable(),
      logins: z.int(),
      changed: z.int(),
      effects,
      changes: z.array(change),
      changesLeftOut: z.int(),
    }),
  ),
  peopleLeftOut: z.int(),
})

/** One of a tenant at a time, in each process. */
const running = new WeakMap<BrokerDeps['database'], Set<TenantId>>()

async function alone<T>({ database }: BrokerDeps, tenant: TenantId, run: () => Promise<T>): Promise<T | 'another_runs'> {
  const tenants = running.get(database) ?? new Set()
  running.set(database, tenants)
  if (tenants.has(tenant)) return 'another_runs'
  tenants.add(tenant)
  try {
    return await run()
  } finally {
    tenants.delete(tenant)
  }
}

export const loginsShape = z.int().min(1).max(replayLimits.logins).default(replayLimits.logins).describe('How many, the newest first')

const replay = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/replay',
  tag: 'Policies',
  summary: 'Decide recorded logins under another policy, and see who would gain, who would lose and who would be asked for more',
  permission: 'claims:read',
  body: z.strictObject({
    policy: policyChoice.nonoptional(),
    logins: loginsShape,
  }),
  answer: replayShown,
  refuses: ['not_found', 'policy_invalid', 'replay_running'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { policy: choice, logins } = http.parsed
    const chosen = await findChosenPolicy(deps, tenant, choice)
    if (!chosen.ok) return chosen.error
    return answerReplay(http, deps, { tenant, chosen: chosen.value, logins })
  },
})

type AskedReplay = {
  readonly tenant: ResolvedTenant
  readonly chosen: Asked
  readonly logins: number
  /** More for the trail. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** Against the policy that holds, inside the wall that holds. */
export async function answerReplay(http: AdminRequest<unknown>, deps: BrokerDeps, asked: AskedReplay): Promise<Answer> {
  const { tenant, chosen, logins, detail } = asked
  const done = await alone(deps, tenant.id, () => replayLogins(replayingOf(deps, tenant, { other: chosen.policy, most: logins })))
  if (done === 'another_runs') return refuseAdmin('replay_running', undefined, { 'retry-after': '10' })
  const shown = show(tenant, done)
  await inTenant(deps.database, tenant.id, (db) =>
    audit(db, tenant.id, http, deps, {
      kind: 'policy.replayed',
      detail: { ...namesOf(chosen), ...detail, logins: shown.all.logins, changed: shown.changed.logins },
    }),
  )
  return json(shown)
}

/** Which it was: its text is not for the trail. */
const namesOf = ({ version, draft }: Asked) => (draft !== undefined ? { draft } : version !== undefined ? { version } : { ofText: true })

function replayingOf(deps: BrokerDeps, tenant: ResolvedTenant, rest: Pick<Replaying, 'other' | 'most'>): Replaying {
  const now = deps.clock.now()
  return {
    ...rest,
    present: tenant.policy,
    readPage: (after, limit) =>
      inTenant(deps.database, tenant.id, (db) => listRecordedLogins(db, tenant.id, { now }, { from: after, limit })),
    open: (stored) => openRecordedLogin(deps, tenant, stored),
    elapsed: () => performance.now(),
    nextTurn,
  }
}

function show(tenant: ResolvedTenant, { replayed, unreadable, isComplete, newest, oldest }: ReplayedLogins): z.output<typeof replayShown> {
  const report = reportReplay(replayed)
  return {
    presentVersion: tenant.policyVersion,
    recordsLogins: tenant.recordsLogins,
    newest: toIsoOrNull(newest),
    oldest: toIsoOrNull(oldest),
    complete: isComplete,
    unreadable,
    ...report,
    people: report.people.map(showPerson),
  }
}

const showPerson = ({ person, changes, effects: of, ...rest }: ReplayedPerson): z.output<typeof replayShown>['people'][number] => ({
  ...person,
  subjectId: person.subjectId ?? null,
  email: person.email ?? null,
  ...rest,
  effects: [...of],
  changes: changes.map(showChange),
})

function showChange({ accessTokenSeconds: access, refreshTokenSeconds: refresh, ...rest }: PersonChange): z.output<typeof change> {
  return {
    ...rest,
    effects: [...rest.effects],
    gained: [...rest.gained],
    lost: [...rest.lost],
    granted: { from: [...rest.granted.from], to: [...rest.granted.to] },
    accessTokenSeconds: access === undefined ? null : { from: access.from ?? null, to: access.to ?? null },
    refreshTokenSeconds: refresh === undefined ? null : { from: refresh.from ?? null, to: refresh.to ?? null },
    missing: rest.missing ?? null,
  }
}

const dryRun = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/recorded-logins/:id/dry-run',
  tag: 'Recorded logins',
  summary:
    'Ask a policy about a recorded login, at the moment of the login: scope by scope, by which rule, with which values; the trail says who asked',
  permission: 'claims:read',
  body: z.strictObject({ policy: policyChoice }),
  answer: shownDryRun,
  refuses: dryRunRefusals,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const login = await readRecordedLogin(http, deps)
    return login ? answerDryRun(deps, tenant, { choice: http.parsed.policy, input: inputOfRecord(login.record) }) : refuseAdmin('not_found')
  },
})

export const policyReplayEndpoints = [replay, dryRun]
