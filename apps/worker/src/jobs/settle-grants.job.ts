/**
 * The sweep after a policy that was published with effect at once: every live grant of the tenant is decided again, a handful per transaction.
 *
 * Nobody waits for it: since the commit of the publish whoever refreshes, redeems or introspects settles the grant that she meets. The sweep
 * comes to the others, whose tokens guards believe offline. What is settled is above the barrier, so a run that dies is taken up where it
 * stood, and two runs share the work. A piece of it is short and the next one goes to the end of the queue, behind what other tenants wait for.
 */
import { assert } from '@drawbridge/core/assert'
import type { Instant } from '@drawbridge/core/instant'
import { type RedecisionGround, settleGrant } from '@drawbridge/core/oauth/redecide-grant'
import { compilePublishedPolicy, compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import type { SettleGrantsPayload } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { endSweepPiece, type NextPiece } from '@drawbridge/store/policy-sweeps'
import { listIssuersOfTenant } from '@drawbridge/store/revocations'
import { type GrantToSettle, settleGrants } from '@drawbridge/store/settle-grants'
import { loadConfigurationAcrossTenants } from '@drawbridge/store/tenant-configuration'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Transactions of one piece: about a second, so that a revocation that comes meanwhile soon has its place. */
export const stepsPerPiece = 10

/** How long a transaction decides, in milliseconds, however costly the policy: meanwhile it holds grants, and nobody else has a turn here. */
export const stretchMilliseconds = 100

/** In milliseconds, of a clock that never stands still. */
type Elapsed = () => number

export type SettleGrantsJob = SettleGrantsPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; settles each grant once. */
export async function settleTenantGrants(
  deps: JobDeps,
  { tenant: id, entry, ...payload }: SettleGrantsJob,
  elapsed: Elapsed = () => performance.now(),
): Promise<void> {
  const tenant = id as TenantId
  const next = await runPiece(deps, tenant, payload, elapsed)
  await inTenant(deps.database, tenant, (db) => endSweepPiece(db, tenant, { id: entry, payload }, next, deps.clock.now()))
  if (next === undefined) deps.log.info({ tenant, policyVersion: payload.version }, 'the grants of a tenant were decided again')
}

/**
 * What is left to do after it. A pass leaves out what somebody else holds at that moment, and cannot see a grant that is being opened by a
 * statement which began before the publish. Hence the last look, a relay's pause later: no such statement lives as long.
 */
async function runPiece(
  deps: JobDeps,
  tenant: TenantId,
  { version, after, isLastLook = false }: SettleGrantsPayload,
  elapsed: Elapsed,
): Promise<NextPiece | undefined> {
  let ground = await loadGround(deps, tenant)
  let last = after
  for (let step = 0; step < stepsPerPiece; step += 1) {
    let began: number | undefined
    const isEnough = (): boolean => elapsed() - (began ?? 0) >= stretchMilliseconds
    const { configurationVersion, decideFor } = ground
    const now = deps.clock.now()
    const which = { after: last, waits: isLastLook }
    const decide = (grant: GrantToSettle) => {
      began ??= elapsed()
      return decideFor(grant, now)
    }
    const settled = await inTenant(deps.database, tenant, (db) =>
      settleGrants(db, tenant, { which, configurationVersion, decide, isEnough, now, requestId: undefined }),
    )
    if (settled.kind === 'configuration_changed') {
      ground = await loadGround(deps, tenant)
      continue
    }
    if (settled.last === undefined) return isLastLook ? undefined : { payload: { version, isLastLook: true }, waits: true }
    last = settled.last
  }
  return { payload: { version, after: last, isLastLook }, waits: false }
}

/** What decides, as of one version of the configuration. */
async function loadGround({ database, log }: JobDeps, tenant: TenantId) {
  const [issuer] = await acrossTenants(database, (db) => listIssuersOfTenant(db, tenant))
  const stored = issuer && (await loadConfigurationAcrossTenants(database, issuer.tenantSlug))
  assert(stored !== undefined, 'a tenant with an issuer is never deleted')
  const { value: policy, isBroken } = compilePublishedPolicy(stored, compilePublishedWall(stored.wall).value)
  if (isBroken) log.error({ tenant, policyVersion: stored.policyVersion }, 'a published policy does not compile; the safe default applies')
  const groundOf = ({ audience, client }: GrantToSettle): RedecisionGround => ({
    policy,
    client,
    domains: stored.domains,
    resource: stored.resources.find(({ identifier }) => identifier === audience),
  })
  const decideFor = (grant: GrantToSettle, now: Instant) => settleGrant(groundOf(grant), grant.evidence, now)
  return { configurationVersion: stored.configurationVersion, decideFor }
}
