/**
 * Endpoints that hear the news of access: of a tenant, and of the vendor for all tenants. The same endpoints under two paths.
 *
 * A secret is shown once. Nobody reads it again, the admin API neither.
 */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import { webhookLimits, webhookTest } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { newWebhookSecret, showWebhookSecret } from '@drawbridge/crypto/webhook-signature'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  insertWebhookTest,
  listWebhooks,
  lockWebhookSecret,
  pauseWebhook,
  replaceWebhookSecret,
  resumeWebhook,
  updateWebhook,
  type WebhookEndpoint,
} from '@drawbridge/store/webhook-endpoints'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { empty, json } from '../http/answer.js'
import type { Endpoint } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { ownedByTenant, ownedByVendor, type RowOwner, reservedFor } from './row-owner.js'
import { id as idShape, time, toIso } from './shapes.js'
import { newWebhook, shownWebhook, showWebhook, webhookChange } from './webhook-shapes.js'

const tag = 'Webhooks'

const ofTenant = ownedByTenant('webhooks', 'of the tenant')
const ofVendor = ownedByVendor('webhooks', 'of the vendor, for all tenants')

const sealFor = (deps: BrokerDeps, tenant: TenantId, column: string, row: string) =>
  sealContextOf({ deps, tenant: { id: tenant } }, 'webhook_endpoints', column, row)

function listAndCreate(owner: RowOwner): readonly Endpoint[] {
  const { path, whose, tenantId } = owner
  const common = { tag, ...reservedFor(owner) }
  const list = adminList({
    ...common,
    path,
    summary: `List the webhook endpoints ${whose}, oldest first`,
    permission: 'configuration:read',
    member: 'webhooks',
    shown: shownWebhook,
    position: ['after', 'moment'],
    read: (http, deps, page) => inTenant(deps.database, tenantId(http), (db) => listWebhooks(db, tenantId(http), page)),
    show: showWebhook,
    positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
  })
  const create = adminEndpoint({
    ...common,
    method: 'POST',
    path,
    summary: `Make a webhook endpoint ${whose}; its secret is shown once; at most ${webhookLimits.endpoints}`,
    permission: 'configuration:write',
    body: newWebhook,
    status: 201,
    answer: shownWebhook.extend({ secret: z.string().describe('By which it knows that a message is ours: Standard Webhooks') }),
    refuses: ['webhooks_enough', 'webhook_not_https'],
    run: async (http, deps) => {
      const tenant = tenantId(http)
      if (isInsecure(deps, http.parsed.url)) return refuseAdmin('webhook_not_https')
      const [id, secret, now] = [deps.random.uuid(), newWebhookSecret(deps.random), deps.clock.now()]
      const made = await inTenant(deps.database, tenant, async (db) => {
        const sealedSecret = deps.sealer.seal(secret, sealFor(deps, tenant, 'sealed_secret', id))
        if (!(await insertWebhook(db, tenant, { ...http.parsed, id, sealedSecret, now }))) return undefined
        await audit(db, tenant, http, deps, { kind: 'webhook.created', detail: { webhook: id, ...traced(http.parsed) } })
        return findWebhook(db, tenant, id)
      })
      return made ? json({ ...showWebhook(made), secret: showWebhookSecret(secret) }, { status: 201 }) : refuseAdmin('webhooks_enough')
    },
  })
  return [list, create]
}

/** A production calls https alone: better said now than at the first message. */
const isInsecure = (deps: BrokerDeps, url: string | undefined): boolean =>
  deps.installation.kind === 'production' && url !== undefined && !url.startsWith('https://')

/** For the trail: of the address its host alone, because receivers put secrets into paths. */
const traced = ({ name, url, events }: z.output<typeof webhookChange>) => ({
  ...(name === undefined ? {} : { name }),
  ...(url === undefined ? {} : { host: new URL(url).host }),
  ...(events === undefined ? {} : { events: events.join(' ') }),
})

/** Does something to an endpoint that is there, writes it to the trail, and answers how it is then. */
type Act = (db: Db, tenant: TenantId, id: string) => Promise<boolean>
async function act(
  owner: RowOwner,
  {
    http,
    deps,
    kind,
    detail = {},
  }: { http: AdminRequest<unknown, unknown>; deps: BrokerDeps; kind: AuditEventKind; detail?: Readonly<Record<string, string>> },
  change: Act,
) {
  const [tenant, id] = [owner.tenantId(http), idParam(http)]
  if (id === undefined) return refuseAdmin('not_found')
  const after = await inTenant(deps.database, tenant, async (db): Promise<WebhookEndpoint | undefined> => {
    if (!(await change(db, tenant, id))) return undefined
    await audit(db, tenant, http, deps, { kind, detail: { webhook: id, ...detail } })
    return findWebhook(db, tenant, id)
  })
  return after ? json(showWebhook(after)) : refuseAdmin('not_found')
}

