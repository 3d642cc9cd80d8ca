/** Webhook endpoints as the admin API writes and shows them. */
import { isAcceptableLogoutUri } from '@drawbridge/core/logout/logout-token'
import { webhookEventNames } from '@drawbridge/core/revocation/webhook'
import type { WebhookEndpoint } from '@drawbridge/store/webhook-endpoints'
import { z } from 'zod'
import { id, time, timeOrNull, toIso } from './shapes.js'

export const shownWebhook = z.strictObject({
  id,
  name: z.string(),
  url: z.string(),
  events: z.array(z.enum(webhookEventNames)),
  createdAt: time,
  pausedAt: timeOrNull.describe('By an admin: news waits'),
  disabledAt: timeOrNull.describe(
    'It had taken nothing for three days, or said that it is gone (410), and hears nothing until it is resumed',
  ),
  failingSince: timeOrNull.describe('Since when it has taken nothing'),
  formerSecretUntil: timeOrNull.describe('Until then the secret before this one signs, too'),
})
const orNull = (at: WebhookEndpoint['pausedAt']) => (at === null ? null : toIso(at))
export const showWebhook = ({ formerUntil, ...endpoint }: WebhookEndpoint): z.output<typeof shownWebhook> => ({
  ...endpoint,
  events: [...endpoint.events],
  createdAt: toIso(endpoint.createdAt),
  pausedAt: orNull(endpoint.pausedAt),
  disabledAt: orNull(endpoint.disabledAt),
  failingSince: orNull(endpoint.failingSince),
  formerSecretUntil: orNull(formerUntil),
})

const name = z.string().trim().min(1).max(100)
const url = z.string().max(2048).refine(isAcceptableLogoutUri, 'https without a fragment; http on loopback in a laboratory alone')
const events = z.array(z.enum(webhookEventNames)).min(1).max(webhookEventNames.length).describe('Which news it hears')

export const newWebhook = z.strictObject({ name, url, events })
export const webhookChange = z.strictObject({ name: name.optional(), url: url.optional(), events: events.optional() })
