import { expect, test } from 'vitest'
import { deliveryLimits } from './delivery.js'
import { newsOfEnd, type ToldEnd, webhookLimits } from './webhook.js'

const end: ToldEnd = {
  ...{
    tenant: 'acme',
    eventId: 'e',
    source: 'scim',
    target: 'subject',
    targetId: 's',
    subject: 's',
    clientId: undefined,
    toldAt: undefined,
  },
  ...{ barrierAt: '2026-11-29T00:00:00.000Z', sequence: 7, isDeactivated: false },
}

test('an end is one piece of news; of a person whose door is shut it is two', () => {
  expect(newsOfEnd(end)).toEqual([
    {
      type: 'access.ended',
      timestamp: end.barrierAt,
      data: {
        tenant: 'acme',
        eventId: 'e',
        source: 'scim',
        target: 'subject',
        targetId: 's',
        subject: 's',
        barrierAt: end.barrierAt,
        sequence: 7,
      },
    },
  ])
  expect(newsOfEnd({ ...end, isDeactivated: true }).map(({ type }) => type)).toEqual(['access.ended', 'subject.deactivated'])
  expect(newsOfEnd({ ...end, target: 'client', isDeactivated: true }).map(({ type }) => type)).toEqual(['access.ended'])
})

test('an endpoint is given as long as its messages are', () => {
  expect(webhookLimits.disableAfterSeconds).toBeGreaterThanOrEqual(deliveryLimits.ageSeconds)
})
