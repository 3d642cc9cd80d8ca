/**
 * Token exchange for an ID-JAG: a client that a person gave access to gets a signed word about her for a resource of another authorization server.
 *
 * It brings the refresh token or the ID token that it got for her, whichever way she signed in, by OpenID Connect or SAML. Policy decides on her, the
 * client and the resource there as on a resource here; what she has agreed to is the company's word now, so what wants her own yes is refused.
 * Nothing is opened here: the server there asks its own policy, and what it issues ends only as it hears of it (docs/adr/0077).
 */
import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import { withVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import {
  buildIdJagClaims,
  findIdJagPermission,
  type IdJagPermission,
  idJagIssuerOf,
  idJagLimits,
  idJagType,
  resourceOf,
} from '@drawbridge/core/oauth/id-jag-issuing'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import { decideExchange, type ExchangeDecision, narrowToExchanged } from '@drawbridge/core/oauth/token-exchange'
import type { IdJagRequest } from '@drawbridge/core/oauth/token-request'
import { idJagUrn } from '@drawbridge/core/oauth/token-type'
import { buildUserinfo, scopesTold } from '@drawbridge/core/oauth/userinfo'
import { err, ok, type Result } from '@drawbridge/core/result'
import { parseEpochs } from '@drawbridge/core/revocation/epochs'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { signJwtAside } from '@drawbridge/crypto/jwt'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { type IdJagDecided, type IssueIdJag, issueIdJag } from '@drawbridge/store/issue-id-jag'
import { groundOf, type ParentGrant } from '@drawbridge/store/parent-grant'
import { evidenceOf } from '@drawbridge/store/redecision'
import { onHotPath } from '@drawbridge/store/transaction'
import { claimSourcesOf } from '../../admission/claim-sources.js'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import { findMissingProof } from '../../clients/dpop.js'
import { findShut } from '../../clients/find-shut.js'
import type { BrokerDeps } from '../../deps.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { type TokenSet, toldAcrOf } from '../issue-tokens.js'
import { limitOfPerson } from '../limit-of-person.js'
import { settleOneGrant } from '../settle-grant.js'
import { isToldEnough } from '../told-enough.js'

/** Configuration, claims or the grant may change again while they are being decided on; after this many rounds the client may try again. */
const mostRounds = 5

type Asked = { readonly subject: IssueIdJag['subject']; readonly permission: IdJagPermission; readonly scopes: readonly Scope[] }
type Refused = { readonly reason: TokenErrorReason }
type Decided = { readonly stored: IdJagDecided; readonly endsAt: Instant }

/** @spec draft-ietf-oauth-identity-assertion-authz-grant §4.3, §4.5 */
export const exchangeForIdJag: Exchange<IdJagRequest> = async (deps, known, request) => {
  let context = known
  let seen: ParentGrant | undefined
  let [isCounted, isCountedForPerson] = [false, false]
  for (let round = 0; round < mostRounds; round += 1) {
    const { tenant, client, provenKey, http, now } = context
    const asked = judgeRequest(deps, context, request)
    if (!asked.ok) return ifUnchanged(deps, client, asked)
    const decided = seen && decideOn(deps, context, asked.value, seen)
    const issued = await issueIdJag(onHotPath(deps.database), {
      ...{ tenantId: tenant.id, caller: callerOf(client), provenKey, subject: asked.value.subject, decided: decided?.stored, isCounted },
      ...{ eventId: deps.random.uuid(), now, asked: { requestId: http.requestId, address: http.address } },
    })
    if (issued.kind === 'client_changed') return 'client_changed'
    if (issued.kind === 'refused' || (issued.kind === 'refused_untold' && isToldEnough(context, issued.grantId)))
      return err({ reason: issued.reason, detail: { why: issued.why ?? issued.reason } })
    isCounted = true
    if (issued.kind === 'refused_untold') continue
    const { grant } = issued
    const limited = isCountedForPerson ? undefined : limitOfPerson(http, tenant, String(grant.subject_id))
    if (limited) return err(limited)
    isCountedForPerson = true
    if (issued.kind === 'issued' && decided !== undefined) return ok(await sign(deps, context, asked.value.permission, grant, decided))
    context = { ...context, tenant: await deps.configuration.atVersion(tenant, grant.configuration_version) }
    seen = grant.unsettled ? undefined : grant
    const unsettled = { grantId: grant.grant_id, configurationVersion: grant.configuration_version, now, requestId: http.requestId }
    if (grant.unsettled) await settleOneGrant(deps, context.tenant, unsettled)
  }
  return err({ reason: 'decision_unsettled' })
}

/** All that needs no row of the grant. */
function judgeRequest(deps: BrokerDeps, context: ExchangeContext, request: IdJagRequest): Result<Asked, Refused> {
  const { tenant, client } = context
  if (client.authMethod === 'none') return err({ reason: 'exchange_client_public' })
  const shut = findShut(tenant, client)
  if (shut) return err(shut)
  const missing = findMissingProof(context, tenant)
  if (missing) return err(missing as Refused)
  const { audience, resource } = request
  const permission = findIdJagPermission(tenant.idJagIssuing, { client: client.id, audience, resource })
  if (permission === undefined) return err({ reason: 'id_jag_not_allowed' })
  const subject = readSubject(deps, context, request)
  if (!subject.ok) return subject
  const scopes = narrowToExchanged(request.scopes, [permission.scopes.map(({ name }) => name as Scope)])
  return scopes.ok ? ok({ subject: subject.value, permission, scopes: scopes.value }) : err({ reason: scopes.error })
}

function readSubject(
  deps: BrokerDeps,
  { tenant, client, now }: ExchangeContext,
  { subjectToken, subjectTokenKind }: IdJagRequest,
): Result<IssueIdJag['subject'], Refused> {
  if (subjectTokenKind === 'refresh_token') return ok({ refreshTokenHash: hashCredential(subjectToken) })
  const expected = { typ: 'JWT', issuer: tenant.issuer.url, audience: client.id, now, skewSeconds: 0 }
  const verified = deps.signatures.verify(subjectToken.reveal(), tenant.verificationKeys('tokens'), expected)
  // The keys of the front sign for every tenant: the claim says for which.
  const isOfTenant = verified.ok && (tenant.issuer.kind === 'tenant' || verified.value['tenant'] === tenant.slug)
  if (!isOfTenant) return err({ reason: 'subject_token_unknown' })
  // Her `sub` in it may be one that this client alone knows: which grant it came with says who she is.
  const { gid, epochs: claimed } = verified.value
  const epochs = parseEpochs(claimed)
  return typeof gid === 'string' && uuid.test(gid) && epochs.ok
    ? ok({ grantId: gid, epochs: epochs.value })
    : err({ reason: 'subject_token_unknown' })
}
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function decideOn(deps: BrokerDeps, { tenant, client, http, now }: ExchangeContext, asked: Asked, grant: ParentGrant): Decided {
  const { permission, scopes } = asked
  const { policy, domains } = tenant
  const resource = resourceOf(permission, tenant.id)
  const ground = { policy, domains, client, resource, mappingOf: claimSourcesOf(tenant), onUnclear: countUnclear(deps) }
  const latest = addSeconds(now, idJagLimits.lifeSeconds)
  const tokenEndsAt = grant.expires_at < latest ? grant.expires_at : latest
  const moment = { address: http.knownAddress, country: http.country, now, tokenEndsAt }
  const decision = decideExchange(ground, { ...evidenceOf(grant), scopes }, moment)
  const stored = {
    ...groundOf(tenant.configurationVersion, grant),
    scopes: decision.kind === 'allow' ? decision.scopes : scopes,
    refusal: decision.kind === 'refuse' ? decision.reason : undefined,
    detail: detailOf(permission, decision),
  }
  return { stored, endsAt: decision.kind === 'allow' ? decision.endsAt : now }
}

const detailOf = ({ audience, resource }: IdJagPermission, decision: ExchangeDecision) => ({
  ...{ audience, resource, explanation: decision.explanation ?? null },
  ...(decision.kind === 'allow' ? { endsAt: new Date(decision.endsAt).toISOString() } : {}),
})

/** With the keys of the configuration that the statement saw. */
async function sign(
  deps: BrokerDeps,
  { tenant, provenKey, now }: ExchangeContext,
  permission: IdJagPermission,
  grant: ParentGrant,
  { stored, endsAt }: Decided,
): Promise<TokenSet> {
  const current = await deps.configuration.atVersion(tenant, grant.configuration_version)
  const claims = buildIdJagClaims(
    {
      issuer: idJagIssuerOf(current.home),
      subject: String(grant.subject_id),
      permission,
      scopes: stored.scopes,
      jti: deps.random.uuid(),
      endsAt,
      acr: toldAcrOf(grant, current),
      amr: [...new Set([...grant.amr, ...grant.own_methods])],
      authenticatedAt: grant.authenticated_at ?? undefined,
      barrierAt: grant.barrier_at ?? undefined,
      told: toldOf(current, grant),
      confirmation: provenKey?.thumbprint,
    },
    now,
  )
  return {
    access_token: await signJwtAside(current.signingKey('id_jag'), { typ: idJagType }, claims),
    issued_token_type: idJagUrn,
    token_type: 'N_A',
    expires_in: claims.exp - toSeconds(now),
    scope: claims.scope,
  }
}

/** Her address, where the tenant has clients told of it; never more: what else is known of her is not the other server's business. */
function toldOf(tenant: ResolvedTenant, grant: ParentGrant): Readonly<Record<string, string | boolean>> {
  const identity = identityFromJson(grant.subject_claims)
  if (!identity.ok || !scopesTold(tenant.toldOfPeople).includes('email')) return {}
  const known = withDirectory(identity.value, grant.directory_says, claimSourcesOf(tenant)(identity.value.connectionId))
  return buildUserinfo('', withVerifiedAddress(known, tenant.domains), ['email'])
}
