/**
 * Grant type token-exchange: a resource server that was sent a person's access token gets one for another resource.
 *
 * Two statements at least. The first judges the grant behind the token and tells what policy needs; the second opens the new grant on exactly that.
 * Between them it is judged what may be asked for with it, and policy decides on the person, the client that acts and the resource that it wants, as of a
 * login of that moment: in each round by the keys, permissions and rules of the configuration that the statement saw. So only what is alive, and brought by
 * whoever may exchange it, is counted for the person, whatever becomes of it then.
 *
 * The key of a token that is bound to one is not proved here: it is the key of the person's client, and who exchanges the token is the resource
 * server that it was sent to. That one proves itself, and gets a token that is bound to a key of its own, so that the binding is never taken away.
 */

import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { type ExchangePermission, findPermission } from '@drawbridge/core/oauth/exchange-permission'
import { canBeNamed } from '@drawbridge/core/oauth/machine-subject'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import {
  decideExchange,
  type ExchangeDecision,
  narrowToExchanged,
  readSubjectToken,
  type SubjectToken,
} from '@drawbridge/core/oauth/token-exchange'
import type { ExchangeRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { GrantId, Scope } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { type ExchangeDecided, type ExchangedGrant, exchangeToken, type TokenExchanged } from '@drawbridge/store/exchange-token'
import { groundOf } from '@drawbridge/store/parent-grant'
import { evidenceOf } from '@drawbridge/store/redecision'
import type { StoredResource } from '@drawbridge/store/tenant-configuration'
import { onHotPath } from '@drawbridge/store/transaction'
import { claimSourcesOf } from '../../admission/claim-sources.js'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import { findMissingProof } from '../../clients/dpop.js'
import { findShut } from '../../clients/find-shut.js'
import { namedAt } from '../../clients/subject-of-client.js'
import type { BrokerDeps } from '../../deps.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import { auditRefusal } from '../audit-refusal.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { issueTokens, type TokenSet } from '../issue-tokens.js'
import { limitOfPerson } from '../limit-of-person.js'
import { readAccessToken } from '../read-access-token.js'
import { settleOneGrant } from '../settle-grant.js'
import { isToldEnough } from '../told-enough.js'

/** Configuration, claims or the grant may change again while they are being decided on; after this many rounds the client may try again. */
const mostRounds = 5

/** What is asked for, with what, and by which permission, under one version of the configuration. */
type Asked = {
  readonly subject: SubjectToken
  readonly permission: ExchangePermission
  readonly resource: StoredResource
  /** Of the permission and the token; what the grant still has of them, the first statement tells. */
  readonly scopes: readonly Scope[]
}
type Refused = { readonly reason: TokenErrorReason }

/** @spec RFC 8693 §2 */
export const exchangeSubjectToken: Exchange<ExchangeRequest> = async (deps, known, request) => {
  const first = judgeToken(deps, known, request)
  if (!first.ok) return ifUnchanged(deps, known.client, first)
  const subject = first.value
  let context = known
  let decided: ExchangeDecided | undefined
  let [isCounted, isCountedForPerson] = [false, false]
  for (let round = 0; round < mostRounds; round += 1) {
    const { tenant, client, provenKey, http, now } = context
    const exchanged = await exchangeToken(onHotPath(deps.database), {
      ...{ tenantId: tenant.id, caller: callerOf(client), provenKey, subject, decided, isCounted },
      ...{ now, asked: { requestId: http.requestId, address: http.address } },
    })
    if (exchanged.kind === 'client_changed') return 'client_changed'
    if (exchanged.kind === 'refused' || (exchanged.kind === 'refused_untold' && isToldEnough(context, exchanged.grantId)))
      return err(heardOf(context, request, subject, exchanged))
    isCounted = true
    if (exchanged.kind === 'refused_untold') continue
    if (exchanged.kind === 'opened') return ok(await issue(deps, context, exchanged))
    const { grant } = exchanged
    context = { ...context, tenant: await deps.configuration.atVersion(tenant, grant.configuration_version) }
    const decision = await decideOnLiving(deps, context, request, { grant, isCounted: isCountedForPerson })
    if (!decision.ok) return decision
    isCountedForPerson = true
    decided = decision.value
  }
  return err({ reason: 'decision_unsettled' })
}

function issue(
  deps: BrokerDeps,
  { tenant, provenKey, now }: ExchangeContext,
  { grant, ancestors, expiresAt: grantExpiresAt }: Extract<TokenExchanged, { kind: 'opened' }>,
): Promise<TokenSet> {
  const accessTokenTtlSeconds = Math.ceil((grantExpiresAt - now) / 1000)
  return issueTokens(deps, tenant, {
    ...{ grant, ancestors, scopes: grant.scopes, accessTokenTtlSeconds, confirmation: provenKey?.thumbprint },
    ...{ grantExpiresAt, refreshToken: undefined, now },
  })
}

/**
 * What the statement that opens goes by; `undefined`: the grant was to be settled first. What is refused of a living token is counted for its person as
 * what is allowed, before the trail, which is kept for ever, has a line of it; but whoever may not exchange it spends nothing of hers, and is told as of a
 * dead one (`heardOf`). That the client is still the one that was proven, the statement has just said.
 */
async function decideOnLiving(
  deps: BrokerDeps,
  context: ExchangeContext,
  request: ExchangeRequest,
  { grant, isCounted }: { readonly grant: ExchangedGrant; readonly isCounted: boolean },
): Promise<Result<ExchangeDecided | undefined, JsonRefusal>> {
  const { tenant, http } = context
  const asked = judgeRequest(deps, context, request)
  if (!asked.ok && asked.error.of === undefined) return err({ reason: asked.error.reason })
  if (!asked.ok && asked.error.reason === 'exchange_not_allowed')
    return isToldEnough(context, grant.grant_id) ? err({ reason: asked.error.reason }) : refuseOf(deps, context, asked.error)
  const limited = isCounted ? undefined : limitOfPerson(http, tenant, String(grant.subject_id))
  if (limited) return err(limited)
  if (asked.ok && grant.unsettled) {
    await settle(deps, context, grant)
    return ok(undefined)
  }
  const decided = asked.ok ? decideOn(deps, context, { ...asked.value, grant }, request) : asked
  return decided.ok ? decided : refuseOf(deps, context, decided.error)
}

/** Whoever may not exchange such a token hears that of a dead one, too: whether one lives is told to its resource server, at introspection. */
function heardOf(
  context: ExchangeContext,
  request: ExchangeRequest,
  subject: SubjectToken,
  { reason, why = reason }: { readonly reason: TokenErrorReason; readonly why: string | undefined },
): JsonRefusal {
  const permitted = judgePermission(context, request, subject)
  return { reason: permitted.ok ? reason : permitted.error.reason, detail: { why } }
}

const settle = (deps: BrokerDeps, { tenant, http, now }: ExchangeContext, grant: ExchangedGrant): Promise<void> =>
  settleOneGrant(deps, tenant, {
    ...{ grantId: grant.grant_id, configurationVersion: grant.configuration_version, now, requestId: http.requestId },
  })

/** All that is known of the token without its row. What was no token of ours leaves no line: anybody may send it. */
function judgeToken(deps: BrokerDeps, { tenant, client, now }: ExchangeContext, request: ExchangeRequest): Result<SubjectToken, Refused> {
  if (client.authMethod === 'none') return err({ reason: 'exchange_client_public' })
  if (!canBeNamed(client.id, namedAt(tenant))) return err({ reason: 'client_named_like_person' })
  const read = readAccessToken(deps, tenant, request.subjectToken)
  const subject = read && readSubjectToken(read, now)
  return subject === undefined ? err({ reason: 'subject_token_unknown' }) : ok(subject)
}

/** By which permission the tenant lets this client exchange such a token for what it wants. */
function judgePermission(
  { tenant, client }: ExchangeContext,
  { targets }: ExchangeRequest,
  subject: SubjectToken,
): Result<Pick<Asked, 'permission' | 'resource'>, Refusal> {
  const shut = findShut(tenant, client)
  if (shut) return err(shut)
  const resource = findTarget(tenant, targets)
  const asked = { client: client.id, from: subject.audience, issuedTo: subject.clientId }
  const permission = resource && findPermission(tenant.tokenExchange, { ...asked, to: resource.identifier })
  return resource && permission ? ok({ permission, resource }) : err({ reason: 'exchange_not_allowed', of: subject })
}

/** Whether the tenant lets this client have what it asks for with the token. */
function judgeRequest(deps: BrokerDeps, context: ExchangeContext, request: ExchangeRequest): Result<Asked, Refusal> {
  const read = judgeToken(deps, context, request)
  if (!read.ok) return read
  const subject = read.value
  const permitted = judgePermission(context, request, subject)
  if (!permitted.ok) return permitted
  const { tenant } = context
  const { permission } = permitted.value
  if (subject.isBound && context.provenKey === undefined) return err({ reason: 'exchange_proof_missing', of: subject })
  const missing = findMissingProof(context, tenant)
  if (missing) return err(missing as Refused)
  const scopes = narrowToExchanged(request.scopes, [permission.scopes, subject.scopes])
  return scopes.ok ? ok({ subject, ...permitted.value, scopes: scopes.value }) : err({ reason: scopes.error, of: subject })
}

/** Of a token of ours, which is a line of the trail. */
type Refusal = Refused & { readonly of?: SubjectToken }

/** Both names must be of the same resource. */
function findTarget(tenant: ResolvedTenant, targets: readonly string[]): StoredResource | undefined {
  const [first, ...others] = targets.map((target) => tenant.resource(target))
  return others.every((other) => other === first) ? first : undefined
}

function decideOn(
  deps: BrokerDeps,
  { tenant, client, http, now }: ExchangeContext,
  { subject, resource, scopes: limit, permission, grant }: Asked & { readonly grant: ExchangedGrant },
  request: ExchangeRequest,
): Result<ExchangeDecided, Refusal> {
  const left = narrowToExchanged(request.scopes, [limit, grant.scopes])
  if (!left.ok) return err({ reason: left.error, of: subject })
  const { policy, domains } = tenant
  const ground = { policy, domains, client, resource, mappingOf: claimSourcesOf(tenant), onUnclear: countUnclear(deps) }
  const moment = { address: http.knownAddress, country: http.country, now, tokenEndsAt: subject.endsAt }
  const decision = decideExchange(ground, { ...evidenceOf(grant), scopes: left.value, createdAt: grant.given_at }, moment)
  return ok({
    ...groundOf(tenant.configurationVersion, grant),
    resource,
    scopes: decision.kind === 'allow' ? decision.scopes : left.value,
    ...toStored(deps, permission, decision),
  })
}

function toStored(
  deps: BrokerDeps,
  { from, to }: ExchangePermission,
  decision: ExchangeDecision,
): Pick<ExchangeDecided, 'verdict' | 'detail'> {
  const detail = { permission: { from, to }, explanation: decision.explanation ?? null }
  if (decision.kind === 'refuse') return { verdict: decision, detail }
  const { accessTokenTtl, endsAt: expiresAt } = decision
  const ceilings = { accessToken: accessTokenTtl, refreshToken: null }
  const grantId = deps.random.uuid() as GrantId
  return {
    verdict: { kind: 'allow', grantId, accessTokenSeconds: accessTokenTtl.seconds, expiresAt, ceilings },
    detail: { ...detail, ceilings },
  }
}

async function refuseOf(deps: BrokerDeps, context: ExchangeContext, { reason, of }: Refusal): Promise<Result<never, JsonRefusal>> {
  const detail = of && { from: of.grantId, issuedTo: of.clientId, resource: of.audience }
  if (detail) await auditRefusal(deps, context, { kind: 'token_exchange_refused', reason, detail })
  return err({ reason })
}
