/** Secrets and signatures of webhooks: Standard Webhooks, symmetric. */
import { createHmac } from 'node:crypto'
import type { Random } from './random.js'

/** As its owner reads it, once. @spec Standard Webhooks 1.0.0, signature scheme */
const prefix = 'whsec_'
const secretBytes = 32

export const newWebhookSecret = (random: Random): Buffer => random.bytes(secretBytes)

export const showWebhookSecret = (secret: Buffer): string => prefix + secret.toString('base64')

export type SignedMessage = {
  /** The same at every try. */
  readonly id: string
  /** Of this try. */
  readonly seconds: number
  readonly body: string
}

/** One signature by each secret, so that a receiver may change its own in between. @spec Standard Webhooks 1.0.0, webhook headers */
export const webhookHeaders = ({ id, seconds, body }: SignedMessage, secrets: readonly Buffer[]): Readonly<Record<string, string>> => ({
  'webhook-id': id,
  'webhook-timestamp': String(seconds),
  'webhook-signature': secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`)
    .join(' '),
})
