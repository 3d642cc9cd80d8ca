/**
 * What a signed signal of an IdP does to whom it names. security.md §12
 *
 * It acts on people of its own connection alone, and it only takes away. Everything happens in the caller's transaction, which has entered the
 * id of the message: both are there, or neither, and then the IdP may send it again.
 */
import type { EmailAddress } from '@drawbridge/core/identity/email-address'
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { namesOfEnd } from '@drawbridge/core/logout/idp-session'
import type { ConnectionId, DeprovisioningEventId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import { deprovision, recordUnmatchedEvent } from './deprovisioning.js'
import { holdEnd } from './end-session.js'
import { announceNamesakes, endNamesakes } from './namesakes.js'
import { findByRecordedKey, type KeyedUser } from './recorded-key.js'
import { type Db, toTimestamp } from './transaction.js'
import { heldAddress, holdSignalled, keepUnmatchedSignal } from './unmatched-signals.js'

/** A person as a signal names her, once the caller has judged that this connection may speak of her. */
export type NamedPerson =
  /** `issuer`: in whose words the id stands. `undefined`: of an IdP whose logins are not known by it (SAML). */
  | { readonly by: 'id'; readonly id: string; readonly issuer: string | undefined; readonly link: SubjectLink | undefined }
  | { readonly by: 'email'; readonly address: EmailAddress }
  /** Whom the connection may not speak of, or cannot name: an alarm, with what she was called. */
  | { readonly by: 'nobody'; readonly named: string }

export type Signalled = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly person: NamedPerson
  readonly deactivate: boolean
  readonly reason: string
  /** When the IdP says that it happened: for the receipt alone. */
  readonly toldAt: Instant | undefined
  readonly now: Instant
  readonly requestId: string
  readonly newId: () => string
}

/**
 * `done`: from the commit on. Otherwise nobody was found, or only several of whom each may be meant, who are ended; and the event is kept as an alarm, or,
 * `full`, nothing of it is kept, and whoever sent it must be told to send it again.
 */
export type SignalOutcome = 'done' | 'unknown' | 'ambiguous' | 'full'
export type TakenAway = {
  readonly outcome: SignalOutcome
  /** It was the one that made the connection's signals so many that somebody has to be told. */
  readonly isMass: boolean
  /** Somebody has to be told of those of whom each may be meant. */
  readonly alarmsNamesakes: boolean
}

export const signalLimits = {
  /** So many people in so short a time are an alarm. Nothing is held back for it: what the IdP signed has happened. docs/adr/0056 */
  massPeople: 50,
  massWindowSeconds: 600,
} as const

/** Whoever calls it has told what is to be told of it, last of all (`alarmTaken`). */
export async function takeAway(db: Db, signalled: Signalled): Promise<TakenAway> {
  const { tenant, person } = signalled
  // Before anybody is looked for: a first login under this name either is seen below, or sees this and is not believed.
  if (person.by === 'id' && person.issuer !== undefined)
    await holdEnd(db, signalled, namesOfEnd({ protocol: 'oidc', issuer: person.issuer, sid: undefined, sub: person.id }))
  const held = await nameToHold(db, signalled)
  if (held !== undefined) await holdSignalled(db, tenant, signalled.connectionId, held)
  const found = await find(db, signalled, person)
  if (!Array.isArray(found)) return takeFromNamesakes(db, signalled, found, held)
  const { reason, now, requestId, toldAt, deactivate, newId } = signalled
  const taking = { tenant, source: 'signal', target: 'subject', reason, now, requestId, toldAt, deactivate } as const
  for (const targetId of found) await deprovision(db, { ...taking, eventId: newId() as DeprovisioningEventId, targetId })
  return { outcome: 'done', isMass: await countTowardsAlarm(db, signalled), alarmsNamesakes: false }
}

