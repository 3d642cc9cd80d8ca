/** What a test login found, kept sealed for the admin who asked for it. */
import { stepsOf } from '@drawbridge/core/identity/login-trace'
import type { TestLoginFound, TestOutcome } from '@drawbridge/core/identity/test-login'
import type { Instant } from '@drawbridge/core/instant'
import type { TestLoginId } from '@drawbridge/core/tenant/ids'
import { saveTestResult } from '@drawbridge/store/test-logins'
import type { Db } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { LoginFailure } from './login-trace.js'

export type Testing = {
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly testLoginId: TestLoginId
  readonly now: Instant
}

export type FoundByTest = {
  readonly outcome: TestOutcome
  readonly found: TestLoginFound
  /** False: the answer was refused, and the right one may still come. */
  readonly isFinal: boolean
}

/** False: the test is over, and what was found before stays. */
export function keepFound(
  db: Db,
  { deps, tenant, testLoginId: id, now }: Testing,
  { outcome, found, isFinal }: FoundByTest,
): Promise<boolean> {
  const context = sealContextOf({ deps, tenant }, 'test_logins', 'sealed', id)
  const sealed = deps.sealer.seal(Buffer.from(JSON.stringify(found), 'utf8'), context)
  return saveTestResult(db, tenant.id, { id, outcome, sealed, isFinal, now })
}

export const nothingFound = {
  answer: null,
  identity: null,
  admission: null,
  strength: null,
  decision: null,
  ownFactor: null,
  failure: null,
} as const

export const foundOfFailure = (requestId: string, failure: LoginFailure, answer: TestLoginFound['answer']): TestLoginFound => ({
  ...nothingFound,
  requestId,
  steps: [...stepsOf(failure.stage, failure.proven)],
  failure: { reason: failure.reason, detail: { ...failure.detail } },
  answer,
})
