/**
 * What a Global Token Revocation was answered, for the IdP that sends it again because the answer was lost on its way.
 *
 * Kept under the id of the JWT and the person together, in the transaction of what was done: an answer is found once that has happened, and the JWT with anybody
 * else in its body finds none. It is forgotten with the id of the JWT, which is refused for its age alone by then.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { believeOnceHere, hashOfId, type Replay } from './replays.js'
import { type NamedPerson, nameOf, type SignalOutcome } from './signals.js'
import type { Db } from './transaction.js'

export type AskedRevocation = {
  readonly connectionId: ConnectionId
  /** The id of the JWT, once for each connection. */
  readonly id: string
  readonly person: NamedPerson
  readonly until: Instant
}
const outcomes = ['done', 'unknown', 'ambiguous'] as const satisfies readonly SignalOutcome[]
/** What is to be sent again is no answer. */
export type AnsweredRevocation = (typeof outcomes)[number]

const kind = 'global_token_revocation' satisfies Replay['kind']

/** How she was named is hers, too: an id that looks like an address is another person's than the address. */
const idOf = ({ connectionId, id, person }: AskedRevocation, outcome: AnsweredRevocation): string =>
  JSON.stringify(['answered', id, person.by, nameOf({ connectionId, person }), outcome])

export async function rememberAnswer(db: Db, tenant: TenantId, asked: AskedRevocation, outcome: AnsweredRevocation): Promise<void> {
  await believeOnceHere(db, tenant, { scopeId: asked.connectionId, kind, id: idOf(asked, outcome), expiresAt: asked.until })
}

/** Whoever asks has found the id of the JWT taken, so whatever was done with it has been committed. `undefined`: nothing was, for this person. */
export async function findAnswer(db: Db, tenant: TenantId, asked: AskedRevocation): Promise<AnsweredRevocation | undefined> {
  const hashes = outcomes.map((outcome) => hashOfId(idOf(asked, outcome)))
  const { rows } = await db.query<{ hash: Buffer }>(
    'SELECT id_hash AS hash FROM replays WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND id_hash = ANY ($4::bytea[])',
    [tenant, asked.connectionId, kind, hashes],
  )
  return outcomes.find((_, index) => rows.some(({ hash }) => hashes[index]?.equals(hash)))
}
