/** From what the issuing statement returned to the token response: claims, signature, body. */
import { toldAcr } from '@drawbridge/core/identity/asked-authentication'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import {
  accessTokenType,
  buildAccessTokenClaims,
  buildIdTokenClaims,
  type Issuance,
  type IssuedBy,
} from '@drawbridge/core/oauth/access-token'
import type { Ancestor } from '@drawbridge/core/oauth/actor'
import type { Client } from '@drawbridge/core/oauth/client'
import type { KeyThumbprint } from '@drawbridge/core/oauth/dpop-proof'
import { canBeNamed, machineSubject } from '@drawbridge/core/oauth/machine-subject'
import { accessTokenUrn } from '@drawbridge/core/oauth/token-type'
import { evidenceFor, strengthOf } from '@drawbridge/core/policy/strength'
import type { Secret } from '@drawbridge/core/secret'
import type { ClientId, GrantId } from '@drawbridge/core/tenant/ids'
import { leftHalfHash } from '@drawbridge/crypto/hash'
import { signJwtAside } from '@drawbridge/crypto/jwt'
import { epochsOf, type GrantStateRow } from '@drawbridge/store/grants'
import { namedAt, subjectToldTo } from '../clients/subject-of-client.js'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** @spec RFC 6749 §5.1, RFC 9449 §5 token_type */
export type TokenSet = {
  readonly access_token: string
  /** `N_A`: what was issued is no access token. RFC 8693 §2.2.1 */
  readonly token_type: 'Bearer' | 'DPoP' | 'N_A'
  readonly expires_in: number
  readonly scope: string
  readonly refresh_token?: string
  readonly id_token?: string
  /** Of an exchange: RFC 8693 §2.2.1 */
  readonly issued_token_type?: string
}

export type Issuing = {
  readonly grant: GrantStateRow
  readonly scopes: readonly string[]
  readonly accessTokenTtlSeconds: number
  /** The key that the access token is bound to. */
  readonly confirmation: KeyThumbprint | undefined
  readonly grantExpiresAt: Instant
  readonly refreshToken: Secret | undefined
  /** Present when an ID token belongs to the answer: `idTokenOf`. */
  readonly idToken?: { readonly nonce: string | undefined; readonly client: Pick<Client, 'sectorIdentifier'> }
  /** Where the grant was opened by an exchange: the grants that it comes from, the nearest first. */
  readonly ancestors?: readonly Ancestor[]
  readonly now: Instant
}

/**
 * Where the grant has `openid`, an ID token belongs to the answer at the redemption of its code and at each refresh: it is over after minutes, and
 * clients need one that is not, for an ID-JAG (ADR 121). At a refresh there is no request that could have a `nonce`; everything else in it comes from
 * the grant and the client, as at first.
 *
 * @spec OpenID Connect Core §3.1.3.3, §12.2
 */
export const idTokenOf = (
  { identity_scopes: told }: Pick<GrantStateRow, 'identity_scopes'>,
  client: Pick<Client, 'sectorIdentifier'>,
  nonce?: string,
): Pick<Issuing, 'idToken'> => (told.includes('openid') ? { idToken: { nonce, client } } : {})

/**
 * Signs what was issued, with the keys of the configuration that the statement saw: a key that was withdrawn a moment ago signs nothing.
 */
export async function issueTokens(deps: BrokerDeps, tenant: ResolvedTenant, issuing: Issuing): Promise<TokenSet> {
  const { grant, now } = issuing
  const current = await deps.configuration.atVersion(tenant, grant.configuration_version)
  const key = current.signingKey('tokens')
  const issuance = issuanceOf(issuing, current)
  const by: IssuedBy = { issuer: current.issuer.url, jti: deps.random.uuid(), ...namedAt(current) }
  const claims = buildAccessTokenClaims(issuance, by, now)
  const accessToken = await signJwtAside(key, { typ: accessTokenType }, claims)
  const told = issuing.idToken && {
    nonce: issuing.idToken.nonce,
    subject: await subjectToldTo(deps, current, issuing.idToken.client, issuance.subject),
    accessTokenHash: leftHalfHash(key.algorithm, accessToken),
    now,
  }
  return {
    access_token: accessToken,
    token_type: issuing.confirmation === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - toSeconds(now),
    scope: [...grant.identity_scopes, ...issuing.scopes].join(' '),
    ...(issuing.refreshToken ? { refresh_token: issuing.refreshToken.reveal() } : {}),
    ...(issuing.ancestors ? { issued_token_type: accessTokenUrn } : {}),
    ...(told ? { id_token: await signJwtAside(key, { typ: 'JWT' }, buildIdTokenClaims(issuance, by, told)) } : {}),
  }
}

function issuanceOf(issuing: Issuing, tenant: ResolvedTenant): Issuance {
  const { grant } = issuing
  return {
    grantId: grant.grant_id as GrantId,
    clientId: grant.client_id as ClientId,
    subject: grant.subject_id ?? subjectOfMachine(grant.client_id as ClientId, tenant),
    audience: grant.audience,
    scopes: issuing.scopes,
    epochs: epochsOf(grant),
    sessionId: grant.session_id ?? undefined,
    connectionId: grant.connection_id ?? undefined,
    acr: toldAcrOf(grant, tenant),
    amr: [...new Set([...grant.amr, ...grant.own_methods])],
    authenticatedAt: grant.authenticated_at ?? undefined,
    accessTokenTtlSeconds: issuing.accessTokenTtlSeconds,
    grantExpiresAt: issuing.grantExpiresAt,
    barrierAt: grant.barrier_at ?? undefined,
    confirmation: issuing.confirmation,
    ancestors: issuing.ancestors,
  }
}

/** Whoever opens the grant has refused what could be a person's. @spec RFC 9700 §4.15 */
function subjectOfMachine(client: ClientId, tenant: ResolvedTenant): string {
  const at = namedAt(tenant)
  if (!canBeNamed(client, at)) throw new Error('invariant broken: a client got a grant in its own name whose sub could be a person’s')
  return machineSubject(client, at)
}

/** What the client asked for is told only while the vendor's present rules say that it is proved. */
export function toldAcrOf(grant: GrantStateRow, { policy }: ResolvedTenant): string | undefined {
  const { acr, asked_acr: asked, connection_id: connection } = grant
  if (asked === null || connection === null) return toldAcr(undefined, { acr, strength: 'unknown' })
  const ownFactor = grant.own_proved_at === null ? undefined : { methods: grant.own_methods, provedAt: grant.own_proved_at }
  const authentication = { acr: acr ?? undefined, amr: grant.amr, authenticatedAt: grant.authenticated_at ?? undefined, ownFactor }
  return toldAcr(asked, { acr, strength: strengthOf(evidenceFor('vendor', policy.strength, authentication, connection)) })
}
