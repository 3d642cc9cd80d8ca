/**
 * At the front issuer a device polls with a code that names nobody, because it was given before anybody said whose it is. Until then it is answered here; from then
 * on the poll is one of the tenant's whose it has become, by a second statement.
 */
import { deviceCodePrefix } from '@drawbridge/core/oauth/device-code'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { judgeTenantParameter } from '@drawbridge/core/oauth/tenant-parameter'
import type { DeviceCodeRequest } from '@drawbridge/core/oauth/token-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { hashCredential } from '@drawbridge/crypto/hash'
import { pollDeviceAtFront } from '@drawbridge/store/front-devices'
import { onHotPath } from '@drawbridge/store/transaction'
import { asProvenClient, callerOf, ifUnchanged } from '../clients/as-proven-client.js'
import type { ClientClaim } from '../clients/client-authentication.js'
import { limitOfClient } from '../clients/client-limit.js'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** `said`: the tenant that the request names, which it need not. */
type Polling = {
  readonly http: HttpRequest
  readonly claim: ClientClaim
  readonly request: DeviceCodeRequest
  readonly said: string | undefined
}

/** The tenant at the front; the answer: it is nobody's yet, or will be nobody's. */
export async function findTenantOfDevice(
  deps: BrokerDeps,
  { http, claim, request, said }: Polling,
): Promise<Result<ResolvedTenant, Answer>> {
  const front = tenantOf(http)
  const found = await asProvenClient<Result<ResolvedTenant, Answer>>(deps, claim, async (client) => {
    const limited = limitOfClient(http, client, 'tenant_token')
    if (limited) return ok(err(limited))
    if (!client.grantTypes.includes(request.grantType)) return ifUnchanged(deps, client, err({ reason: 'grant_type_not_for_client' }))
    const unknown: JsonRefusal = { reason: 'device_code_unknown' }
    if (!request.deviceCode.reveal().startsWith(deviceCodePrefix)) return ifUnchanged(deps, client, err(unknown))
    const polled = await pollDeviceAtFront(onHotPath(deps.database), front.id, {
      ...{ caller: callerOf(client), deviceCodeHash: hashCredential(request.deviceCode), now: deps.clock.now() },
    })
    if (polled.kind === 'client_changed') return polled.kind
    if (polled.kind === 'refused') return err({ reason: polled.reason })
    const tenant = await deps.configuration.find(polled.tenant, 'front_member')
    const misnamed = tenant && judgeTenantParameter({ ...request, said }, tenant)
    if (misnamed) return err({ reason: misnamed })
    return tenant ? ok(ok(tenant)) : err(unknown)
  })
  return found.ok ? found.value : err(refuse(found.error))
}
