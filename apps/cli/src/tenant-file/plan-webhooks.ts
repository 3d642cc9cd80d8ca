/**
 * Webhook endpoints of a file against those of a tenant. The name is what makes one the same: it is unique in a file, and must be in the tenant.
 *
 * They come right behind the contacts: who is to hear that access ended hears of what the same file ends. One that goes still hears of it, too, unless
 * its place is needed. One that is disabled or paused stays so.
 */
import { webhookLimits } from '@drawbridge/core/revocation/webhook'
import { differencesOf } from './differences.js'
import type { LiveWebhook } from './live-tenant.js'
import { type Change, type Compared, type Planned, type Step, togetherWithin } from './plan-change.js'
import type { FileWebhook } from './shape.js'

export function planWebhooks({ file: { webhooks }, live, options }: Compared): Planned {
  if (webhooks === undefined) return { changes: [] }
  const rows = webhooks.map((webhook, index) => planWebhook(webhook, index, live.webhooks))
  const known = webhooks.map(({ name }) => name)
  const surplus = live.webhooks.filter(({ name }) => !known.includes(name))
  return togetherWithin(
    { most: webhookLimits.endpoints, there: live.webhooks.length },
    rows,
    surplus.map((each) => ({ told: `webhook "${each.name}"`, prune: prune(each) })),
    options.prune,
  )
}

const prune = ({ id, name }: LiveWebhook): Change => ({
  does: 'take away',
  what: `webhook "${name}"`,
  differences: [],
  steps: [{ kind: 'call', method: 'DELETE', path: [`/webhooks/${id}`] }],
})

/** Which news, in whatever order somebody wrote it. */
const told = ({ url, events }: Pick<FileWebhook, 'url' | 'events'> | LiveWebhook) => ({ url, events: [...events].toSorted() })

function planWebhook(webhook: FileWebhook, index: number, all: readonly LiveWebhook[]): Planned {
  const { name } = webhook
  const what = `webhook "${name}"`
  const [live, second] = all.filter((each) => each.name === name)
  if (second !== undefined) {
    const say = 'two webhooks of the tenant carry this name: rename one, drawbridge webhook update --name'
    return { changes: [], impossible: [{ path: ['webhooks', index, 'name'], say }] }
  }
  if (live === undefined) {
    const make: Step = { kind: 'call', method: 'POST', path: ['/webhooks'], body: webhook, shows: 'secret' }
    return { changes: [{ does: 'create', what, differences: differencesOf({}, told(webhook)), steps: [make] }] }
  }
  const stays = live.disabledAt === null ? live.pausedAt && `paused since ${live.pausedAt}` : `disabled since ${live.disabledAt}`
  const warnings = stays ? [`${what} is ${stays}, and stays so: drawbridge webhook resume`] : []
  const differences = differencesOf(told(live), told(webhook))
  if (differences.length === 0) return { changes: [], warnings }
  // Another address has not failed yet, so the same one is not said again.
  const body = { ...(live.url !== webhook.url && { url: webhook.url }), events: webhook.events }
  const change: Step = { kind: 'call', method: 'PATCH', path: [`/webhooks/${live.id}`], body }
  return { changes: [{ does: 'change', what, differences, steps: [change] }], warnings }
}
