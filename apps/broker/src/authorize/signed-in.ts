/** Who stands before an authorization request, with what proof, and what policy says of that. */
import { privilegedFrom } from '@drawbridge/core/factor/second-factor'
import { reachedValue } from '@drawbridge/core/identity/asked-authentication'
import { withDirectory } from '@drawbridge/core/identity/directory-claims'
import { cameHomeAsAsked, satisfiesClient } from '@drawbridge/core/identity/fresh-login'
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import type { NormalizedIdentity, OwnFactorProof } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { strengthFor } from '@drawbridge/core/policy/strength'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { findLiveBrowserSession, type LiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { type FactorRound, findFactorRound } from '@drawbridge/store/factor-rounds'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { type Admitted, admit } from '../admission/admit.js'
import { claimSourcesOf } from '../admission/claim-sources.js'
import { idpEndOf } from '../admission/session-end.js'
import { subjectToldTo } from '../clients/subject-of-client.js'
import { sessionHandleOf } from '../http/session-cookie.js'
import type { Flow } from './flow.js'

export type SignedIn = {
  readonly session: LiveBrowserSession
  readonly decision: PolicyDecision
  readonly flow: Flow
  readonly identity: NormalizedIdentity
  /** What the request has of a factor of ours. */
  readonly round: FactorRound
  /** This very request brought the session about. */
  readonly isOwn: boolean
}

/**
 * `login_not_renewed`: she has just come home, and not as the client asked: to ask her IdP once more is useless. `login_of_somebody_else`: the same of
 * another person than the one whom the client wants. `session_of_somebody_else`: there is a session, which may become hers at the IdP.
 */
export type Standing = LiveBrowserSession | 'login_not_renewed' | 'login_of_somebody_else' | 'session_of_somebody_else' | undefined

/** @spec OIDC Core §3.1.2.2: never the tokens of another person than the one whom the hint names */
export async function acceptableSession(flow: Flow): Promise<Standing> {
  const standing = await findStanding(flow)
  if (typeof standing !== 'object' || (await isAsHinted(flow, standing))) return standing
  return isOwnSession(flow, standing) ? 'login_of_somebody_else' : 'session_of_somebody_else'
}

async function isAsHinted({ deps, tenant, client, pending }: Flow, { subjectId }: LiveBrowserSession): Promise<boolean> {
  return pending.hintedSubject === undefined || pending.hintedSubject === (await subjectToldTo(deps, tenant, client, subjectId))
}

/** Whether this very request brought it about. */
const isOwnSession = ({ login, ongoing }: Flow, { id }: LiveBrowserSession): boolean =>
  login?.kind === 'believed' || ongoing.sessionId === id

/** A session answers only a request of its own issuer and tenant, and only if the client did not ask for a more recent sign-in. */
async function findStanding(flow: Flow): Promise<Exclude<Standing, 'login_of_somebody_else' | 'session_of_somebody_else'>> {
  const { deps, http, tenant, ongoing, pending, now } = flow
  if (flow.login?.kind === 'believed') return isAsAsked(flow, flow.login.session) ? flow.login.session : 'login_not_renewed'
  const handleHash = sessionHandleOf(http, deps, tenant)
  if (!handleHash) return undefined
  const session = await findLiveBrowserSession(onHotPath(deps.database), tenant.id, { handleHash, issuerId: tenant.issuer.id, now })
  if (!session) return undefined
  if (session.id === ongoing.sessionId) return isAsAsked(flow, session) ? session : undefined
  // After a step-up only the session that this very request brought about counts.
  if (ongoing.stepUps > 0) return undefined
  if (ongoing.connectionId !== undefined && ongoing.connectionId !== session.connectionId) return undefined
  return satisfiesClient(pending, session.authenticatedAt, now) && isAsStrong(flow, session) ? session : undefined
}

/**
 * Whether her session is of one of the strengths that the client wishes, or nobody may be asked for more. One that this very request brought about
 * is taken as it is: her IdP was asked, and what it gave is what can be had.
 *
 * @spec OIDC Core §5.5.1.1 a wish, RFC 9470 §5
 */
function isAsStrong({ pending, tenant }: Flow, { acr, amr, authenticatedAt, connectionId }: LiveBrowserSession): boolean {
  if (pending.acrValues.length === 0 || pending.prompt.includes('none')) return true
  const strength = strengthFor('vendor', tenant.policy.strength, { acr, amr, authenticatedAt }, connectionId)
  return reachedValue(pending.acrValues, { acr, strength }) !== undefined
}

const isAsAsked = ({ pending, ongoing, now }: Flow, { authenticatedAt }: LiveBrowserSession): boolean =>
  cameHomeAsAsked(pending, { authenticatedAt, requestedAt: ongoing.createdAt }, now)

/** `undefined`: what her last login said cannot be read any more. */
export async function decideFor(flow: Flow, session: LiveBrowserSession): Promise<SignedIn | undefined> {
  const parsed = identityFromJson(session.claims)
  if (!parsed.ok) return undefined
  const known = withDirectory(parsed.value, session.directorySays, claimSourcesOf(flow.tenant)(session.connectionId))
  const round = await roundOf(flow, session)
  const isOwn = isOwnSession(flow, session)
  const { acr, amr, authenticatedAt } = session
  const identity = {
    ...known,
    subjectId: session.subjectId,
    authentication: { acr, amr, authenticatedAt, ownFactor: round.proof },
    sessionExpiresAt: idpEndOf(session),
  }
  const { decision, input } = admitWith({ flow, session, identity, isOwn }, round.proof)
  countUnclear(flow.deps)(decision.explanation.unclear)
  flow.deps.logins.record({ tenant: flow.tenant, requestId: flow.ongoing.id, subjectId: session.subjectId, input, decision })
  return { session, decision, flow, identity, round, isOwn }
}

/** What policy would say if this were proved beside the sign-in. */
export const decisionWith = (signedIn: Asked, ownFactor: OwnFactorProof): PolicyDecision => admitWith(signedIn, ownFactor).decision

/** What policy says where she has agreed at an earlier time: what counts from the consent counts from then. */
export const decisionSince = (signedIn: SignedIn, consentedAt: Instant): PolicyDecision =>
  admitWith(signedIn, signedIn.round.proof, consentedAt).decision

type Asked = Pick<SignedIn, 'flow' | 'session' | 'identity' | 'isOwn'>

const admitWith = ({ flow, session, identity, isOwn }: Asked, ownFactor: OwnFactorProof | undefined, consentedAt?: Instant): Admitted =>
  admit({
    tenant: flow.tenant,
    client: flow.client,
    resource: flow.resource,
    identity: { ...identity, authentication: { ...identity.authentication, ownFactor } },
    scopes: flow.pending.scopes,
    stepUpsDone: flow.ongoing.stepUps,
    session: { startedAt: session.createdAt, isOwn, consentedAt },
    privilegedFrom: privilegedFrom(session.factorsResetAt),
    deactivatesAt: session.deactivatesAt,
    from: { address: flow.http.knownAddress, country: flow.http.country },
    now: flow.now,
  })

const nothing: FactorRound = { proof: undefined, permittedBy: undefined }

/** Only where the tenant has switched it on, and only of a request that has been somewhere: nobody else pays for the look. */
async function roundOf({ deps, tenant, ongoing, now }: Flow, { id: sessionId }: LiveBrowserSession): Promise<FactorRound> {
  if (tenant.secondFactor.mode === 'off' || !ongoing.saved) return nothing
  return inTenant(deps.database, tenant.id, (db) => findFactorRound(db, tenant.id, { requestId: ongoing.id, sessionId, now }))
}
