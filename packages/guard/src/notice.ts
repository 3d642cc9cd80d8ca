/**
 * Reads one notice: a signed security event token that takes something away. Three events are known: CAEP's session-revoked and
 * token-claims-change, which raise a barrier, and our own signing-key-condemned, for which neither CAEP nor RISC has an event.
 *
 * @spec RFC 8417 §2
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { type Barrier, type BarrierTarget, barrierTargets } from './barriers.js'
import { err, ok, type Result } from './refusal.js'
import { type TrustedIssuer, tenantSpokenFor } from './trusted-issuer.js'
import { signatureAlgorithms } from './usable-keys.js'
import { clockSkewSeconds, refusalOf } from './verify-access-token.js'

/** Codes of RFC 8935 §2.4, and one that is none: whether the notice is true cannot be said at this moment. */
export type NoticeRefusal = 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience' | 'keys_unreachable'
/** What is taken away: everything below a barrier, or everything that one key signed. */
export type Told = { readonly barrier: Barrier } | { readonly condemnedKey: string }
export type Notice = { readonly jti: string; readonly told: Told }

export const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
/** Older tokens of a grant claim what it has no longer. They die, and whoever has them gets narrower ones by a refresh. */
export const tokenClaimsChange = 'https://schemas.openid.net/secevent/caep/event-type/token-claims-change'
export const signingKeyCondemned = 'urn:drawbridge:event:signing-key-condemned'
/** Longer than any notice that Drawbridge signs. */
export const maxNoticeCharacters = 8192
/** Longer than any key id; ours are SHA-256 thumbprints. */
export const maxKeyIdCharacters = 200

/** A stream speaks for the issuer at which it was opened, and for no other. */
export type NoticeDeps = { readonly issuer: TrustedIssuer; readonly resource: string }

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads `{target, targetId, epoch, tenant}`. A tenant's barrier is filed under the tenant's name, which is what tokens carry. Of an issuer of one tenant that
 * need not be said; the front issuer says it always.
 */
export function parseBarrier(value: unknown, issuer: TrustedIssuer): Barrier | undefined {
  if (!isRecord(value)) return undefined
  const tenant = tenantSpokenFor(issuer, value['tenant'] ?? issuer.tenant)
  if (tenant === undefined) return undefined
  const { target, targetId, epoch } = value
  if (!barrierTargets.includes(target as BarrierTarget) || typeof targetId !== 'string' || targetId === '') return undefined
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 1) return undefined
  const id = target === 'tenant' ? tenant : targetId
  return { issuer: issuer.issuer, tenant, target: target as BarrierTarget, targetId: id, epoch }
}

export const parseKeyId = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= maxKeyIdCharacters ? value : undefined

function parseTold(payload: JWTPayload, issuer: TrustedIssuer): Told | undefined {
  const { events, drawbridge: ours } = payload
  if (!isRecord(events) || !isRecord(ours) || tenantSpokenFor(issuer, ours['tenant']) === undefined) return undefined
  if (Object.hasOwn(events, sessionRevoked) || Object.hasOwn(events, tokenClaimsChange)) {
    const barrier = parseBarrier(ours, issuer)
    return barrier && { barrier }
  }
  const condemnation = Object.hasOwn(events, signingKeyCondemned) ? events[signingKeyCondemned] : undefined
  const condemnedKey = isRecord(condemnation) ? parseKeyId(condemnation['kid']) : undefined
  return condemnedKey === undefined ? undefined : { condemnedKey }
}

async function verifyNotice(
  { issuer: url, noticeKeys }: TrustedIssuer,
  token: string,
): Promise<Result<JWTPayload, 'invalid_key' | 'keys_unreachable'>> {
  try {
    const { kid } = decodeProtectedHeader(token)
    if (kid === undefined) return err('invalid_key')
    // A SET has no expiry (RFC 8417 §2.2), so no claim is compared with the clock here.
    const options = { algorithms: signatureAlgorithms, typ: 'secevent+jwt', issuer: url, requiredClaims: ['iat', 'jti', 'events'] }
    const { payload } = await jwtVerify(token, noticeKeys.find, options)
    return noticeKeys.isCondemned(kid) ? err('invalid_key') : ok(payload)
  } catch (error) {
    return err(refusalOf(error) === 'issuer_unreachable' ? 'keys_unreachable' : 'invalid_key')
  }
}

/**
 * Verifies one notice: the stream's own issuer, its keys for notices, each by its own algorithm, `typ` secevent+jwt, `aud` exactly this resource, and an event
 * that we know.
 *
 * An access token or any other signed message of the same issuer is refused by its key and by `typ`; a true notice of another trusted issuer
 * by its issuer.
 *
 * @spec RFC 8417 §2.2, §4.5
 * @spec RFC 8935 §2.4 error codes
 */
export async function readNotice(deps: NoticeDeps, token: unknown, nowSeconds: number): Promise<Result<Notice, NoticeRefusal>> {
  if (typeof token !== 'string' || token.length > maxNoticeCharacters) return err('invalid_request')
  let claimed: unknown
  try {
    claimed = decodeJwt(token).iss
  } catch {
    return err('invalid_request')
  }
  if (claimed !== deps.issuer.issuer) return err('invalid_issuer')
  const verified = await verifyNotice(deps.issuer, token)
  if (!verified.ok) return verified
  const { value: payload } = verified
  const audience = Array.isArray(payload.aud) && payload.aud.length === 1 ? payload.aud[0] : payload.aud
  if (audience !== deps.resource) return err('invalid_audience')
  if ((payload.iat ?? 0) > nowSeconds + clockSkewSeconds) return err('invalid_request')
  const told = parseTold(payload, deps.issuer)
  if (told === undefined || typeof payload.jti !== 'string' || payload.jti === '') return err('invalid_request')
  return ok({ jti: payload.jti, told })
}