function changes(owner: RowOwner): readonly Endpoint[] {
  const { path, whose } = owner
  const common = { tag, permission: 'configuration:write' as const, answer: shownWebhook, ...reservedFor(owner) }
  const update = adminEndpoint({
    ...common,
    method: 'PATCH',
    path: `${path}/:id`,
    summary: `Change the name, address or choice of news of a webhook endpoint ${whose}`,
    body: webhookChange,
    refuses: ['not_found', 'webhook_not_https'],
    run: async (http, deps) => {
      if (isInsecure(deps, http.parsed.url)) return refuseAdmin('webhook_not_https')
      return act(owner, { http, deps, kind: 'webhook.updated', detail: traced(http.parsed) }, (db, tenant, id) =>
        updateWebhook(db, tenant, id, http.parsed),
      )
    },
  })
  const pause = adminEndpoint({
    ...common,
    method: 'POST',
    path: `${path}/:id/pause`,
    summary: `Let the news wait for a webhook endpoint ${whose}, three days at most`,
    refuses: ['not_found'],
    run: (http, deps) =>
      act(owner, { http, deps, kind: 'webhook.paused' }, (db, tenant, id) => pauseWebhook(db, tenant, id, deps.clock.now())),
  })
  const resume = adminEndpoint({
    ...common,
    method: 'POST',
    path: `${path}/:id/resume`,
    summary: `Tell the news again to a webhook endpoint ${whose} that was paused or disabled`,
    refuses: ['not_found'],
    run: (http, deps) => act(owner, { http, deps, kind: 'webhook.resumed' }, resumeWebhook),
  })
  return [update, pause, resume]
}

function secretAndTest(owner: RowOwner): readonly Endpoint[] {
  const { path, whose, tenantId } = owner
  const common = { tag, permission: 'configuration:write' as const, ...reservedFor(owner) }
  const rotate = adminEndpoint({
    ...common,
    method: 'POST',
    path: `${path}/:id/secret`,
    summary: `Make a new secret for a webhook endpoint ${whose}, shown once; the one before it signs beside it for a day`,
    status: 201,
    answer: z.strictObject({ id: idShape, secret: z.string(), formerSecretUntil: time }),
    refuses: ['not_found'],
    run: async (http, deps) => {
      const [tenant, id] = [tenantId(http), idParam(http)]
      if (id === undefined) return refuseAdmin('not_found')
      const [secret, now] = [newWebhookSecret(deps.random), deps.clock.now()]
      const after = await inTenant(deps.database, tenant, async (db) => {
        const held = await lockWebhookSecret(db, tenant, id)
        if (held === undefined) return undefined
        const former = deps.sealer.open(held, sealFor(deps, tenant, 'sealed_secret', id))
        if (!former.ok) throw new Error(`the secret of webhook ${id} opens under the master key`)
        const sealed = deps.sealer.seal(secret, sealFor(deps, tenant, 'sealed_secret', id))
        const sealedFormer = deps.sealer.seal(former.value, sealFor(deps, tenant, 'sealed_former_secret', id))
        await replaceWebhookSecret(db, tenant, id, { sealed, sealedFormer, now })
        await audit(db, tenant, http, deps, { kind: 'webhook.secret_replaced', detail: { webhook: id } })
        return findWebhook(db, tenant, id)
      })
      if (after === undefined) return refuseAdmin('not_found')
      return json({ id, secret: showWebhookSecret(secret), formerSecretUntil: toIso(after.formerUntil ?? now) }, { status: 201 })
    },
  })
  const test = adminEndpoint({
    ...common,
    method: 'POST',
    path: `${path}/:id/test`,
    summary: `Send a test message to a webhook endpoint ${whose}; what came of it is in the list of deliveries`,
    status: 202,
    answer: z.strictObject({ delivery: idShape }),
    refuses: ['not_found'],
    run: async (http, deps) => {
      const [tenant, endpoint] = [tenantId(http), idParam(http)]
      if (endpoint === undefined) return refuseAdmin('not_found')
      const [id, now] = [deps.random.uuid(), deps.clock.now()]
      const message = { type: webhookTest, timestamp: toIso(now), data: { webhook: endpoint } } as const
      const found = await inTenant(deps.database, tenant, async (db) => {
        if ((await findWebhook(db, tenant, endpoint)) === undefined) return false
        await insertWebhookTest(db, tenant, { endpoint, id, message, now })
        await audit(db, tenant, http, deps, { kind: 'webhook.tested', detail: { webhook: endpoint, delivery: id } })
        return true
      })
      return found ? json({ delivery: id }, { status: 202 }) : refuseAdmin('not_found')
    },
  })
  const remove = adminEndpoint({
    ...common,
    method: 'DELETE',
    path: `${path}/:id`,
    summary: `Remove a webhook endpoint ${whose}, and what waits for it`,
    refuses: ['not_found'],
    run: async (http, deps) => {
      const [tenant, id] = [tenantId(http), idParam(http)]
      if (id === undefined) return refuseAdmin('not_found')
      const removed = await inTenant(deps.database, tenant, async (db) => {
        const isGone = await deleteWebhook(db, tenant, id)
        if (isGone) await audit(db, tenant, http, deps, { kind: 'webhook.removed', detail: { webhook: id } })
        return isGone
      })
      return removed ? empty() : refuseAdmin('not_found')
    },
  })
  return [rotate, test, remove]
}

export const webhookEndpoints = [ofTenant, ofVendor].flatMap((owner) => [
  ...listAndCreate(owner),
  ...changes(owner),
  ...secretAndTest(owner),
])
