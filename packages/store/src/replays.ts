/**
 * Ids of messages already believed: each (connection or issuer, kind, id) is believed once.
 * Where a hot statement acts on the message it believes it, too, by `believedCte`: one statement, and nothing is used up unless it succeeds.
 */
import { createHash } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type Replay = {
  /** The party whose ids these are: a connection, or our issuer for client assertions. */
  readonly scopeId: string
  readonly kind:
    | 'saml_assertion'
    | 'saml_response'
    | 'oidc_id_token'
    | 'oidc_logout_token'
    | 'saml_logout_request'
    | 'global_token_revocation'
    | 'security_event_token'
    | 'client_assertion'
    | 'assertion_grant'
    | 'saml_assertion_grant'
    | 'dpop_proof'
  readonly id: string
  readonly expiresAt: Instant
}

/** Ids come from strangers and have any length; their hash has 32 bytes. */
export const hashOfId = (id: string): Buffer => createHash('sha256').update(id, 'utf8').digest()

const insertText = `INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant_id, connection_id, kind, id_hash) DO NOTHING`
const insertStatement = hotStatement({ name: 'insert_replay', tenantParameter: 1, text: insertText })
const parametersOf = (tenant: TenantId, { scopeId, kind, id, expiresAt }: Replay) => [
  tenant,
  scopeId,
  kind,
  hashOfId(id),
  toTimestamp(expiresAt),
]

/** Of any number of callers with the same id exactly one gets `true`. Call it only after the signature has been verified. */
export async function believeOnce(hot: HotDb, tenant: TenantId, replay: Replay): Promise<boolean> {
  return (await hot.query(insertStatement, parametersOf(tenant, replay))).rowCount === 1
}

/** The same in the transaction of what the message brings about: if that fails, the message may be sent again. */
export async function believeOnceHere(db: Db, tenant: TenantId, replay: Replay): Promise<boolean> {
  return (await db.query(insertText, parametersOf(tenant, replay))).rowCount === 1
}

/** In the same transaction: nothing came of it after all, and it may be sent again. */
export async function forgetBelieved(db: Db, tenant: TenantId, { scopeId, kind, id }: Replay): Promise<void> {
  await db.query('DELETE FROM replays WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND id_hash = $4', [
    ...[tenant, scopeId, kind, hashOfId(id)],
  ])
}

/** By the key, too: two keys may have the same `jti`. */
const idOfProof = ({ thumbprint, jti }: ProvenKey): string => JSON.stringify([thumbprint, jti])

/** A DPoP proof that came with an access token: of any number of requests with it, at whichever process and endpoint of the issuer, one gets `true`. */
export const believeProofOnce = (hot: HotDb, tenant: TenantId, issuer: IssuerId, key: ProvenKey): Promise<boolean> =>
  believeOnce(hot, tenant, { scopeId: issuer, kind: 'dpop_proof', id: idOfProof(key), expiresAt: key.rememberUntil })

/** The parameters of `believedCte`; all null without a proof, and then it does nothing. */
export const proofParameters = (key: ProvenKey | undefined): readonly unknown[] =>
  key === undefined ? [null, null] : [hashOfId(idOfProof(key)), toTimestamp(key.rememberUntil)]

/**
 * A CTE for a hot statement that acts on a DPoP proof: `believed` has a row if `when` selects one, and if nobody has used the proof before. Of twins
 * with one proof all but one find none, whichever process they came to. `first` is the number of the first of its two parameters.
 */
export function believedCte({ first, issuer, when }: { readonly first: number; readonly issuer: string; readonly when: string }) {
  const [idHash, expiresAt] = [`$${first}::bytea`, `$${first + 1}::timestamptz`]
  return {
    cte: `believed AS (
    INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at)
    SELECT $1, ${issuer}, 'dpop_proof', ${idHash}, ${expiresAt} WHERE ${idHash} IS NOT NULL AND EXISTS (${when})
    ON CONFLICT (tenant_id, connection_id, kind, id_hash) DO NOTHING RETURNING id_hash)`,
    /** Condition: there is no proof to be believed, or it was believed here. */
    holds: `(${idHash} IS NULL OR EXISTS (SELECT 1 FROM believed))`,
  }
}
