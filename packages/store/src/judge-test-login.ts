/** The statement in which a test is judged as a login would be, and its trip is over: it writes no subject, session, claim or trail of a login. */
import type { ProvisioningMode } from '@drawbridge/core/identity/provisioning'
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { judgementParameters, type LoginRefusal, type LoginToJudge, type Outcome, publicReasons } from './complete-login.js'
import { judgement, readsDomainsElsewhere } from './complete-login-statement.js'
import { directorySays } from './directory.js'
import { type HotDb, hotStatement, judged } from './transaction.js'

/** A connection that is switched off may be tested: nothing comes of a test. Its epoch still has to be the one that the trip began under. */
const judgeStatement = hotStatement({
  name: 'judge_test_login',
  tenantParameter: 1,
  readsElsewhere: readsDomainsElsewhere,
  text: `WITH trip AS (
    UPDATE login_requests SET consumed_at = $6 WHERE tenant_id = $1 AND id = $2 AND connection_id = $3 AND browser_hash = $4 AND consumed_at IS NULL
      AND purpose = 'test' AND ${judged('expires_at > $6')}
      AND tenant_epoch = (SELECT epoch FROM tenants WHERE id = $1 AND suspended_at IS NULL)
      AND connection_epoch = (SELECT epoch FROM connections WHERE tenant_id = $1 AND id = $3)
    RETURNING authorization_request_id, tenant_epoch, connection_epoch, CASE WHEN fresh_demanded THEN created_at END AS demanded_at, began_nth
  ), ${judgement}
  SELECT verdict.outcome, facts.mode, facts.is_known, t.configuration_version,
    ${directorySays({ connection: '$3::uuid', user: 'directory.scim_user_id' })} AS directory_says,
    COALESCE(directory_end($1, directory.scim_user_id), (SELECT deactivates_at FROM known)) AS deactivates_at FROM verdict, facts, directory, tenants t WHERE t.id = $1`,
})

export type JudgedTest = {
  /** Undefined: she would come in. `fresh_login_required`: she would be sent back once, to be asked again. */
  readonly refusal: LoginRefusal | 'fresh_login_required' | undefined
  readonly mode: ProvisioningMode
  /** She is a subject of this connection already. */
  readonly isKnown: boolean
  /** What policy is to be asked on. */
  readonly configurationVersion: number
  /** What the directory says of whom the login would be linked to; null where it decides nothing. */
  readonly directorySays: unknown
  /** When her access ends, by her directory or by what is known of her. */
  readonly deactivatesAt: Instant | undefined
}
type Row = {
  readonly outcome: Outcome
  readonly mode: ProvisioningMode
  readonly is_known: boolean
  readonly configuration_version: number
  readonly directory_says: unknown
  readonly deactivates_at: Instant | null
}

/** Of any number of callers with the same answer at most one gets a verdict. Undefined: the trip was over, or is no test. */
export async function judgeTestLogin(hot: HotDb, tenant: TenantId, login: LoginToJudge): Promise<JudgedTest | undefined> {
  const { rows } = await hot.query<Row>(judgeStatement, judgementParameters(tenant, login))
  const row = rows[0]
  if (!row) return undefined
  const { outcome, mode, is_known: isKnown, configuration_version: configurationVersion } = row
  return {
    refusal: outcome === 'believed' ? undefined : outcome === 'fresh_login_required' ? outcome : publicReasons[outcome],
    mode,
    isKnown,
    configurationVersion,
    directorySays: row.directory_says,
    deactivatesAt: row.deactivates_at ?? undefined,
  }
}
