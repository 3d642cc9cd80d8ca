/** POST /device_authorization: a device that has no browser asks for access, and gets a code for itself and one for a person. */
import { addSeconds } from '@drawbridge/core/instant'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import {
  acceptDeviceRequest,
  type DeviceAuthorizationRequest,
  deviceCodePrefix,
  deviceCodeTtlSeconds,
  deviceIntervalSeconds,
  toPendingDeviceRequest,
} from '@drawbridge/core/oauth/device-code'
import { formatUserCode } from '@drawbridge/core/oauth/user-code'
import { scopesTold } from '@drawbridge/core/oauth/userinfo'
import { err, ok } from '@drawbridge/core/result'
import type { DeviceCodeId } from '@drawbridge/core/tenant/ids'
import { hashCredential, sha256Base64url } from '@drawbridge/crypto/hash'
import { drawUserCode, hashUserCode } from '@drawbridge/crypto/user-code'
import { insertDeviceCode } from '@drawbridge/store/device-codes'
import { onHotPath } from '@drawbridge/store/transaction'
import { type Acted, asProvenClient, callerOf, ifUnchanged } from '../clients/as-proven-client.js'
import { readClientClaim } from '../clients/client-authentication.js'
import { limitOfClient } from '../clients/client-limit.js'
import { findShut } from '../clients/find-shut.js'
import { noteClientAsked } from '../clients/note-client-asked.js'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { refuseForm } from './refuse.js'

/** Drawing a code that somebody has is one in millions; so many in a row are a broken source of chance. */
const mostDraws = 4

/** Until one of the open codes is likely to be over. */
const fullRetrySeconds = 60

type Asking = { readonly http: HttpRequest; readonly client: ProvenClient; readonly form: Readonly<Record<string, string>> }

/** @spec RFC 8628 §3.1 request, §3.2 response; RFC 8707 §2 resource */
export const deviceAuthorizationEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/device_authorization',
  spec: 'RFC 8628 §3.1',
  summary: 'A device asks for a code that a person types elsewhere; only where the tenant lets devices ask.',
  cors: true,
  tag: 'OAuth',
  omitsEmpty: true,
  rateLimit: 'device_authorization',
  tenantLimit: 'tenant_device_authorization',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    if (!http.form.ok) return refuseForm(http.form.error)
    if (!tenant.deviceGrant) return refuse({ reason: 'device_grant_off' })
    const form = http.form.value
    const claim = readClientClaim(deps, http, form, tenant, 'authorize')
    if (!claim.ok) return refuse(claim.error)
    const answer = await asProvenClient(deps, claim.value, (client) => answerDevice(deps, { http, client, form }))
    return answer.ok ? answer.value : refuse(answer.error)
  },
})

async function answerDevice(deps: BrokerDeps, asking: Asking): Promise<Acted<Answer>> {
  const { http, client, form } = asking
  const tenant = tenantOf(http)
  const limited = limitOfClient(http, client)
  if (limited) return ok(limited)
  const shut = findShut(tenant, client)
  if (shut?.reason === 'registration_not_approved') await noteClientAsked(deps, client)
  if (shut) return ifUnchanged(deps, client, err(shut))
  const accepted = acceptDeviceRequest(client, form, { resources: tenant.resources, told: scopesTold(tenant.toldOfPeople) })
  if (!accepted.ok) return ifUnchanged(deps, client, ok(refuse(accepted.error)))
  for (let draw = 0; draw < mostDraws; draw += 1) {
    const answer = await openDeviceCode(deps, asking, accepted.value)
    if (answer !== 'user_code_taken') return answer
  }
  return err({ reason: 'decision_unsettled' })
}

async function openDeviceCode(
  deps: BrokerDeps,
  { http, client }: Asking,
  request: DeviceAuthorizationRequest,
): Promise<Acted<Answer> | 'user_code_taken'> {
  const tenant = tenantOf(http)
  const now = deps.clock.now()
  const deviceCode = `${deviceCodePrefix}${deps.random.token()}`
  const userCode = drawUserCode(deps.random)
  const id = deps.random.uuid() as DeviceCodeId
  const inserted = await insertDeviceCode(onHotPath(deps.database), tenant.id, {
    id,
    caller: callerOf(client),
    deviceCodeHash: hashCredential(deviceCode),
    userCodeHash: hashUserCode(deps.sealer, tenant.id, userCode)[0],
    request: toPendingDeviceRequest(request, { deviceCodeId: id, codeChallenge: sha256Base64url(deviceCode) }),
    address: http.address,
    country: http.country,
    now,
    expiresAt: addSeconds(now, deviceCodeTtlSeconds),
  })
  if (inserted === 'user_code_taken' || inserted === 'client_changed') return inserted
  if (inserted === 'open_device_codes_full') return err({ reason: inserted, detail: { retryAfterSeconds: fullRetrySeconds } })
  if (inserted === 'device_grant_off') return err({ reason: inserted })
  return ok(deviceAuthorization(tenant.issuer.url, deviceCode, formatUserCode(userCode)))
}

/** @spec RFC 8628 §3.2 */
const deviceAuthorization = (issuer: string, deviceCode: string, userCode: string): Answer =>
  json(
    {
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: `${issuer}/device`,
      verification_uri_complete: `${issuer}/device?user_code=${userCode}`,
      expires_in: deviceCodeTtlSeconds,
      interval: deviceIntervalSeconds,
    },
    { headers: { 'cache-control': 'no-store', pragma: 'no-cache' } },
  )
