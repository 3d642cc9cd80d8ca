import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  advance,
  eventStreamLimits,
  eventsDelivered,
  eventTypeOf,
  isHeaderValue,
  kidOf,
  noticeHoldSeconds,
  parseEndpointUrl,
  sessionRevoked,
  supportedEvents,
} from './event-stream.js'

test('a receiver gets what it asked for of what there is, and everything when it did not ask', () => {
  expect(eventsDelivered(undefined)).toEqual(supportedEvents)
  expect(eventsDelivered(['urn:example:other', sessionRevoked])).toEqual([sessionRevoked])
  expect(eventsDelivered([])).toEqual([])
})

test('a notice is kept for longer than a stream may hold it back', () => {
  expect(noticeHoldSeconds).toBeGreaterThan(eventStreamLimits.heldSeconds)
})

test.each([
  { url: 'https://receiver.example/events?tenant=1', accepted: true },
  { url: 'https://receiver.example:8443/', accepted: true },
  { url: 'http://receiver.example/events', accepted: false },
  { url: 'http://localhost:9/events', accepted: true },
  { url: 'https://user:secret@receiver.example/', accepted: false },
  { url: 'https://receiver.example/#part', accepted: false },
  { url: 'https://receiver.example/#', accepted: false },
  { url: 'ftp://receiver.example/', accepted: false },
  { url: 'file:///etc/passwd', accepted: false },
  { url: '/events', accepted: false },
  { url: `https://receiver.example/${'a'.repeat(2048)}`, accepted: false },
])('where to push: $url is accepted=$accepted', ({ url, accepted }) => {
  expect(parseEndpointUrl(url, ({ hostname }) => hostname === 'localhost').ok).toBe(accepted)
})

test.each([
  ['Bearer abc', true],
  ['x', true],
  ['', false],
  [' Bearer abc', false],
  ['Bearer abc\r\nHost: other', false],
  ['Bearer ä', false],
])('as a header, %j is %s', (value, accepted) => {
  expect(isHeaderValue(value)).toBe(accepted)
})

test('the position never passes a notice without an answer, and stops nowhere else', () => {
  const positions = fc.uniqueArray(fc.integer({ min: 1, max: 60 }))
  fc.assert(
    fc.property(positions, positions, fc.array(positions), fc.integer({ min: 60, max: 70 }), (carried, first, rounds, deliveredTo) => {
      const all = [...carried].sort((a, b) => a - b)
      let progress = { position: 0, deliveredTo, answered: [] as readonly number[] }
      const said = new Set<number>()
      for (const round of [first, ...rounds]) {
        const due = all.filter((each) => each > progress.position)
        for (const each of round) said.add(each)
        progress = { ...progress, ...advance(progress, due, new Set(round)) }
        const open = all.find((each) => !said.has(each))
        expect(progress.position).toBe(open === undefined ? deliveredTo : open - 1)
        expect(progress.answered).toEqual(all.filter((each) => said.has(each) && each > progress.position))
      }
    }),
  )
})

test.each([
  ['of a notice', `x.${Buffer.from(JSON.stringify({ events: { [sessionRevoked]: {} } })).toString('base64url')}.y`, sessionRevoked],
  ['of one without events', `x.${Buffer.from('{}').toString('base64url')}.y`, undefined],
  ['of no token', 'nonsense', undefined],
  ['of null', `x.${Buffer.from('null').toString('base64url')}.y`, undefined],
])('the type %s is read', (_name, token, type) => {
  expect(eventTypeOf(token)).toBe(type)
})

test.each([
  ['is read', `${Buffer.from('{"kid":"k"}').toString('base64url')}.x.y`, 'k'],
  ['that is no text is none', `${Buffer.from('{"kid":1}').toString('base64url')}.x.y`, undefined],
  ['of nonsense is none', 'nonsense', undefined],
  ['of an empty text is none', '', undefined],
])('the key of a notice %s', (_name, token, kid) => {
  expect(kidOf(token)).toBe(kid)
})
