/**
 * The sweep after a policy that was published with effect at once: every live grant of the tenant is decided again, a handful per transaction.
 *
 * Nobody waits for it: since the commit of the publish whoever refreshes, redeems or introspects settles the grant that she meets. The sweep
 * comes to the others, whose tokens guards believe offline. What is settled is above the barrier, so a run that dies is taken up where it
 * stood, and two runs share the work. A piece of it is short and the next one goes to the end of the queue, behind what other tenants wait for.
 */
import { assert } from '@drawbridge/core/assert'
import { type ClaimMapping, parseClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import type { Instant } from '@drawbridge/core/instant'
import { type RedecisionGround, type Settlement, settleGrant } from '@drawbridge/core/oauth/redecide-grant'
import { compilePublishedPolicy, compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import type { SettleGrantsPayload } from '@drawbridge/core/revocation/settled-grants'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { endSweepPiece, type NextPiece } from '@drawbridge/store/policy-sweeps'
import { listIssuersOfTenant } from '@drawbridge/store/revocations'
import { type GrantsOfDirectory, type GrantToSettle, settleGrants } from '@drawbridge/store/settle-grants'
import { loadConfigurationAcrossTenants } from '@drawbridge/store/tenant-configuration'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Transactions of one piece: about a second, so that a revocation that comes meanwhile soon has its place. */
export const stepsPerPiece = 10

/** How long a transaction decides, in milliseconds, however costly the policy: meanwhile it holds grants, and nobody else has a turn here. */
export const stretchMilliseconds = 100

/** In milliseconds, of a clock that never stands still. */
export type Elapsed = () => number

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
  const { isOver, last } = await settlePart(deps, tenant, { after, isLastLook }, elapsed, await loadGround(deps, tenant))
  if (isOver) return isLastLook ? undefined : { payload: { version, isLastLook: true }, waits: true }
  return { payload: { version, after: last, isLastLook }, waits: false }
}

export type Pass = { readonly after: string | undefined; readonly isLastLook: boolean; readonly of?: GrantsOfDirectory }

/** Settles some grants of a pass: answers the last one that it came to, or that there was none left. */
export async function settlePart(
  deps: JobDeps,
  tenant: TenantId,
  { after, isLastLook, of }: Pass,
  elapsed: Elapsed,
  known: Ground = unread,
): Promise<{ readonly isOver: boolean; readonly last?: string | undefined }> {
  let ground = known
  let last = after
  for (let step = 0; step < stepsPerPiece; step += 1) {
    let began: number | undefined
    const isEnough = (): boolean => elapsed() - (began ?? 0) >= stretchMilliseconds
    const { configurationVersion, decideFor } = ground
    const now = deps.clock.now()
    const which = { after: last, waits: isLastLook, ...(of && { of }) }
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
    if (settled.last === undefined) return { isOver: true }
    last = settled.last
  }
  return { isOver: false, last }
}

type Ground = {
  readonly configurationVersion: number
  readonly decideFor: (grant: GrantToSettle, now: Instant) => Settlement
}
/** Of many changes nobody holds anything that they touch: the configuration is read once there is something to decide, and never decided upon before. */
const unread: Ground = { configurationVersion: 0, decideFor: () => ({ kind: 'deferred' }) }

/** What decides, as of one version of the configuration. */
async function loadGround({ database, log, metrics }: JobDeps, tenant: TenantId): Promise<Ground> {
  const [issuer] = await acrossTenants(database, (db) => listIssuersOfTenant(db, tenant))
  const stored = issuer && (await loadConfigurationAcrossTenants(database, issuer.tenantSlug))
  assert(stored !== undefined, 'a tenant with an issuer is never deleted')
  // Read after the version that settling compares: what changes in between is seen there.
  const atFront = await loadConfigurationAcrossTenants(database, stored.slug, 'front_member')
  const resources = [...stored.resources, ...(atFront?.resources ?? [])]
  const { value: policy, isBroken } = compilePublishedPolicy(stored, compilePublishedWall(stored.wall).value)
  if (isBroken) log.error({ tenant, policyVersion: stored.policyVersion }, 'a published policy does not compile; the safe default applies')
  const mappings = new Map<string, ClaimMapping | undefined>()
  const mappingOf = (id: ConnectionId): ClaimMapping | undefined => {
    if (!mappings.has(id)) mappings.set(id, mappingIn(stored.connections.find((connection) => connection.id === id)?.configuration))
    return mappings.get(id)
  }
  const groundOf = ({ audience, client }: GrantToSettle): RedecisionGround => ({
    policy,
    client,
    mappingOf,
    onUnclear: countUnclear({ metrics }),
    domains: stored.domains,
    resource: resources.find(({ identifier }) => identifier === audience),
  })
  const decideFor = (grant: GrantToSettle, now: Instant) => settleGrant(groundOf(grant), grant.evidence, now)
  return { configurationVersion: stored.configurationVersion, decideFor }
}

/** The connection's claims alone matter here: its short forms say where groups and the stable id are in a login. */
function mappingIn(configuration: unknown): ClaimMapping | undefined {
  const parsed = parseClaimMapping((configuration as { readonly mapping?: unknown } | undefined)?.mapping)
  return parsed.ok ? parsed.value : undefined
}
