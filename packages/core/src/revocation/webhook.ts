/**
 * What a tenant's own systems are told by HTTP. Standard Webhooks; whom it is about is said by `sub` alone, so nothing personal leaves the house.
 *
 * Free text, such as an admin's reason, is not among it: it may name people.
 */
import type { DeprovisioningSource, DeprovisioningTarget } from './deprovisioning-event.js'

/** Every kind of news that an endpoint may choose, and what it says. */
export const webhookEvents = {
  'access.ended': 'A person, grant, client, connection or the whole tenant lost access; the barrier stands.',
  'access.dead_everywhere':
    'Every guard instance that had to hear of such an end has acknowledged it, or refuses by itself; `due` of them had to, and 0 says that none listened.',
  'subject.deactivated': 'A person may not sign in any more: somebody said so, or the end that her directory named has come.',
  'subject.reinstated': 'A person may sign in again; nothing that ended comes back.',
} as const
export type WebhookEvent = keyof typeof webhookEvents
export const webhookEventNames = Object.keys(webhookEvents) as [WebhookEvent, ...WebhookEvent[]]

/** Sent when an admin asks for it, to one endpoint, whatever it has chosen. */
export const webhookTest = 'webhook.test'

export const webhookLimits = {
  /** Of one tenant, or of the vendor. */
  endpoints: 10,
  /** The former secret signs beside the new one for this long. */
  formerSecretSeconds: 24 * 3600,
  /** An endpoint that has failed without a break for so long is disabled. By then what it missed first is being given up. */
  disableAfterSeconds: 72 * 3600,
} as const

/** What is sent: `timestamp` is when it happened, in ISO 8601. */
export type WebhookMessage = {
  readonly type: WebhookEvent | typeof webhookTest
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What is told of an end of access, as the event has it. */
export type ToldEnd = {
  readonly tenant: string
  readonly eventId: string
  readonly source: DeprovisioningSource
  readonly target: DeprovisioningTarget
  readonly targetId: string
  /** The person, of a person or a grant; a grant of a client in its own name has none. */
  readonly subject: string | undefined
  /** Of a grant or a client. */
  readonly clientId: string | undefined
  readonly toldAt: string | undefined
  readonly barrierAt: string
  /** Grows with every change of the same person: who hears twice, or late, keeps the greater. */
  readonly sequence: number
  /** The door is shut, too. */
  readonly isDeactivated: boolean
}

/** The news of one end: that access ended, and of a person who may not come back, that too. */
export function newsOfEnd({ isDeactivated, ...end }: ToldEnd): readonly WebhookMessage[] {
  const { tenant, eventId, target, targetId, sequence, barrierAt } = end
  const data = Object.fromEntries(Object.entries(end).filter(([, value]) => value !== undefined))
  const ended: WebhookMessage = { type: 'access.ended', timestamp: barrierAt, data }
  if (target !== 'subject' || !isDeactivated) return [ended]
  return [ended, { type: 'subject.deactivated', timestamp: barrierAt, data: { tenant, eventId, subject: targetId, sequence } }]
}

/** The kind of the outbox entry by which a worker tells that a person may come in again, and its payload. */
export const tellReinstatedEntry = 'tell-reinstated'
export type TellReinstatedPayload = { readonly eventId: string; readonly subjectId: string; readonly at: string }