/** Nobody is meant for sure. Those who may be are ended whether or not there is room for whoever comes later. */
async function takeFromNamesakes(
  db: Db,
  signalled: Signalled,
  { outcome, namesakes }: NotFound,
  held: string | undefined,
): Promise<TakenAway> {
  const { tenant, reason, now, requestId, newId } = signalled
  const [source, named] = ['signal', nameOf(signalled)] as const
  const alarmsNamesakes = namesakes.length > 0 && (await endNamesakes(db, namesakes, { ...signalled, source, named, isNews: true }))
  if (held !== undefined && !(await keepForLater(db, signalled, held))) return { outcome: 'full', isMass: false, alarmsNamesakes }
  await recordUnmatchedEvent(db, { tenant, source, reason, now, requestId, eventId: newId() as DeprovisioningEventId, targetId: named })
  return { outcome, isMass: false, alarmsNamesakes }
}

/** Under which name whoever comes later meets it: her id, or her address where the connection may speak of it. */
async function nameToHold(db: Db, { tenant, connectionId, person }: Signalled): Promise<string | undefined> {
  if (person.by === 'id') return person.id
  if (person.by === 'nobody') return undefined
  const { rowCount } = await db.query(`SELECT 1 WHERE ${isProven('$3')}`, [tenant, connectionId, person.address.domain])
  return rowCount > 0 ? heldAddress(person.address) : undefined
}

/** SQL: the tenant holds a live proof of the domain, for this connection or for all. */
const isProven = (domain: string): string => `EXISTS (
       SELECT 1 FROM domains d WHERE d.tenant_id = $1 AND d.domain = ${domain} AND d.verified_at IS NOT NULL AND (d.connection_id IS NULL OR d.connection_id = $2))`

/** Whoever comes under this id later meets it: it is an alarm for the admin, and never a silent success. */
const keepForLater = (db: Db, { tenant, connectionId, reason, deactivate, now, newId }: Signalled, stableId: string): Promise<boolean> =>
  keepUnmatchedSignal(db, tenant, { id: newId(), connectionId, stableId, reason, deactivates: deactivate, saidAt: now })

/** Last of all, so that whoever holds the row of the connection waits for nobody's. True once a window, when the limit is reached. */
async function countTowardsAlarm(db: Db, { tenant, connectionId, now }: Signalled): Promise<boolean> {
  const { rows } = await db.query<{ people: number }>(
    `INSERT INTO signal_windows AS w (tenant_id, connection_id, began_at, people) VALUES ($1, $2, $3, 1)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE SET
       people = CASE WHEN w.began_at > $4 THEN w.people + 1 ELSE 1 END, began_at = CASE WHEN w.began_at > $4 THEN w.began_at ELSE $3 END
     RETURNING people`,
    [tenant, connectionId, toTimestamp(now), toTimestamp(addSeconds(now, -signalLimits.massWindowSeconds))],
  )
  return rows[0]?.people === signalLimits.massPeople
}

type Alarm = Pick<Signalled, 'tenant' | 'connectionId' | 'now' | 'requestId'>

/** What is to be told of what was taken away. Where `alarm` may stand, and nowhere before. */
export async function alarmTaken(
  db: Db,
  at: Alarm,
  { isMass, alarmsNamesakes }: Pick<TakenAway, 'isMass' | 'alarmsNamesakes'>,
): Promise<void> {
  if (alarmsNamesakes) await announceNamesakes(db, at)
  if (isMass) await alarm(db, at, 'connection.mass_revocation', { people: signalLimits.massPeople })
}

/**
 * In the trail, and to the contacts of the tenant. Behind everything else of its transaction: mails that gather are held from here on, and whoever else
 * tells of a stream holds its row before it waits for them (`signal-streams`).
 */
export async function alarm(
  db: Db,
  { tenant, connectionId, now, requestId }: Alarm,
  kind: 'connection.mass_revocation' | 'connection.signal_alarm',
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  await insertAuditEvent(db, tenant, { at: now, kind, connectionId, detail, requestId })
  await announce(db, tenant, { at: now, kind, about: undefined, by: undefined }, { connectionId })
}

/** What the alarm calls her. */
export const nameOf = ({ connectionId, person }: Pick<Signalled, 'connectionId' | 'person'>): string =>
  person.by === 'nobody'
    ? `signal:${connectionId}:${person.named}`
    : `signal:${connectionId}:${person.by === 'id' ? person.id : person.address.key}`

