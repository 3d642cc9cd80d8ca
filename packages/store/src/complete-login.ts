/**
 * The statement in which a login is believed, and its trip is over.
 *
 * It consumes the trip, enters the replay ids, judges, and where the verdict is `believed` creates or refreshes the subject, opens the
 * browser session in place of the one before and moves the authorization request on; or it does none of the last three. Each part
 * depends on the rows of the one before, so two copies of one answer cannot both win: the second finds the trip consumed (row lock) or an
 * id taken (primary key). The verdict stands on one snapshot; the subject is written only if her epoch has not moved since, and every
 * barrier moves it. A newcomer has no epoch yet: `hold_directory` waits for the directory of this connection where it is speaking,
 * and then looks at what the verdict looked at, the other directories included: one that commits after that look speaks after this login.
 * `hold_idp_session` does so for a logout: where the IdP has ended this session, or all of hers, since the trip began, the answer may be from
 * before. Which came first is the order of the database: neither an IdP's clock nor a replica's can bridge it.
 *
 * A deactivated subject, a tombstoned, inactive or ambiguous SCIM user, evidence older than a barrier and a sign-in older than a barrier
 * get no session, and what such evidence says is not kept: an old answer must not bring old groups back. How and when she signed in is
 * no claim: it leaves `claims_version` alone. Anything else that it says and the last login did not is a change of claims: with effect at once,
 * where the tenant's policy wants that, on all that she holds. So does it that she is linked: whom her directory does not know has unknown groups, and unknown is strictest.
 *
 * The SCIM link is made once, by the key the connection declared (without one: externalId is the stable id), to exactly one living user of
 * this connection whom no other subject has. Where this connection's directory does not know her, a tombstone or an inactive user of any
 * other one refuses: who is switched off there does not come back through here. A deleted user stays hers: only an admin undoes that.
 * Whoever of the tenant is out, by a signal, an admin or her directory, leaves a tombstone of all her linking keys, her own without regard to case:
 * nobody is made a subject of any connection whose stable id, link value or address is one of them, unless the directory of this connection has her,
 * or an admin invited her since: an address may have been given to somebody else. And what a signal said of an
 * id that nobody had (`unmatched-signals`) holds for whoever first comes under it: `hold_signals` waits for one that is just being said.
 *
 * Whom no key finds is refused, too, where her stable id, link value or address is a name or an externalId that a directory of the tenant has
 * switched off or deleted, unless the directory of this connection has somebody living by one of them: such a namesake links nobody, and
 * lets nobody in whom the tenant's mode does not.
 *
 * After a restore of the database (`recovery`) a directory may have told of somebody's leaving in what was lost: until it has been synchronised
 * anew, only those come in through its connection whom it has created since. A change of somebody says nothing of whether she may come in: what
 * a directory believes to have said it does not say again. Whoever is active and not named since may have left, too (`unnamed-people`): her entry
 * keeps out whomever its deletion would keep out, through whichever connection and by whichever name.
 *
 * Whom no directory shuts out may still have to be provisioned or invited, and may claim no address of another company: the rule is
 * `judgeProvisioning` of core. An invitation is used by the same statement, at most once; a login that is not believed uses none.
 */
