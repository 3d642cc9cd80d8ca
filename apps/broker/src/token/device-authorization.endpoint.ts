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
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { judgeTenantParameter, tenantParameter } from '@drawbridge/core/oauth/tenant-parameter'
import { formatUserCode } from '@drawbridge/core/oauth/user-code'
import { err, ok, type Result } from '@drawbridge/core/result'
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
import { accessRulesOf } from '../http/access-rules.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseForm } from './refuse.js'

/** Drawing a code that somebody has is one in millions; so many in a row are a broken source of chance. */
const mostDraws = 4

/** Longer than an e-mail address leads to nobody. */
const longestLoginHint = 320

/** Until one of the open codes is likely to be over. */
const fullRetrySeconds = 60

type Asking = {
  readonly http: HttpRequest
  readonly client: ProvenClient
  readonly form: Readonly<Record<string, string>>
  /** At the front issuer: what says whose the person will be, so that she is not asked. */
  readonly loginHint: string | undefined
}

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
    const named = await findNamedTenant(deps, tenant, form[tenantParameter] || undefined)
    if (!named.ok) return refuse(named.error)
    const limited =
      tenant.issuer.kind === 'front' && named.value && http.spend(limitAt(named.value, 'tenant_device_authorization'), named.value.id)
    if (limited) return limited
    const claim = readClientClaim(deps, http, form, tenant, { purpose: 'authorize' })
    if (!claim.ok) return refuse(claim.error)
    const answer = await asProvenClient(deps, claim.value, (client) =>
      answerDevice(deps, { http, client, form, loginHint: named.value?.slug ?? loginHintOf(tenant, form) }),
    )
    return answer.ok ? answer.value : refuse(answer.error)
  },
})

/** The company that the device names by `tenant`, if it does: at the front issuer its people alone can answer, so it lets devices ask or nobody is asked. */
async function findNamedTenant(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  said: string | undefined,
): Promise<Result<ResolvedTenant | undefined, JsonRefusal>> {
  if (said === undefined) return ok(undefined)
  const named = tenant.issuer.kind === 'front' ? await deps.configuration.find(said, 'front_member') : tenant
  const misnamed = judgeTenantParameter({ grantType: deviceGrantType, said }, named ?? tenant)
  if (misnamed) return err({ reason: misnamed })
  if (named?.suspendedAt !== undefined) return err({ reason: 'tenant_suspended' })
  return named?.deviceGrant ? ok(named) : err({ reason: 'device_grant_off' })
}

/** At a tenant's own issuer it has no meaning without a browser, and is ignored. */
const loginHintOf = ({ issuer }: ResolvedTenant, form: Readonly<Record<string, string>>): string | undefined => {
  const hint = form['login_hint']
  return issuer.kind === 'front' && hint !== undefined && hint.length <= longestLoginHint ? hint : undefined
}

async function answerDevice(deps: BrokerDeps, asking: Asking): Promise<Acted<Answer>> {
  const { http, client, form } = asking
  const tenant = tenantOf(http)
  const limited = limitOfClient(http, client)
  if (limited) return ok(limited)
  const shut = findShut(tenant, client)
  if (shut?.reason === 'registration_not_approved') await noteClientAsked(deps, client)
  if (shut) return ifUnchanged(deps, client, err(shut))
  const accepted = acceptDeviceRequest(client, form, accessRulesOf(tenant))
  if (!accepted.ok) return ifUnchanged(deps, client, ok(refuse(accepted.error)))
  for (let draw = 0; draw < mostDraws; draw += 1) {
    const answer = await openDeviceCode(deps, asking, accepted.value)
    if (answer !== 'user_code_taken') return answer
  }
  return err({ reason: 'decision_unsettled' })
}

async function openDeviceCode(
  deps: BrokerDeps,
  { http, client, loginHint }: Asking,
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
    request: toPendingDeviceRequest(request, { deviceCodeId: id, codeChallenge: sha256Base64url(deviceCode), loginHint }),
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
