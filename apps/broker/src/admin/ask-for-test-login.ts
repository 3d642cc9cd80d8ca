/** Asks for a test login, for whoever may: an admin by her key, or a company's IT by its set-up link. */
import { type TestLoginAsked, testLoginTokenPrefix } from '@drawbridge/core/identity/test-login'
import type { Instant } from '@drawbridge/core/instant'
import { findResource } from '@drawbridge/core/oauth/resource'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ClientId, TestLoginId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { AuditEvent } from '@drawbridge/store/audit-events'
import { findPolicy } from '@drawbridge/store/policies'
import { insertTestLogin } from '@drawbridge/store/test-logins'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { listMistakes } from './check-policy.js'
import type { AdminErrorReason } from './error.js'

export type TestQuestion = {
  readonly connectionId: string
  readonly asked: TestLoginAsked
  /** The one admin key, or set-up link, that reads the result. */
  readonly askedBy: string
  /** Of this asker at a time; absent: as many as the tenant may have. */
  readonly most?: number
  /** In the transaction, before anything is written. */
  readonly mayAsk?: (db: Db) => Promise<boolean>
  /** Tells trail and contacts of it, in the same transaction. */
  readonly tell: (db: Db, event: Pick<AuditEvent, 'kind' | 'connectionId' | 'detail'>) => Promise<void>
}
export type AskedTest = { readonly id: TestLoginId; readonly url: string; readonly now: Instant }
export type TestRefusal = { readonly reason: AdminErrorReason; readonly mistakes?: ReturnType<typeof listMistakes> }

export async function askForTestLogin(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  question: TestQuestion,
): Promise<Result<AskedTest, TestRefusal>> {
  const { asked } = question
  const connection = tenant.connection(question.connectionId)
  if (!connection?.configuration.ok) return err({ reason: 'not_found' })
  if ((asked.clientId === undefined) !== (asked.resource === undefined)) return err({ reason: 'test_login_incomplete' })
  if (!(await isKnown(deps, tenant, asked))) return err({ reason: 'reference_unknown' })
  const mistakes = asked.policyDocument === undefined ? undefined : listMistakes(asked.policyDocument, tenant)
  if (mistakes) return err({ reason: 'policy_invalid', mistakes })
  const id = deps.random.uuid() as TestLoginId
  const token = `${testLoginTokenPrefix}${deps.random.token()}`
  const now = deps.clock.now()
  const { most, askedBy, mayAsk, tell } = question
  const refusal = await inTenant(deps.database, tenant.id, async (db): Promise<AdminErrorReason | undefined> => {
    if (mayAsk && !(await mayAsk(db))) return 'setup_link_unusable'
    const draft = { id, connectionId: connection.id, tokenHash: hashCredential(token), asked, askedBy, most, now }
    if (!(await insertTestLogin(db, tenant.id, draft))) return 'test_logins_enough'
    const { policyDocument: draftPolicy, ...detail } = asked
    const told = { ...detail, testLogin: id, ofDraftPolicy: draftPolicy !== undefined }
    await tell(db, { kind: 'connection.test_login_created', connectionId: connection.id, detail: told })
    return undefined
  })
  return refusal === undefined ? ok({ id, url: `${tenant.issuer.url}/test-login?token=${token}`, now }) : err({ reason: refusal })
}

/** What a test names has to be there when it is asked for. */
async function isKnown(deps: BrokerDeps, tenant: ResolvedTenant, asked: TestLoginAsked): Promise<boolean> {
  const { clientId, resource, policyVersion } = asked
  if (resource !== undefined && !findResource(resource, tenant.resources)) return false
  const name = { tenantId: tenant.id, issuerId: tenant.issuer.id }
  if (clientId !== undefined && !(await deps.clients.read({ ...name, id: clientId as ClientId }))) return false
  if (policyVersion === undefined || policyVersion === 0) return true
  return (await inTenant(deps.database, tenant.id, (db) => findPolicy(db, tenant.id, policyVersion))) !== undefined
}
