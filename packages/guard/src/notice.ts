/** Reads one revocation notice: a signed security event token that takes something away. @spec RFC 8417 §2, CAEP session-revoked */
import { decodeJwt, type JWTPayload, jwtVerify } from 'jose'
import { type Barrier, type BarrierTarget, barrierTargets } from './barriers.js'
import { err, ok, type Result } from './refusal.js'
import type { TrustedIssuer } from './trusted-issuer.js'
import { clockSkewSeconds } from './verify-access-token.js'

export type NoticeRefusal = 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience'
export type Notice = { readonly jti: string; readonly barrier: Barrier }

export const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
/** Longer than any notice that Drawbridge signs. */
export const maxNoticeCharacters = 8192

export type NoticeDeps = { readonly issuers: ReadonlyMap<string, TrustedIssuer>; readonly resource: string }

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads `{target, targetId, epoch}`. A tenant's barrier is filed under the tenant's name, which is what tokens carry. */
export function parseBarrier(value: unknown, issuer: TrustedIssuer): Barrier | undefined {
  if (!isRecord(value)) return undefined
  const { target, targetId, epoch } = value
  if (!barrierTargets.includes(target as BarrierTarget) || typeof targetId !== 'string' || targetId === '') return undefined
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 1) return undefined
  const id = target === 'tenant' ? issuer.tenant : targetId
  return { issuer: issuer.issuer, target: target as BarrierTarget, targetId: id, epoch }
}

async function verifyNotice(issuer: TrustedIssuer, token: string): Promise<JWTPayload | undefined> {
  try {
    // A SET has no expiry (RFC 8417 §2.2), so no claim is compared with the clock here.
    const options = { algorithms: ['ES256'], typ: 'secevent+jwt', issuer: issuer.issuer, requiredClaims: ['iat', 'jti', 'events'] }
    return (await jwtVerify(token, issuer.keys, options)).payload
  } catch {
    return undefined
  }
}

/**
 * Verifies one notice: exact issuer, its key, ES256, `typ` secevent+jwt, `aud` exactly this resource, and the event that we know.
 *
 * An access token or any other signed message of the same issuer is refused by `typ`.
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
  const issuer = typeof claimed === 'string' ? deps.issuers.get(claimed) : undefined
  if (issuer === undefined) return err('invalid_issuer')
  const payload = await verifyNotice(issuer, token)
  if (payload === undefined) return err('invalid_key')
  const audience = Array.isArray(payload.aud) && payload.aud.length === 1 ? payload.aud[0] : payload.aud
  if (audience !== deps.resource) return err('invalid_audience')
  if ((payload.iat ?? 0) > nowSeconds + clockSkewSeconds) return err('invalid_request')
  const ours = payload['drawbridge']
  if (!isRecord(payload['events']) || !Object.hasOwn(payload['events'], sessionRevoked) || !isRecord(ours)) return err('invalid_request')
  const barrier = ours['tenant'] === issuer.tenant ? parseBarrier(ours, issuer) : undefined
  if (barrier === undefined || typeof payload.jti !== 'string' || payload.jti === '') return err('invalid_request')
  return ok({ jti: payload.jti, barrier })
}
