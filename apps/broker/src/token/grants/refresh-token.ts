/**
 * Grant type refresh_token: one statement rotates. Only when policy or claims have changed since the grant was decided does policy
 * decide again first, and the statement runs a second time with the new decision.
 */
import { bindsRefreshTokens } from '@drawbridge/core/oauth/dpop-proof'
import { readFamily } from '@drawbridge/core/oauth/refresh-token'
import type { RefreshRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok } from '@drawbridge/core/result'
import { hashCredential } from '@drawbridge/crypto/hash'
import { deriveSuccessor } from '@drawbridge/crypto/refresh-family'
import { type Rotation, rotateRefreshToken } from '@drawbridge/store/refresh-tokens'
import { onHotPath } from '@drawbridge/store/transaction'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import type { Exchange } from '../exchange.js'
import { idTokenOf, issueTokens } from '../issue-tokens.js'
import { issueAsDecidedNow } from '../present-decision.js'

type Rotated = Extract<Rotation, { kind: 'rotated' }>

/** @spec RFC 6749 §6, RFC 9700 §4.14.2, OpenID Connect Core §12 */
export const exchangeRefreshToken: Exchange<RefreshRequest> = async (deps, context, request) => {
  const { tenant, client, provenKey, http, now } = context
  const familyId = readFamily(request.refreshToken.reveal())
  if (familyId === undefined) return ifUnchanged(deps, client, err({ reason: 'refresh_token_unknown' }))
  const resource = tenant.resource(request.resource)?.identifier ?? request.resource
  const keyVersion = deps.sealer.currentVersion
  const successorBy = (version: number) => deriveSuccessor(deps.sealer, { familyId, keyVersion: version }, request.refreshToken)
  const successor = successorBy(keyVersion)
  const held = await issueAsDecidedNow<Rotated>(deps, {
    context,
    scopes: request.scopes,
    issue: (judged) =>
      rotateRefreshToken(onHotPath(deps.database), {
        tenantId: tenant.id,
        tokenHash: hashCredential(request.refreshToken),
        presented: { ...callerOf(client), scopes: request.scopes, resource, provenKey },
        bindsRefreshTokens: bindsRefreshTokens(client),
        successor: { hash: hashCredential(successor), keyVersion },
        ...judged,
        eventId: deps.random.uuid(),
        now,
        asked: { requestId: http.requestId, address: http.address },
      }),
  })
  if (held === 'client_changed' || !held.ok) return held
  const { issued, scopes, accessTokenTtlSeconds } = held.value
  const { grant, successorKeyVersion } = issued
  // Within the grace the successor is the one that the first rotation derived, perhaps by an older key.
  const refreshToken = successorKeyVersion === keyVersion ? successor : successorBy(successorKeyVersion)
  const confirmation = provenKey?.thumbprint
  return ok(
    await issueTokens(deps, tenant, {
      ...{ grant, scopes, accessTokenTtlSeconds, confirmation },
      ...{ grantExpiresAt: grant.ends_at, refreshToken, now },
      ...idTokenOf(grant, client),
    }),
  )
}
