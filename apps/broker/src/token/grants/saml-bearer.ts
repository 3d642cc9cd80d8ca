/** Grant type saml2-bearer: a SAML assertion that an issuer whom the tenant trusts made about a person, for our token endpoint (docs/adr/0078). */
import type { SamlGrantAssertion } from '@drawbridge/core/identity/identity-assertion'
import { narrowToAsserted } from '@drawbridge/core/oauth/jwt-bearer'
import type { SamlBearerRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { readBroughtAssertion, verifyBroughtAssertion } from '@drawbridge/upstream/saml/brought-assertion'
import { identify } from '../../admission/admit.js'
import type { BrokerDeps } from '../../deps.js'
import { assertionAddressesOf } from '../../http/assertion-addresses.js'
import { isOwnAddress } from '../../http/own-address.js'
import type { ResolvedSamlTrust } from '../../http/resolved-trusts.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { auditEvidenceRefusal, checkBringer, type Evidence, type Refused, redeemEvidence } from './assertion-grant.js'

/** @spec RFC 7522 §2.1, §3 */
export const exchangeSamlAssertion: Exchange<SamlBearerRequest> = (deps, known, request) =>
  redeemEvidence(deps, known, (context) => proveSamlAssertion(deps, context, request))

/** The client is asked before the signature is, which costs most. */
export async function proveSamlAssertion(
  deps: BrokerDeps,
  context: ExchangeContext,
  request: SamlBearerRequest,
): Promise<Result<Evidence, Refused>> {
  const { tenant, client, now } = context
  const brought = readBroughtAssertion(request.assertion.reveal(), openerOf(tenant))
  if (!brought.ok) return err(refusalOf(brought.error))
  const trust = tenant.samlTrusts.find((each) => each.trust.issuer === brought.value.issuer)
  const bringer = checkBringer(tenant, client, trust?.trust)
  if (!bringer.ok) return bringer
  if (trust === undefined) return err({ reason: 'assertion_issuer_unknown' })
  if (isOwnEntity(deps, trust.trust.issuer)) return err({ reason: 'assertion_of_this_installation' })
  const verified = verifyBroughtAssertion(brought.value, {
    trust: trust.trust,
    connectionId: trust.id,
    ...expectedAt(tenant),
    opener: trust.serviceProvider,
    now,
  })
  const evidence = verified.ok ? judgeAssertion(context, request, trust, verified.value) : err(refusalOf(verified.error))
  if (evidence.ok || !(verified.ok || verified.error.proven === true)) return evidence
  const who = verified.ok ? identify(trust.trust, verified.value) : undefined
  const told = { trust: { id: trust.id, peopleOf: trust.trust.peopleOf }, who: who?.ok ? who.value : undefined }
  return err(await auditEvidenceRefusal(deps, context, told, evidence.error))
}

/** At its own issuer the token endpoint names the tenant as well; at the front it is that of all of them, so the Audience alone says whose it is. */
function expectedAt(tenant: ResolvedTenant) {
  const { samlAudience, tokenEndpoint, audTenant } = assertionAddressesOf(tenant)
  return { audiences: audTenant.demanded ? [samlAudience] : [samlAudience, tokenEndpoint], recipient: tokenEndpoint }
}

/** Many an IdP is called by a word that is no address, and so by none of ours. */
const isOwnEntity = (deps: BrokerDeps, entityId: string): boolean => URL.canParse(entityId) && isOwnAddress(deps, entityId)

/** Keys of ours are for nobody, unless some trust accepts what is encrypted to them. */
const openerOf = ({ samlTrusts }: ResolvedTenant) => samlTrusts.find(({ trust }) => trust.encryption !== 'off')?.serviceProvider

const refusalOf = ({ reason }: UpstreamRefusal): Refused => ({ reason: 'assertion_refused', detail: { rule: reason } })

function judgeAssertion(
  { tenant, client }: ExchangeContext,
  request: SamlBearerRequest,
  { id, trust }: ResolvedSamlTrust,
  assertion: SamlGrantAssertion,
): Result<Evidence, Refused> {
  if (!trust.clients.includes(client.id)) return err({ reason: 'assertion_of_other_client' })
  // It names neither: what is asked for counts, and policy says how much of it. docs/adr/0078
  if (request.resource === undefined) return err({ reason: 'resource_unnamed' })
  const access = narrowToAsserted(request, { scopes: undefined, resource: undefined }, tenant.resources)
  if (!access.ok) return err({ reason: access.error })
  const who = identify(trust, assertion)
  if (!who.ok) return err({ reason: 'assertion_identity_unusable', detail: { why: who.error.reason } })
  const { issuer, assertionId, issuedAt, replayableUntil, signers } = assertion
  return ok({
    trust: { id, peopleOf: trust.peopleOf, freshnessEvidence: trust.freshnessEvidence },
    ...{ issuedAt, replayableUntil, signedBy: signers, who: who.value },
    replays: [{ kind: 'saml_assertion_grant', id: JSON.stringify([issuer, assertionId]) }],
    ...access.value,
  })
}