/** Those who are meant; or nobody, and who else may be. */
type Found = SubjectId[] | NotFound
type NotFound = { readonly outcome: 'unknown' | 'ambiguous'; readonly namesakes: readonly SubjectId[] }
const unknown: NotFound = { outcome: 'unknown', namesakes: [] }
type Row = { readonly id: SubjectId; readonly is_living: boolean }

function find(db: Db, signalled: Signalled, person: NamedPerson): Promise<Found> {
  if (person.by === 'nobody') return Promise.resolve(unknown)
  return person.by === 'id' ? findById(db, signalled, person) : findByAddress(db, signalled, person.address)
}

type ById = Extract<NamedPerson, { readonly by: 'id' }>

/**
 * By the stable id, or by the id that the connection's directory gave the user that she is: where the stable id is an address, that is how the
 * IdP names her. Both may be hers, and whoever is named is meant. In one order, so that two signals do not wait for each other.
 */
async function findById(db: Db, signalled: Signalled, { id, link }: ById): Promise<Found> {
  const { tenant, connectionId } = signalled
  const { rows } = await db.query<Row>(
    `SELECT id FROM subjects WHERE tenant_id = $1 AND connection_id = $2 AND stable_id = $3
     UNION
     SELECT s.id FROM scim_users u JOIN subjects s ON s.tenant_id = $1 AND s.scim_user_id = u.id AND s.connection_id = $2
     WHERE u.tenant_id = $1 AND u.connection_id = $2 AND u.external_id = $3 ORDER BY id`,
    [tenant, connectionId, id],
  )
  return rows.length === 0 ? findUnlinked(db, { tenant, connectionId, link }, id) : rows.map((row) => row.id)
}

/**
 * Whoever signed in before her directory told of her, and has not since: what she recorded says which user of that id she is. A signal links
 * nobody, and among several it chooses nobody: what they hold ends, and they sign in anew.
 */
async function findUnlinked(db: Db, at: Parameters<typeof findByRecordedKey>[1], id: string): Promise<Found> {
  const { rows } = await db.query<KeyedUser>(
    `SELECT user_name AS "userName", external_id AS "externalId" FROM scim_users WHERE tenant_id = $1 AND connection_id = $2 AND external_id = $3
     ORDER BY deleted_at IS NOT NULL, id LIMIT 1`,
    [at.tenant, at.connectionId, id],
  )
  // Where her key is the very id, nobody need have told of her for it to name her.
  const named: KeyedUser | undefined = rows[0] ?? (at.link?.scim === 'externalId' ? { userName: '', externalId: id } : undefined)
  const found = named === undefined ? [] : await findByRecordedKey(db, at, named)
  return found.length === 0 ? unknown : found.length === 1 ? [...found] : { outcome: 'ambiguous', namesakes: found }
}

/**
 * An address names somebody only where the tenant holds a live proof of its domain for this connection, and exactly one living person of the
 * connection has it: whoever was deactivated has nothing left that could be meant.
 */
async function findByAddress(db: Db, { tenant, connectionId }: Signalled, { key, domain }: EmailAddress): Promise<Found> {
  const { rows } = await db.query<Row>(
    `SELECT s.id, s.deactivated_at IS NULL AS is_living FROM subjects s
     WHERE s.tenant_id = $1 AND s.connection_id = $2 AND s.email_key = $3 AND ${isProven('$4')}
     ORDER BY is_living DESC, s.id LIMIT 2`,
    [tenant, connectionId, key, domain],
  )
  const [first, second] = rows
  if (first === undefined) return unknown
  return second?.is_living === true || (second !== undefined && !first.is_living) ? { outcome: 'ambiguous', namesakes: [] } : [first.id]
}

/** What came of a signal that takes nothing away. */
export const heardNothing = { outcome: 'nothing', isMass: false, alarmsNamesakes: false } as const

export type RecordedSignal = { readonly event: string; readonly outcome: SignalOutcome | 'nothing' }

/** The line of the trail on what was accepted, whatever it did. */
export async function recordSignal(db: Db, at: Alarm, { event, outcome }: RecordedSignal): Promise<void> {
  const { tenant, connectionId, now, requestId } = at
  await insertAuditEvent(db, tenant, { at: now, kind: 'signal.received', connectionId, detail: { event, outcome }, requestId })
}
