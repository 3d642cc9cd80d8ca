/**
 * Holds what is issued to the decision of this moment. Policy or claims may have changed since the grant was decided: then nothing moves until
 * policy has decided again, which can only take away. Where a policy, or a word of the directory, takes effect at once, the grant is settled first,
 * so that older tokens die with what is lost. The admin's ceilings have no version that a grant could carry and bind at every answer.
 */
import type { Client } from '@drawbridge/core/oauth/client'
import { redecideGrant } from '@drawbridge/core/oauth/redecide-grant'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import { err, ok } from '@drawbridge/core/result'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { type DecidedRow, evidenceOf, type Redecision } from '@drawbridge/store/redecision'
import { inTenant } from '@drawbridge/store/transaction'
import { claimSourcesOf } from '../admission/claim-sources.js'
import type { Acted } from '../clients/as-proven-client.js'
import { findMissingProof } from '../clients/dpop.js'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import type { ExchangeContext } from './exchange.js'
import { settleOneGrant, type Unsettled } from './settle-grant.js'

/** Policy and claims may change again while they are being decided on; after this many rounds the client may try again. */
const mostDecisions = 3

type Unissued =
  | { readonly kind: 'decide_again'; readonly grant: DecidedRow }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: TokenErrorReason }

/** What may be issued: the grant, and of it what no ceiling takes away. */
export type Held<Issued> = { readonly issued: Issued; readonly scopes: readonly string[]; readonly accessTokenTtlSeconds: number }

export type DecidedIssue<Issued> = {
  readonly context: ExchangeContext
  /** How the audit trail calls the refusal. */
  readonly refusedAs: 'code_refused' | 'token_refresh_refused'
  /** `undefined`: all that the grant allows. */
  readonly scopes: readonly Scope[] | undefined
  /** The statement: issues, or changes nothing and says why. */
  readonly issue: (redecision: Redecision | undefined) => Promise<Issued | Unissued>
}

/** Issues under the decision of this moment. */
export async function issueAsDecidedNow<Issued extends { readonly kind: 'redeemed' | 'rotated'; readonly grant: DecidedRow }>(
  deps: BrokerDeps,
  { context, refusedAs, scopes, issue }: DecidedIssue<Issued>,
): Promise<Acted<Held<Issued>>> {
  const { tenant, client } = context
  const denied = async (grant: DecidedRow) => {
    await writeDenial(deps, context, grant, refusedAs)
    return err({ reason: 'grant_policy_denies' as const })
  }
  let redecision: Redecision | undefined
  for (let round = 0; round <= mostDecisions; round += 1) {
    const outcome = await issue(redecision)
    if (outcome.kind === 'client_changed') return 'client_changed'
    if (outcome.kind === 'refused') return err({ reason: outcome.reason })
    const present = await deps.configuration.atVersion(tenant, outcome.grant.configuration_version)
    if (outcome.kind === 'decide_again' && outcome.grant.unsettled) {
      await settleOneGrant(deps, present, unsettledOf(outcome.grant, context))
      redecision = undefined
      continue
    }
    if (outcome.kind === 'decide_again') {
      redecision = decideAgain(deps, { ...context, tenant: present, client }, outcome.grant)
      if (!redecision) return denied(outcome.grant)
      continue
    }
    const missing = findMissingProof(context, present)
    if (missing) return err(missing)
    const held = holdToCeilings(present, client, outcome.grant, scopes)
    return held ? ok({ issued: outcome, ...held }) : denied(outcome.grant)
  }
  return err({ reason: 'decision_unsettled' })
}

const unsettledOf = (grant: DecidedRow, { http, now }: ExchangeContext): Unsettled => ({
  grantId: grant.grant_id,
  configurationVersion: grant.configuration_version,
  now,
  requestId: http.requestId,
})

/** What the admin's limits leave. `undefined`: nothing is left, or this issuer may no longer mint for the resource. */
function holdToCeilings(tenant: ResolvedTenant, client: Client, grant: DecidedRow, asked: readonly Scope[] | undefined) {
  const resource = tenant.resource(grant.audience)
  const { scopeCeiling } = client
  const scopes = (asked ?? grant.allowed).filter((scope) => scopeCeiling.length === 0 || scopeCeiling.includes(scope as Scope))
  if (!resource || scopes.length === 0) return undefined
  const seconds = [grant.access_seconds, client.accessTokenTtlSeconds, resource.accessTokenTtlSeconds].filter((one) => one !== undefined)
  return { scopes, accessTokenTtlSeconds: Math.min(...seconds) }
}

/** Asks policy about the grant as it stands. `undefined`: nothing is allowed any more. */
function decideAgain(deps: BrokerDeps, { tenant, client, http, now }: ExchangeContext, grant: DecidedRow): Redecision | undefined {
  const { policy, domains } = tenant
  const resource = tenant.resource(grant.audience)
  const ground = { policy, domains, client, resource, mappingOf: claimSourcesOf(tenant), onUnclear: countUnclear(deps) }
  const redecided = redecideGrant(ground, evidenceOf(grant), { address: http.knownAddress, country: http.country, now })
  const { policy_now: policyVersion, claims_now: claimsVersion, directory_now: directoryVersion } = grant
  return redecided && { ...redecided, policyVersion, claimsVersion, directoryVersion }
}

/** The statement changed nothing and so wrote nothing; the refusal belongs in the audit trail all the same. */
function writeDenial(
  deps: BrokerDeps,
  { tenant, http, now }: ExchangeContext,
  grant: DecidedRow,
  kind: DecidedIssue<unknown>['refusedAs'],
): Promise<void> {
  return inTenant(deps.database, tenant.id, (db) =>
    insertAuditEvent(db, tenant.id, {
      at: now,
      kind,
      issuerId: grant.issuer_id,
      subjectId: grant.subject_id ?? undefined,
      clientId: grant.client_id,
      connectionId: grant.connection_id ?? undefined,
      grantId: grant.grant_id,
      scopes: grant.scopes,
      reason: 'grant_policy_denies',
      requestId: http.requestId,
      address: http.address,
    }),
  )
}