import { domainsOfAddresses, type EmailAddress, parseEmailAddress } from '@drawbridge/core/identity/email-address'
import type { ProvisioningVerdict } from '@drawbridge/core/identity/provisioning'
import type { Instant } from '@drawbridge/core/instant'
import { distinct, type IdpSessionNames } from '@drawbridge/core/logout/idp-session'
import type {
  BrowserSessionId,
  ConnectionId,
  CredentialHash,
  IssuerId,
  LoginRequestId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import { type FoundRequest, type OngoingRow, toFound } from './authorization-requests.js'
import { findLiveBrowserSession, type LiveBrowserSession } from './browser-sessions.js'
import { completeStatement } from './complete-login-statement.js'
import { hashOfId, type Replay } from './replays.js'
import { type HotDb, type Rows, toTimestamp } from './transaction.js'

export type LoginToComplete = {
  readonly id: LoginRequestId
  readonly issuerId: IssuerId
  readonly connectionId: ConnectionId
  readonly browserHash: CredentialHash
  /** When the IdP made the evidence: anything at or before a barrier is refused. */
  readonly issuedAt: Instant
  readonly now: Instant
  readonly replays: readonly Pick<Replay, 'kind' | 'id'>[]
  readonly replayableUntil: Instant
  readonly subject: { readonly id: SubjectId; readonly stableId: string; readonly claims: unknown }
  readonly scimLink: { readonly by: 'userName' | 'externalId'; readonly value: string } | undefined
  readonly addresses: {
    /** Every one that the login claims: none of them may be of another company. */
    readonly claimed: readonly EmailAddress[]
    /** Hers, by which she may have been invited. */
    readonly own: EmailAddress | undefined
  }
  readonly session: {
    readonly id: BrowserSessionId
    readonly handleHash: CredentialHash
    readonly acr: string | undefined
    readonly amr: readonly string[]
    readonly authenticatedAt: Instant | undefined
    readonly idpSession: unknown
    /** By which the IdP may end it later. */
    readonly idpSessionNames: IdpSessionNames | undefined
    readonly expiresAt: Instant
    /** What a sign-out at the IdP wants to see again. */
    readonly sealedLogoutHint: Buffer | undefined
  }
  /** The session that this browser had before: it ends, so whoever knew its handle has nothing; what was granted from it can still be ended from the new one. */
  readonly previousHandleHash: CredentialHash | undefined
  readonly requestId: string
  readonly address: string
}

/** What the verdict depends on, and no more. */
export type LoginToJudge = Pick<
  LoginToComplete,
  'id' | 'connectionId' | 'browserHash' | 'issuedAt' | 'now' | 'replays' | 'replayableUntil' | 'scimLink' | 'addresses'
> & {
  readonly subject: Pick<LoginToComplete['subject'], 'stableId'>
  readonly session: Pick<LoginToComplete['session'], 'authenticatedAt'>
}

export type LoginRefusal =
  | 'login_replayed'
  | 'evidence_below_barrier'
  | 'idp_session_ended'
  | 'login_not_fresh'
  | 'subject_deactivated'
  | 'subject_not_provisioned'
  | 'subject_not_in_directory'
  | 'subject_not_invited'
  | 'address_of_another'
  | 'domain_proof_missing'
  | 'directory_resync_pending'

/** `request`: what the browser was on its way for, as it now stands; undefined if it is over. */
export type CompletedLogin =
  | { readonly kind: 'believed'; readonly session: LiveBrowserSession; readonly request: FoundRequest | undefined }
  | { readonly kind: 'fresh_login_required'; readonly request: FoundRequest | undefined }
  | { readonly kind: 'refused'; readonly reason: LoginRefusal }

export type Outcome =
  | 'believed'
  | 'fresh_login_required'
  | 'login_replayed'
  | 'evidence_below_barrier'
  | 'idp_session_ended'
  | 'login_not_fresh'
  | 'subject_deactivated'
  | 'subject_tombstone'
  | 'directory_resync'
  | DirectoryRefusal
  | Exclude<ProvisioningVerdict, 'provisioned'>
type DirectoryRefusal = 'directory_ambiguous' | 'directory_inactive' | 'directory_tombstone'
type OpenedRow = {
  readonly opened_id: BrowserSessionId
  readonly opened_for: SubjectId
  readonly tenant_epoch: number
  readonly connection_epoch: number
  readonly subject_epoch: number
  readonly claims_version: number
  readonly directory_version: number
  readonly directory_decides: boolean
  readonly factors_reset_at: Instant | null
  readonly deactivates_at: Instant | null
}
type Row = Partial<OngoingRow> & OpenedRow & { outcome: Outcome | null; configuration_version: number; policy_version: number }

/** Of any number of callers with the same answer at most one is believed. */
export async function completeLogin(hot: HotDb, tenant: TenantId, login: LoginToComplete): Promise<CompletedLogin> {
  const { rows } = await completeOnce(hot, parametersOf(tenant, login))
  const row = rows[0]
  if (!row?.outcome) return { kind: 'refused', reason: 'login_replayed' }
  const { outcome } = row
  if (outcome === 'believed') {
    const session = row.directory_decides ? await sessionWithDirectory(hot, tenant, login) : toSession(row, login)
    return session ? { kind: 'believed', session, request: requestOf(row) } : { kind: 'refused', reason: 'evidence_below_barrier' }
  }
  return outcome === 'fresh_login_required'
    ? { kind: outcome, request: requestOf(row) }
    : { kind: 'refused', reason: publicReasons[outcome] }
}

/**
 * Where the directory decides something of her, what it says is read with the versions of everything that it is read beside, on one snapshot: that
 * of the statement above may be older than the subject that it wrote. `undefined`: the session has already been ended by a barrier.
 */
const sessionWithDirectory = (hot: HotDb, tenant: TenantId, { session, issuerId, now }: LoginToComplete) =>
  findLiveBrowserSession(hot, tenant, { handleHash: session.handleHash, issuerId, now })

/** What the audit trail tells apart and the person need not. */
export const publicReasons: Readonly<Record<Exclude<Outcome, 'believed' | 'fresh_login_required'>, LoginRefusal>> = {
  login_replayed: 'login_replayed',
  evidence_below_barrier: 'evidence_below_barrier',
  idp_session_ended: 'idp_session_ended',
  login_not_fresh: 'login_not_fresh',
  subject_deactivated: 'subject_deactivated',
  subject_tombstone: 'subject_deactivated',
  directory_inactive: 'subject_deactivated',
  directory_tombstone: 'subject_deactivated',
  directory_ambiguous: 'subject_not_provisioned',
  directory_resync: 'directory_resync_pending',
  directory_missing: 'subject_not_in_directory',
  not_invited: 'subject_not_invited',
  address_of_another: 'address_of_another',
  domain_lapsed: 'domain_proof_missing',
  link_unproven: 'domain_proof_missing',
}

const uniqueLink = 'subjects_tenant_id_scim_user_id_key'

/**
 * Two people whom the directory knows as one may arrive in the same moment, each seeing the SCIM user free. The unique index lets one of
 * them have it and throws the other's statement out whole; run again, it sees whose the SCIM user is, and refuses.
 */
async function completeOnce(hot: HotDb, parameters: readonly unknown[]): Promise<Rows<Row>> {
  try {
    return await hot.query<Row>(completeStatement, parameters)
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint !== uniqueLink) throw error
    return hot.query<Row>(completeStatement, parameters)
  }
}

