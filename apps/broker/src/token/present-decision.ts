/**
 * Holds what is issued to the decision of this moment. Policy or claims may have changed since the grant was decided: then nothing moves until
 * policy has decided again, which can only take away. Where a policy, or a word of the directory, takes effect at once, the grant is settled first,
 * so that older tokens die with what is lost. The admin's ceilings have no version that a grant could carry and bind at every answer.
 *
 * Whatever is refused, the statement refuses, before it uses anything up: a code or a refresh token that got nothing is as good as it was. It judges also
 * what comes without a proof of a key that is demanded: what was in two hands ends its grant all the same, and no memory of a process says what is demanded.
 */
import { redecideGrant } from '@drawbridge/core/oauth/redecide-grant'
import { withinCeiling } from '@drawbridge/core/oauth/scope-ceiling'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import { err, ok } from '@drawbridge/core/result'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { type DecidedRow, evidenceOf, nothingLeftOf, type Redecision } from '@drawbridge/store/redecision'
import { claimSourcesOf } from '../admission/claim-sources.js'
import type { Acted } from '../clients/as-proven-client.js'
import { findMissingProof } from '../clients/dpop.js'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ExchangeContext } from './exchange.js'
import { versionGoneBy } from './proof-demanded.js'
import { settleOneGrant, type Unsettled } from './settle-grant.js'

/** Policy and claims may change again while they are being decided on; after this many rounds the client may try again. */
const mostDecisions = 3

type Undecided =
  | { readonly kind: 'decide_again'; readonly grant: DecidedRow; readonly configurationVersion: number }
  | { readonly kind: 'proof_rules_changed'; readonly configurationVersion: number }
type Unissued = Undecided | { readonly kind: 'client_changed' } | { readonly kind: 'refused'; readonly reason: TokenErrorReason }

/** What may be issued: the grant, and of it what no ceiling takes away. */
export type Held<Issued> = { readonly issued: Issued; readonly scopes: readonly string[]; readonly accessTokenTtlSeconds: number }

/** What the statement is to go by, beside what was presented. */
export type Judged = { readonly redecision: Redecision | undefined; readonly proofNotNeededBy: number | undefined }

export type DecidedIssue<Issued> = {
  readonly context: ExchangeContext
  /** `undefined`: all that the grant allows. */
  readonly scopes: readonly Scope[] | undefined
  /** The statement: issues, or changes nothing and says why. */
  readonly issue: (judged: Judged) => Promise<Issued | Unissued>
}

/** Issues under the decision of this moment. */
export async function issueAsDecidedNow<Issued extends { readonly kind: 'redeemed' | 'rotated'; readonly grant: DecidedRow }>(
  deps: BrokerDeps,
  { context, scopes, issue }: DecidedIssue<Issued>,
): Promise<Acted<Held<Issued>>> {
  let { tenant } = context
  let redecision: Redecision | undefined
  for (let round = 0; round <= mostDecisions; round += 1) {
    const outcome = await issue({ redecision, proofNotNeededBy: proofNotNeededBy(context, tenant) })
    if (outcome.kind === 'client_changed') return 'client_changed'
    if (outcome.kind === 'refused') return err({ reason: outcome.reason })
    if (outcome.kind === 'redeemed' || outcome.kind === 'rotated')
      return ok({ issued: outcome as Issued, ...(await holdToCeilings(deps, { ...context, tenant }, outcome.grant, scopes)) })
    const undecided = outcome as Undecided
    tenant = await deps.configuration.atVersion(tenant, undecided.configurationVersion)
    const missing = findMissingProof(context, tenant)
    if (missing) return err(missing)
    if (undecided.kind === 'proof_rules_changed') continue
    const { grant } = undecided
    if (grant.unsettled) await settleOneGrant(deps, tenant, unsettledOf(grant, context))
    redecision = grant.unsettled ? undefined : decideAgain(deps, { ...context, tenant }, grant)
  }
  return err({ reason: 'decision_unsettled' })
}

const proofNotNeededBy = (context: ExchangeContext, tenant: ResolvedTenant): number | undefined =>
  context.provenKey ? undefined : versionGoneBy(context, tenant)

const unsettledOf = (grant: DecidedRow, { http, now }: ExchangeContext): Unsettled => ({
  grantId: grant.grant_id,
  configurationVersion: grant.configuration_version,
  now,
  requestId: http.requestId,
})

/** What the admin's limits leave, which the statement has found to be something. */
async function holdToCeilings(
  deps: BrokerDeps,
  { tenant, client }: ExchangeContext,
  grant: DecidedRow,
  asked: readonly Scope[] | undefined,
) {
  const present = await deps.configuration.atVersion(tenant, grant.configuration_version)
  const { accessTokenTtlSeconds } = present.resource(grant.audience) ?? {}
  const seconds = [grant.access_seconds, client.accessTokenTtlSeconds, accessTokenTtlSeconds].filter((one) => one !== undefined)
  return { scopes: withinCeiling(asked ?? grant.allowed, client.scopeCeiling), accessTokenTtlSeconds: Math.min(...seconds) }
}

/** Asks policy about the grant as it stands. */
function decideAgain(deps: BrokerDeps, { tenant, client, http, now }: ExchangeContext, grant: DecidedRow): Redecision {
  const { policy, domains } = tenant
  const resource = tenant.resource(grant.audience)
  const ground = { policy, domains, client, resource, mappingOf: claimSourcesOf(tenant), onUnclear: countUnclear(deps) }
  const redecided = redecideGrant(ground, evidenceOf(grant), { address: http.knownAddress, country: http.country, now })
  const { policy_now: policyVersion, claims_now: claimsVersion, directory_now: directoryVersion } = grant
  return redecided ? { ...redecided, policyVersion, claimsVersion, directoryVersion } : nothingLeftOf(grant)
}
