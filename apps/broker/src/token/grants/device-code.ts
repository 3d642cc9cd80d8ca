/**
 * Grant type device_code: what a device hears when it polls, and its tokens once a person has said yes. One statement per poll, the redeeming one
 * included, and a second one where policy or claims have changed since the yes.
 */
import { deviceCodePrefix, deviceRedirectUri } from '@drawbridge/core/oauth/device-code'
import { bindsRefreshTokens } from '@drawbridge/core/oauth/dpop-proof'
import { formatRefreshToken, type TokenFamilyId } from '@drawbridge/core/oauth/refresh-token'
import type { DeviceCodeRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashAtTenant, hashCredential, sha256Base64url } from '@drawbridge/crypto/hash'
import { pollDeviceCode } from '@drawbridge/store/device-codes'
import { onHotPath } from '@drawbridge/store/transaction'
import { callerOf, ifUnchanged } from '../../clients/as-proven-client.js'
import { frontTenantOf } from '../../http/front.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import type { Exchange } from '../exchange.js'
import { issueAsDecidedNow } from '../present-decision.js'
import { issueFirstTokens, type Redeemed } from './authorization-code.js'

/** One that was asked for at the front was given before it was known whose it is. */
function deviceCodeHashAt({ issuer, slug }: ResolvedTenant, deviceCode: Secret): CredentialHash {
  const hash = hashCredential(deviceCode)
  return issuer.kind === 'front_member' ? hashAtTenant(hash, slug) : hash
}

/** @spec RFC 8628 §3.4, §3.5 */
export const exchangeDeviceCode: Exchange<DeviceCodeRequest> = async (deps, context, request) => {
  const { tenant, client, provenKey, http, now } = context
  if (!request.deviceCode.reveal().startsWith(deviceCodePrefix)) return ifUnchanged(deps, client, err({ reason: 'device_code_unknown' }))
  const refreshToken = new Secret(formatRefreshToken(deps.random.uuid() as TokenFamilyId, deps.random.bytes(32), frontTenantOf(tenant)))
  let isCounted = false
  const held = await issueAsDecidedNow<Redeemed>(deps, {
    context,
    scopes: undefined,
    issue: async (judged) => {
      const polled = await pollDeviceCode(onHotPath(deps.database), {
        tenantId: tenant.id,
        deviceCodeHash: deviceCodeHashAt(tenant, request.deviceCode),
        presented: {
          ...callerOf(client),
          redirectUri: deviceRedirectUri,
          codeChallenge: sha256Base64url(request.deviceCode.reveal()),
          resource: tenant.resource(request.resource)?.identifier ?? request.resource,
          provenKey,
        },
        bindsRefreshTokens: bindsRefreshTokens(client),
        refreshTokenHash: hashCredential(refreshToken),
        ...judged,
        isCounted,
        eventId: deps.random.uuid(),
        now,
        asked: { requestId: http.requestId, address: http.address },
      })
      isCounted = true
      return polled
    },
  })
  if (held === 'client_changed' || !held.ok) return held
  return ok(await issueFirstTokens(deps, context, held.value, refreshToken))
}
