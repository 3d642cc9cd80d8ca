/** Grant type jwt-bearer: an ID-JAG, or another JWT that an issuer whom the tenant trusts made about a person (docs/adr/0070). */
import type { AssertionGrantToken } from '@drawbridge/core/identity/identity-assertion'
import { isVouchedForItself, type ProvenClient } from '@drawbridge/core/oauth/client'
import { narrowToAsserted } from '@drawbridge/core/oauth/jwt-bearer'
import type { JwtBearerRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AssertionTrust } from '@drawbridge/upstream/assertion/trust'
import { type AssertionRefusal, claimedTrust, verifyAssertion } from '@drawbridge/upstream/assertion/verify-assertion'
import { identify } from '../../admission/admit.js'
import type { BrokerDeps } from '../../deps.js'
import { assertionAddressesOf } from '../../http/assertion-addresses.js'
import { isOwnAddress } from '../../http/own-address.js'
import type { ResolvedAssertionTrust } from '../../http/resolved-trusts.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { auditEvidenceRefusal, checkBringer, type Evidence, type Refused, redeemEvidence } from './assertion-grant.js'

/** @spec RFC 7523 §2.1, §3.1 */
export const exchangeAssertion: Exchange<JwtBearerRequest> = (deps, known, request) =>
  redeemEvidence(deps, known, (context) => proveAssertion(deps, context, request))

/** In the order of the specification. Where the trust lists clients, it is nobody's business but theirs, and nobody else has us fetch its keys. */
export async function proveAssertion(
  deps: BrokerDeps,
  context: ExchangeContext,
  request: JwtBearerRequest,
): Promise<Result<Evidence, Refused>> {
  const { tenant, client, now } = context
  const text = request.assertion.reveal()
  const trust = claimedTrust(text, tenant.assertionTrusts)
  const bringer = checkBringer(tenant, client, trust?.trust)
  if (!bringer.ok) return bringer
  if (trust === undefined || !isListed(trust.trust, client.id)) return err({ reason: 'assertion_issuer_unknown' })
  if (isOwnAddress(deps, trust.trust.issuer)) return err({ reason: 'assertion_of_this_installation' })
  const expected = { assertion: text, connectionId: trust.id, ...assertionAddressesOf(tenant), now }
  const verified = await verifyAssertion(deps.fetchSafely, trust.trust, expected)
  if (!verified.ok) return err(heardBy(client, verified.error))
  const evidence = judgeAssertion(context, request, trust, verified.value)
  if (evidence.ok) return evidence
  const who = identify(trust.trust, verified.value)
  const told = { trust: { id: trust.id, peopleOf: trust.trust.peopleOf }, who: who.ok ? who.value : undefined }
  return err(await auditEvidenceRefusal(deps, context, told, evidence.error))
}

/**
 * That keys are awaited says that their issuer is trusted. Whoever made himself a client, without anybody who vouches for it, would ask for one issuer after
 * another: he hears what he would hear of a bad assertion.
 */
function heardBy(client: ProvenClient, refusal: AssertionRefusal): Refused {
  const isVouched = isVouchedForItself({ ...client, preApproved: client.preApproved || client.approvedAtFront === true })
  return refusal.reason === 'assertion_keys_awaited' && !isVouched
    ? { reason: 'assertion_refused', detail: { rule: 'keys_awaited' } }
    : refusal
}

/** Whether an issuer whom the tenant trusts has signed that this client comes for one of its people. It uses nothing up, and says nothing of whether anything is granted. */
export async function isNamedByTrusted(
  deps: BrokerDeps,
  { tenant, now }: Pick<ExchangeContext, 'tenant' | 'now'>,
  request: JwtBearerRequest,
  client: string,
): Promise<boolean> {
  const text = request.assertion.reveal()
  const trust = claimedTrust(text, tenant.assertionTrusts)
  if (trust === undefined || !isListed(trust.trust, client) || isOwnAddress(deps, trust.trust.issuer)) return false
  const expected = { assertion: text, connectionId: trust.id, ...assertionAddressesOf(tenant), now }
  const verified = await verifyAssertion(deps.fetchSafely, trust.trust, expected)
  return verified.ok && verified.value.clientId === client && isForClient(trust.trust, verified.value, client)
}

function judgeAssertion(
  { tenant, client, provenKey }: ExchangeContext,
  request: JwtBearerRequest,
  { id, trust }: ResolvedAssertionTrust,
  assertion: AssertionGrantToken,
): Result<Evidence, Refused> {
  if (!isForClient(trust, assertion, client.id)) return err({ reason: 'assertion_of_other_client' })
  if (assertion.boundTo !== undefined && assertion.boundTo !== provenKey?.thumbprint) return err({ reason: 'assertion_proof_missing' })
  const access = narrowToAsserted(request, assertion, tenant.resources)
  if (!access.ok) return err({ reason: access.error })
  const who = identify(trust, assertion)
  if (!who.ok) return err({ reason: 'assertion_identity_unusable', detail: { why: who.error.reason } })
  const { issuer, jti, issuedAt, replayableUntil, signedBy } = assertion
  const replays = trust.jtiReuse ? [] : [{ kind: 'assertion_grant' as const, id: JSON.stringify([issuer, jti]) }]
  const { peopleOf, freshnessEvidence } = trust
  return ok({
    trust: { id, peopleOf, freshnessEvidence },
    ...{ issuedAt, replays, replayableUntil, signedBy: [signedBy], who: who.value },
    ...access.value,
  })
}

const isListed = ({ clients }: AssertionTrust, id: string): boolean => clients?.includes(id) ?? true

/** The issuer names the client as it is known here; where it names none, those alone that the trust lists (`isListed`). */
const isForClient = ({ clients }: AssertionTrust, { clientId }: AssertionGrantToken, id: string): boolean =>
  (clientId === undefined || clientId === id) && (clientId !== undefined || clients !== undefined)
