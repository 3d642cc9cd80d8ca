/** What a test login found, as its reader is shown it: opened, and with cause and remedy of what was refused. */
import { type TestLoginFound, testLoginAsked, testLoginFound, testOutcomes } from '@drawbridge/core/identity/test-login'
import type { StoredTestLogin } from '@drawbridge/store/test-logins'
import { type AnswerOutline, differences } from '@drawbridge/upstream/answer-outline'
import { explainFailure } from '@drawbridge/upstream/explain-failure'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { compared, explanation } from './failure-shapes.js'
import { id as idShape, time, toIso } from './shapes.js'

const states = ['waiting', 'started', 'answered', 'finished'] as const
export const shownTestLogin = z.strictObject({
  id: idShape,
  connectionId: idShape,
  state: z
    .enum(states)
    .describe(
      'waiting: nobody has opened the URL; started: the browser is at the IdP; answered: an answer was refused, the right one may come',
    ),
  createdAt: time,
  readBefore: time,
  asked: testLoginAsked,
  outcome: z.enum(testOutcomes).nullable(),
  found: testLoginFound.nullable(),
  explanation: explanation.nullable().describe('Why not, and what helps; null: nothing was refused'),
  differences: z.array(compared).describe('What came and is not what this connection awaits'),
})

export type ShownTestLogin = z.output<typeof shownTestLogin>

export function showTestLogin(deps: BrokerDeps, tenant: ResolvedTenant, test: StoredTestLogin): ShownTestLogin {
  const found = openFound(deps, tenant, test)
  const connection = tenant.connection(test.connectionId)
  const configuration = connection?.configuration.ok ? connection.configuration.value : undefined
  const told = found?.failure ? explainFailure(found.failure, configuration) : undefined
  return {
    id: test.id,
    connectionId: test.connectionId,
    state: stateOf(test),
    createdAt: toIso(test.createdAt),
    readBefore: toIso(test.expiresAt),
    asked: testLoginAsked.parse(test.asked),
    outcome: testOutcomes.find((outcome) => outcome === test.outcome) ?? null,
    found: found ?? null,
    explanation:
      told === undefined
        ? null
        : { ...told, vendor: told.vendor === undefined ? null : { name: told.vendor.name, remedy: told.vendor.remedy ?? null } },
    differences: differencesIn(found),
  }
}

const stateOf = ({ redeemedAt, outcome, finishedAt }: StoredTestLogin): (typeof states)[number] =>
  finishedAt !== undefined ? 'finished' : outcome !== undefined ? 'answered' : redeemedAt !== undefined ? 'started' : 'waiting'

/** `undefined`: nothing has been found yet. */
export function openFound(deps: BrokerDeps, tenant: ResolvedTenant, { id, sealed }: StoredTestLogin): TestLoginFound | undefined {
  const opened = sealed && deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'test_logins', 'sealed', id))
  if (!opened?.ok) return undefined
  const parsed = testLoginFound.safeParse(JSON.parse(opened.value.toString('utf8')))
  return parsed.success ? parsed.data : undefined
}

/** A believed answer is described without comparison: everything was as awaited. */
const differencesIn = (found: TestLoginFound | undefined): z.output<typeof compared>[] =>
  found?.answer && 'compared' in found.answer
    ? differences(found.answer as unknown as AnswerOutline).map((each) => ({ ...each, received: [...each.received] }))
    : []
