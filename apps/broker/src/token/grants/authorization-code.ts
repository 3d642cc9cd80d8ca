/** Grant type authorization_code: a code becomes the first tokens of its grant. One statement. */
import { codePrefix } from '@drawbridge/core/oauth/authorization-code'
import { formatRefreshToken, type TokenFamilyId } from '@drawbridge/core/oauth/refresh-token'
import type { CodeRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { hashCredential, sha256Base64url } from '@drawbridge/crypto/hash'
import { redeemCode } from '@drawbridge/store/authorization-codes'
import { onHotPath } from '@drawbridge/store/transaction'
import type { Exchange } from '../exchange.js'
import { issueTokens } from '../issue-tokens.js'

/** @spec RFC 6749 §4.1.3, RFC 7636 §4.5, OpenID Connect Core §3.1.3.3 */
export const exchangeCode: Exchange<CodeRequest> = async (deps, { tenant, client, http, now }, request) => {
  if (!request.code.reveal().startsWith(codePrefix)) return err({ reason: 'code_unknown' })
  const refreshToken = new Secret(formatRefreshToken(deps.random.uuid() as TokenFamilyId, deps.random.bytes(32)))
  const redeemed = await redeemCode(onHotPath(deps.database), {
    tenantId: tenant.id,
    codeHash: hashCredential(request.code),
    presented: {
      issuerId: tenant.issuer.id,
      clientId: client.id,
      redirectUri: request.redirectUri,
      codeChallenge: sha256Base64url(request.codeVerifier.reveal()),
      resource: request.resource,
    },
    refreshTokenHash: hashCredential(refreshToken),
    eventId: deps.random.uuid(),
    now,
    asked: { requestId: http.requestId, address: http.address },
  })
  if (!redeemed.ok) return err({ reason: redeemed.error })
  const { grant, nonce, refreshes } = redeemed.value
  return ok(
    await issueTokens(deps, tenant, {
      grant,
      scopes: grant.scopes,
      accessTokenTtlSeconds: grant.access_token_ttl_seconds,
      grantExpiresAt: grant.grant_expires_at,
      refreshToken: refreshes ? refreshToken : undefined,
      ...(grant.scopes.includes('openid') ? { idToken: { nonce } } : {}),
      now,
    }),
  )
}
