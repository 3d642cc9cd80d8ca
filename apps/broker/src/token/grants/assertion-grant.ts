/**
 * What becomes of an assertion that a client brings, whichever kind it is: one access token, for whom a login would let in. It is a login without a
 * browser, and joins its line at the `IdentityAssertion`: mapped, judged and decided like every other (docs/adr/0070, docs/adr/0078).
 *
 * One statement, and a second one where the directory decides something of her or the configuration has changed. No refresh token: when the
 * token ends, the issuer says anew whether she may still.
 */
import { privilegedFrom } from '@drawbridge/core/factor/second-factor'
import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import { identityFromJson, identityToJson } from '@drawbridge/core/identity/identity-json'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { RegistrationRules } from '@drawbridge/core/oauth/client-registration'
import { whyDeniedInAbsence } from '@drawbridge/core/oauth/denied-in-absence'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId, GrantId, SubjectId } from '@drawbridge/core/tenant/ids'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { type PresumedPerson, type RedeemAssertion, redeemAssertion } from '@drawbridge/store/redeem-assertion'
import type { StoredResource } from '@drawbridge/store/tenant-configuration'
import { onHotPath } from '@drawbridge/store/transaction'
import type { TrustPeople } from '@drawbridge/upstream/assertion/trust-people'
import { addressesOf, admit, type Identified } from '../../admission/admit.js'
import { claimSourcesOf } from '../../admission/claim-sources.js'
import { type Acted, callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import { findMissingProof } from '../../clients/dpop.js'
import { findShut } from '../../clients/find-shut.js'
import type { BrokerDeps } from '../../deps.js'
import { auditRefusal } from '../audit-refusal.js'
import type { ExchangeContext } from '../exchange.js'
import { issueTokens, type TokenSet } from '../issue-tokens.js'
import { limitOfPerson } from '../limit-of-person.js'
import { versionGoneBy } from '../proof-demanded.js'

/** Configuration and directory may change again while they are being decided on; after this many rounds the client may try again. */
const mostDecisions = 4

/** Of a trust, what counts for what is opened by it. */
export type EvidenceTrust = Pick<TrustPeople, 'peopleOf'> & {
  readonly id: ConnectionId
  readonly freshnessEvidence: 'auth_time' | 'issued_at'
}

/** What the assertion proves, under one version of the configuration. */
export type Evidence = {
  readonly trust: EvidenceTrust
  readonly issuedAt: Instant
  /** What is used up by it; empty: it may come again. */
  readonly replays: RedeemAssertion['evidence']['replays']
  readonly replayableUntil: Instant
  /** RFC 7638 thumbprints of the keys that may have signed it. */
  readonly signedBy: readonly string[]
  readonly who: Identified
  readonly resource: StoredResource
  readonly scopes: RedeemAssertion['decision']['scopes']
}
export type Refused = { readonly reason: TokenErrorReason; readonly detail?: Readonly<Record<string, string | number>> }

/** All that needs no row of hers: under another version of the configuration it is asked again, with the same assertion. */
export type ProveEvidence = (context: ExchangeContext) => Promise<Result<Evidence, Refused>>

export async function redeemEvidence(deps: BrokerDeps, known: ExchangeContext, prove: ProveEvidence): Promise<Acted<TokenSet>> {
  let context = known
  let person: PresumedPerson | undefined
  let isCounted = false
  for (let round = 0; round < mostDecisions; round += 1) {
    const { tenant, client, now } = context
    const evidence = await prove(context)
    if (!evidence.ok) return ifUnchanged(deps, client, evidence)
    // Who lacks a proof that is demanded is refused by the statement, and spends nothing of hers. docs/adr/0125
    const counts: boolean = !isCounted && findMissingProof(context, tenant) === undefined
    const limited = counts ? limitOfPerson(context.http, tenant, personIn(evidence.value)) : undefined
    if (limited) return ifUnchanged(deps, client, err(limited))
    isCounted ||= counts
    const redeemed = await redeemAssertion(onHotPath(deps.database), tenant.id, redemptionOf(deps, context, evidence.value, person))
    if (redeemed.kind === 'client_changed') return 'client_changed'
    if (redeemed.kind === 'refused') return err({ reason: redeemed.reason, detail: { why: redeemed.why } })
    if (redeemed.kind === 'decide_again') {
      person = redeemed.person
      if (person.claims !== undefined && !identityFromJson(person.claims).ok)
        return err({ reason: 'assertion_identity_unusable', detail: { why: 'claims_unreadable' } })
      context = { ...context, tenant: await deps.configuration.atVersion(tenant, redeemed.configurationVersion) }
      const missing = findMissingProof(context, context.tenant)
      if (missing) return err(missing)
      continue
    }
    const { grant, expiresAt: grantExpiresAt } = redeemed
    const accessTokenTtlSeconds = Math.ceil((grantExpiresAt - now) / 1000)
    return ok(
      await issueTokens(deps, tenant, {
        ...{ grant, scopes: grant.scopes, accessTokenTtlSeconds, confirmation: context.provenKey?.thumbprint },
        ...{ grantExpiresAt, refreshToken: undefined, now },
      }),
    )
  }
  return err({ reason: 'decision_unsettled' })
}

/**
 * Whoever may bring any assertion of the trust: one who may be granted anything new, and who proves himself, unless the trust says otherwise. `trust`:
 * `undefined` where nobody trusts the issuer. It is asked before that is said, so that whoever may bring nothing, as anybody can register himself to
 * be, does not learn of one issuer after another whether the tenant trusts it.
 */
export function checkBringer(
  tenant: RegistrationRules,
  client: ProvenClient,
  trust: { readonly publicClients: boolean } | undefined,
): Result<undefined, Refused> {
  const shut = findShut(tenant, client)
  if (shut) return err(shut)
  return client.authMethod === 'none' && trust?.publicClients !== true ? err({ reason: 'assertion_client_public' }) : ok(undefined)
}

/** Where its people are: at the trust itself, or at a login connection. */
const peopleOf = ({ id, peopleOf: people }: Pick<EvidenceTrust, 'id' | 'peopleOf'>): ConnectionId => people?.connection ?? id

/** As her issuer calls her: whether she is known is not known yet. `undefined`: it cannot be told who is meant, which is counted together. */
const personIn = ({ trust, who }: Told): string => `${peopleOf(trust)} ${who?.identity.stableId ?? ''}`

/** Whom a trusted issuer has signed something about. */
type Told = { readonly trust: Pick<EvidenceTrust, 'id' | 'peopleOf'>; readonly who: Identified | undefined }

function redemptionOf(deps: BrokerDeps, context: ExchangeContext, evidence: Evidence, person: PresumedPerson | undefined): RedeemAssertion {
  const { tenant, client, http, now } = context
  const { trust, issuedAt, replays, replayableUntil, signedBy, who, resource } = evidence
  const people = peopleOf(trust)
  const { authentication } = who.identity
  const decision = decideOn(deps, context, evidence, person)
  return {
    caller: callerOf(client),
    provenKey: context.provenKey,
    trustId: trust.id,
    evidence: {
      connectionId: people,
      issuedAt,
      now,
      replays,
      replayableUntil,
      subject: { stableId: who.identity.stableId },
      scimLink: who.scimLink,
      addresses: addressesOf(who),
      session: { authenticatedAt: trust.freshnessEvidence === 'issued_at' ? issuedAt : authentication.authenticatedAt },
    },
    authenticatedAt: authentication.authenticatedAt,
    signedBy,
    subject: { id: deps.random.uuid() as SubjectId, claims: identityToJson({ ...who.identity, connectionId: people }) },
    resource,
    authentication,
    decision: toStored(deps, context, evidence, decision),
    decidedOn: { configurationVersion: versionGoneBy(context, tenant), policyVersion: tenant.policyVersion, person },
    detail: { explanation: decision.explanation, ...(decision.kind === 'allow' ? { ceilings: ceilingsOf(decision) } : {}) },
    asked: { requestId: http.requestId, address: http.address },
  }
}

/** Who she is, in the words of her logins where she is of a login connection: an issuer that is trusted to name her says nothing of her groups. */
function herself(said: NormalizedIdentity, person: PresumedPerson | undefined): NormalizedIdentity {
  const known = person?.claims === undefined ? undefined : identityFromJson(person.claims)
  if (!known?.ok) return said
  const { connectionId, authentication, sessionExpiresAt } = said
  return { ...known.value, connectionId, authentication, sessionExpiresAt }
}

/** As of a login of that moment, but that nobody is here who could sign in for this very request. */
function decideOn(
  deps: BrokerDeps,
  { tenant, client, http, now }: ExchangeContext,
  { trust, issuedAt, who, resource, scopes }: Evidence,
  person: PresumedPerson | undefined,
): PolicyDecision {
  const people = peopleOf(trust)
  const known = { ...herself(who.identity, person), personConnectionId: people }
  const identity = withDirectory(known, person?.directory?.says, claimSourcesOf(tenant)(people))
  const { decision } = admit({
    tenant,
    client,
    resource,
    identity,
    scopes,
    stepUpsDone: 0,
    session: { startedAt: identity.authentication.authenticatedAt ?? issuedAt },
    from: { address: http.knownAddress, country: http.country },
    privilegedFrom: privilegedFrom(person?.factorsResetAt),
    now,
  })
  if (decision.explanation.unclear > 0) countUnclear(deps)(decision.explanation.unclear)
  return decision
}

function toStored(deps: BrokerDeps, { now }: ExchangeContext, { scopes }: Evidence, decision: PolicyDecision): RedeemAssertion['decision'] {
  if (decision.kind !== 'allow') return { kind: 'refuse', reason: `assertion_${whyDeniedInAbsence(decision)}`, scopes }
  if (decision.asksConsentAnew) return { kind: 'refuse', reason: 'assertion_consent_needed', scopes }
  const { seconds } = decision.accessTokenTtl
  const useful = addSeconds(now, seconds)
  return {
    kind: 'allow',
    grantId: deps.random.uuid() as GrantId,
    scopes: decision.scopes,
    accessTokenSeconds: seconds,
    expiresAt: useful < decision.endsAt ? useful : decision.endsAt,
    ceilings: ceilingsOf(decision),
  }
}

const ceilingsOf = ({ accessTokenTtl }: Extract<PolicyDecision, { kind: 'allow' }>) => ({ accessToken: accessTokenTtl, refreshToken: null })

/**
 * What a trusted issuer signed and is refused all the same is a line of the trail: somebody there, or the client, has something wrong. The same assertion can be
 * brought again and again, and the trail is kept for ever, so it is counted for her first, as what is redeemed. Answers what the client hears.
 */
export async function auditEvidenceRefusal(deps: BrokerDeps, context: ExchangeContext, told: Told, refused: Refused): Promise<Refused> {
  const limited = limitOfPerson(context.http, context.tenant, personIn(told))
  if (limited) return limited
  const { reason, detail = {} } = refused
  await auditRefusal(deps, context, { kind: 'assertion_refused', connectionId: told.trust.id, reason, detail })
  return refused
}
