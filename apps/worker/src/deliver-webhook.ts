/** The call by which an endpoint hears the news, and what becomes of one that does not listen. Standard Webhooks. */
import { type Instant, secondsBetween, toSeconds } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { webhookLimits } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { webhookHeaders } from '@drawbridge/crypto/webhook-signature'
import type { ClaimedDelivery } from '@drawbridge/store/deliveries'
import { findToldEndpoint } from '@drawbridge/store/plan-webhooks'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { disableWebhook } from '@drawbridge/store/webhook-endpoints'
import type { JobDeps } from './deps.js'
import type { Prepare } from './outbound-call.js'
import { tellTenant } from './tell-tenant.js'

/** Signed at each try, by the secret and by the one before it while that still counts. `webhook-id` is the delivery's id and stays. */
export const prepareWebhook: Prepare = async (deps, { tenantId: tenant, id, destinationId, payload }) => {
  const now = deps.clock.now()
  const endpoint = await acrossTenants(deps.database, (db) => findToldEndpoint(db, tenant, destinationId, now))
  if (endpoint === undefined) return err('no_longer_wanted')
  const open = (column: string, sealed: Buffer) =>
    deps.openSealed(sealed, { tenant, table: 'webhook_endpoints', column, row: destinationId })
  const secrets = [open('sealed_secret', endpoint.sealedSecret)]
  if (endpoint.sealedFormerSecret !== null) secrets.push(open('sealed_former_secret', endpoint.sealedFormerSecret))
  const body = JSON.stringify(payload)
  const signed = webhookHeaders({ id, seconds: toSeconds(now), body }, secrets)
  return ok({ url: endpoint.url, headers: { 'content-type': 'application/json', ...signed }, body })
}

/** An endpoint that has taken nothing for a named time is disabled, and the tenant is told. `since`: when it began to fail. */
export async function disableIfFailingLong(
  deps: JobDeps,
  { tenantId: tenant, destinationId, kind }: ClaimedDelivery,
  since: Instant | undefined,
): Promise<void> {
  if (kind !== 'webhook' || since === undefined || secondsBetween(since, deps.clock.now()) < webhookLimits.disableAfterSeconds) return
  await disable(deps, { tenant, id: destinationId, because: 'failing' })
}

/** An endpoint that says that it is gone is disabled at once. Answers whether it is told by another address by now: that one has said nothing yet. */
export async function disableGone(deps: JobDeps, { tenantId: tenant, destinationId }: ClaimedDelivery, url: string): Promise<boolean> {
  await disable(deps, { tenant, id: destinationId, because: 'gone', url })
  return (await acrossTenants(deps.database, (db) => findToldEndpoint(db, tenant, destinationId, deps.clock.now()))) !== undefined
}

type Disabled = { readonly tenant: TenantId; readonly id: string; readonly because: 'failing' | 'gone'; readonly url?: string }

async function disable(deps: JobDeps, { tenant, id, because, url }: Disabled): Promise<void> {
  const now = deps.clock.now()
  const name = await inTenant(deps.database, tenant, async (db) => {
    const disabled = await disableWebhook(db, tenant, { id, url, now })
    if (disabled !== undefined)
      await tellTenant(db, tenant, { at: now, kind: 'webhook.disabled', detail: { webhook: id, name: disabled, because } }, disabled)
    return disabled
  })
  if (name === undefined) return
  deps.metrics.count('drawbridge_webhooks_disabled_total')
  deps.log.error({ tenant, webhook: id, because }, 'a webhook endpoint was disabled')
}