const requestOf = (row: Row): FoundRequest | undefined =>
  row.id === undefined || row.id === null ? undefined : toFound(row as Row & OngoingRow)

/** Live by its making: the same statement saw every epoch, and tenant, connection, subject and SCIM user in good standing. */
const toSession = (row: Row, { session, subject, connectionId, now }: LoginToComplete): LiveBrowserSession => ({
  id: row.opened_id,
  subjectId: row.opened_for,
  connectionId,
  epochs: { tenant: row.tenant_epoch, connection: row.connection_epoch, subject: row.subject_epoch },
  acr: session.acr,
  amr: session.amr,
  authenticatedAt: session.authenticatedAt,
  createdAt: now,
  expiresAt: session.expiresAt,
  factorsResetAt: row.factors_reset_at ?? undefined,
  deactivatesAt: row.deactivates_at ?? undefined,
  claims: subject.claims,
  claimsVersion: row.claims_version,
  directorySays: null,
  directoryVersion: row.directory_version,
  policyVersion: row.policy_version,
  configurationVersion: row.configuration_version,
})

/** Lowered here as `scim-users` lowers what it stores: what PostgreSQL takes for a letter depends on the locale of its cluster. */
const keyOfLink = (link: LoginToJudge['scimLink']): string | null =>
  link === undefined ? null : link.by === 'userName' ? link.value.toLowerCase() : link.value

/** What both statements that judge a login begin with. */
export const judgementParameters = (tenant: TenantId, login: LoginToJudge): readonly unknown[] => [
  ...[tenant, login.id, login.connectionId, login.browserHash, toTimestamp(login.issuedAt), toTimestamp(login.now)],
  ...[login.replays.map((replay) => replay.kind), login.replays.map((replay) => hashOfId(replay.id)), toTimestamp(login.replayableUntil)],
  ...[login.subject.stableId, login.scimLink?.by, keyOfLink(login.scimLink)],
  login.session.authenticatedAt === undefined ? null : toTimestamp(login.session.authenticatedAt),
  ...addressParameters(login),
]

const parametersOf = (tenant: TenantId, login: LoginToComplete): readonly unknown[] => [
  ...judgementParameters(tenant, login),
  ...[login.subject.id, JSON.stringify(login.subject.claims), login.session.id, login.issuerId, login.session.handleHash],
  ...[login.session.acr, login.session.amr, JSON.stringify(login.session.idpSession), toTimestamp(login.session.expiresAt)],
  ...[login.requestId, login.address, login.previousHandleHash],
  ...idpSessionParameters(login.session),
]

const idpSessionParameters = ({ idpSessionNames: names, sealedLogoutHint }: LoginToComplete['session']): readonly unknown[] => [
  names === undefined ? [] : distinct([names.session, names.subject]),
  ...[names?.session ?? null, names?.subject ?? null, sealedLogoutHint ?? null],
]

const addressParameters = ({ addresses, scimLink }: LoginToJudge): readonly unknown[] => {
  const domains = domainsOfAddresses(addresses.claimed)
  const linked = scimLink && parseEmailAddress(scimLink.value)
  return [
    ...[domains.map(({ domain }) => domain), domains.map(({ address }) => address), linked?.domain ?? null],
    ...[addresses.own?.key ?? null, addresses.own?.domain ?? null],
  ]
}
