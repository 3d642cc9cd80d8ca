/** The claims of access tokens and ID tokens. Pure: signing is the business of `crypto/jwt`. */
import { type Instant, toSeconds } from '../instant.js'
import { type Epochs, formatEpochs } from '../revocation/epochs.js'
import type { ClientId, GrantId, Issuer, TenantSlug } from '../tenant/ids.js'
import { type Actor, type Ancestor, buildActor } from './actor.js'
import type { KeyThumbprint } from './dpop-proof.js'
import { withinGrant } from './grant.js'

export const accessTokenType = 'at+jwt'
export const idTokenTtlSeconds = 300

/** What the issuing statement returned: the token says exactly this, so that what was true in the statement is what is signed. */
export type Issuance = {
  readonly grantId: GrantId
  readonly clientId: ClientId
  /** The person, or the client that acts in its own name. */
  readonly subject: string
  readonly audience: string
  readonly scopes: readonly string[]
  readonly epochs: Epochs
  readonly sessionId: string | undefined
  /** The connection that the person signed in through: a guard measures the connection's epoch only against tokens that came by it. */
  readonly connectionId: string | undefined
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  readonly accessTokenTtlSeconds: number
  readonly grantExpiresAt: Instant
  /** The latest barrier of tenant, client, connection and subject. */
  readonly barrierAt: Instant | undefined
  /** The key that the token is bound to. Absent: whoever bears it may use it. */
  readonly confirmation?: KeyThumbprint | undefined
  /** The grants that its grant was opened from by an exchange, the nearest first. Absent: nobody acts for anybody. */
  readonly ancestors?: readonly Ancestor[] | undefined
}

export type IssuedBy = {
  readonly issuer: Issuer
  readonly tenant: TenantSlug
  readonly jti: string
  /** The front issuer speaks for many tenants: its ID tokens say for which, too, and its tokens name clients with the tenant. */
  readonly isFront?: boolean | undefined
}

export type AccessTokenClaims = {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: string
  readonly scope: string
  readonly tenant: string
  readonly gid: string
  readonly epochs: string
  readonly sid?: string
  readonly connection?: string
  readonly auth_time?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly cnf?: { readonly jkt: string }
  readonly act?: Actor
  /** Of each ancestor what its barrier is compared with: `epochs` holds those of its grant and its client, which are all that are not this token's own. */
  readonly parents?: readonly { readonly gid: string; readonly client_id: string; readonly epochs: string }[]
}

/**
 * Builds the claims of an access token.
 *
 * Receivers that compare times cut at whole seconds (`iat <= cut` is dead), so the first token after a barrier is dated one
 * second after it even when it is made in the same second.
 *
 * @spec RFC 9068 §2.2
 * @spec RFC 9449 §6.1 cnf.jkt
 * @spec RFC 8693 §4.1 act
 */
export function buildAccessTokenClaims(issuance: Issuance, by: IssuedBy, now: Instant): AccessTokenClaims {
  return {
    iss: by.issuer,
    sub: issuance.subject,
    aud: issuance.audience,
    exp: accessTokenExpiry(issuance, now),
    iat: issuedAt(now, issuance.barrierAt),
    jti: by.jti,
    client_id: issuance.clientId,
    scope: issuance.scopes.join(' '),
    tenant: by.tenant,
    gid: issuance.grantId,
    epochs: formatEpochs(issuance.epochs),
    ...(issuance.sessionId === undefined ? {} : { sid: issuance.sessionId }),
    ...(issuance.connectionId === undefined ? {} : { connection: issuance.connectionId }),
    ...authentication(issuance),
    ...(issuance.confirmation === undefined ? {} : { cnf: { jkt: issuance.confirmation } }),
    ...delegation(issuance, by),
  }
}

function delegation({ clientId, ancestors, epochs }: Issuance, by: IssuedBy): Pick<AccessTokenClaims, 'act' | 'parents'> {
  if (ancestors === undefined || ancestors.length === 0) return {}
  const parents = ancestors.map(({ grantId, clientId: client, grantEpoch, clientEpoch }) => ({
    gid: grantId,
    client_id: client,
    epochs: formatEpochs({ ...epochs, client: clientEpoch, grant: grantEpoch }),
  }))
  return { act: buildActor(clientId, ancestors, by), parents }
}

/** Rounded down to the second: a token never outlives its grant by a fraction. */
export const accessTokenExpiry = (issuance: Pick<Issuance, 'accessTokenTtlSeconds' | 'grantExpiresAt'>, now: Instant): number =>
  toSeconds(withinGrant(now, issuance.accessTokenTtlSeconds, issuance.grantExpiresAt))

export const issuedAt = (now: Instant, barrierAt: Instant | undefined): number =>
  barrierAt === undefined ? toSeconds(now) : Math.max(toSeconds(now), toSeconds(barrierAt) + 1)

/**
 * Builds the claims of an ID token, when the scope `openid` was granted. It says which grant it came with, so that who exchanges it is asked about that.
 *
 * `subject`: by which the client knows the person, which is not always what resource servers are told.
 *
 * @spec OpenID Connect Core §2, §3.1.3.6 at_hash, §8 subject identifier types
 */
export function buildIdTokenClaims(
  issuance: Issuance,
  by: IssuedBy,
  told: { nonce: string | undefined; subject: string; accessTokenHash: string; now: Instant },
) {
  const iat = issuedAt(told.now, issuance.barrierAt)
  return {
    iss: by.issuer,
    sub: told.subject,
    aud: issuance.clientId,
    exp: toSeconds(withinGrant(told.now, idTokenTtlSeconds, issuance.grantExpiresAt)),
    iat,
    at_hash: told.accessTokenHash,
    gid: issuance.grantId,
    epochs: formatEpochs(issuance.epochs),
    ...(by.isFront === true ? { tenant: by.tenant } : {}),
    ...(told.nonce === undefined ? {} : { nonce: told.nonce }),
    ...(issuance.sessionId === undefined ? {} : { sid: issuance.sessionId }),
    ...authentication(issuance),
  }
}

function authentication(issuance: Issuance) {
  return {
    ...(issuance.authenticatedAt === undefined ? {} : { auth_time: toSeconds(issuance.authenticatedAt) }),
    ...(issuance.acr === undefined ? {} : { acr: issuance.acr }),
    ...(issuance.amr.length === 0 ? {} : { amr: issuance.amr }),
  }
}
