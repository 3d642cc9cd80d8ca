/**
 * Grant type authorization_code: a code becomes the first tokens of its grant. One statement, and a second one where policy or claims have
 * changed in the minute since the code was made.
 */
import { codePrefix } from '@drawbridge/core/oauth/authorization-code'
import { bindsRefreshTokens } from '@drawbridge/core/oauth/dpop-proof'
import { formatRefreshToken, type TokenFamilyId } from '@drawbridge/core/oauth/refresh-token'
import type { CodeRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { hashCredential, sha256Base64url } from '@drawbridge/crypto/hash'
import { type CodeRedemption, redeemCode } from '@drawbridge/store/authorization-codes'
import { onHotPath } from '@drawbridge/store/transaction'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import type { BrokerDeps } from '../../deps.js'
import { frontTenantOf } from '../../http/front.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { idTokenOf, issueTokens, type TokenSet } from '../issue-tokens.js'
import { type Held, issueAsDecidedNow } from '../present-decision.js'

export type Redeemed = Extract<CodeRedemption, { kind: 'redeemed' }>

/** @spec RFC 6749 §4.1.3, RFC 7636 §4.5, OpenID Connect Core §3.1.3.3 */
export const exchangeCode: Exchange<CodeRequest> = async (deps, context, request) => {
  const { tenant, client, provenKey, http, now } = context
  if (!request.code.reveal().startsWith(codePrefix)) return ifUnchanged(deps, client, err({ reason: 'code_unknown' }))
  const refreshToken = new Secret(formatRefreshToken(deps.random.uuid() as TokenFamilyId, deps.random.bytes(32), frontTenantOf(tenant)))
  const held = await issueAsDecidedNow<Redeemed>(deps, {
    context,
    scopes: undefined,
    issue: (judged) =>
      redeemCode(onHotPath(deps.database), {
        tenantId: tenant.id,
        codeHash: hashCredential(request.code),
        presented: {
          ...callerOf(client),
          redirectUri: request.redirectUri,
          codeChallenge: sha256Base64url(request.codeVerifier.reveal()),
          resource: tenant.resource(request.resource)?.identifier ?? request.resource,
          provenKey,
        },
        bindsRefreshTokens: bindsRefreshTokens(client),
        refreshTokenHash: hashCredential(refreshToken),
        ...judged,
        eventId: deps.random.uuid(),
        now,
        asked: { requestId: http.requestId, address: http.address },
      }),
  })
  if (held === 'client_changed' || !held.ok) return held
  return ok(await issueFirstTokens(deps, context, held.value, refreshToken))
}

/** The first tokens of a grant whose code has been redeemed. */
export function issueFirstTokens(
  deps: BrokerDeps,
  { tenant, client, provenKey, now }: ExchangeContext,
  { issued, scopes, accessTokenTtlSeconds }: Held<Redeemed>,
  refreshToken: Secret,
): Promise<TokenSet> {
  const { grant, nonce, refreshes } = issued
  return issueTokens(deps, tenant, {
    grant,
    scopes,
    accessTokenTtlSeconds,
    confirmation: provenKey?.thumbprint,
    grantExpiresAt: grant.ends_at,
    refreshToken: refreshes ? refreshToken : undefined,
    ...idTokenOf(grant, client, nonce),
    now,
  })
}
