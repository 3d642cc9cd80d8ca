/** The judge of what was told outside: what contradicts, and what only looks like it. */
import { expect, it } from 'vitest'
import { judgeDeliveries } from './deliveries.js'
import { aLedger, type Issue, type LedgerEvent } from './ledger.js'
import type { Told } from './outside.js'

const bounds = { doubtMs: 1000, receiverMs: 5000 }
const issue: Issue = {
  sentAt: 100,
  answeredAt: 110,
  token: 't',
  subject: 'ada',
  issuerPath: '/t/initech',
  sub: 's',
  client: 'c',
  grant: 'g',
  grantSince: 110,
  expiresAt: 1e9,
}
const takes = (sentAt: number, answeredAt: number | undefined, more: object = {}): LedgerEvent => ({
  ...{ effect: 'takes', way: 'scim', subject: 'ada', sentAt, answeredAt },
  ...more,
})
const gives = (sentAt: number): LedgerEvent => ({ effect: 'gives', way: 'scim', subject: 'ada', sentAt, answeredAt: sentAt + 10 })
const logout = (at: number, id = 'j', more: object = {}): Told => ({
  kind: 'logout',
  company: 'initech',
  id,
  at,
  client: 'c',
  sub: 's',
  ...more,
})
const news = (at: number, id = 'w', eventId = 'e'): Told => ({
  kind: 'news',
  company: 'initech',
  id,
  at,
  type: 'access.ended',
  eventId,
  sub: 's',
})
const revoked = { grant: 'g', way: 'an admin, one grant' }

it.each<[string, number, readonly LedgerEvent[], readonly Told[]]>([
  ['shut out, and told everywhere', 0, [takes(200, 210)], [logout(220), news(221)]],
  ['the same again, under the same ids', 0, [takes(200, 210)], [logout(220), logout(230), news(221), news(240)]],
  ['no client was told', 1, [takes(200, 210)], [news(221)]],
  ['no system was told', 1, [takes(200, 210)], [logout(220)]],
  ['nobody was told, and nothing was acknowledged', 0, [takes(200, undefined)], []],
  ['told of what was not acknowledged, but may have happened', 0, [takes(200, undefined)], [logout(220), news(221)]],
  ['told before anybody ordered it', 1, [takes(200, 210)], [logout(150), news(221)]],
  ['told of what nobody ordered (and more often than ends)', 2, [], [logout(220)]],
  ['told under another id of one end', 1, [takes(200, 210)], [logout(220), logout(230, 'k'), news(221)]],
  ['told of two tries under two ids', 0, [takes(200, undefined), takes(300, 310)], [logout(220), logout(330, 'k'), news(221)]],
  ['told of somebody else', 1, [takes(200, 210)], [logout(220, 'j', { sub: 'other' }), news(221)]],
  ['one event under two ids', 1, [takes(200, 210)], [logout(220), news(221), news(222, 'v')]],
  ['two events under two ids', 0, [takes(200, 210), takes(200, undefined)], [logout(220), news(221), news(222, 'v', 'f')]],
  ['two events, and one was ordered', 1, [takes(200, 210)], [logout(220), news(221), news(222, 'v', 'f')]],
  ['one end of two that were signalled', 1, [takes(200, 210, { id: 'a' }), takes(230, 240, { id: 'b' })], [logout(220), news(221)]],
  ['somebody of another company', 1, [takes(200, 210)], [logout(220), news(221), { ...news(222, 'v', 'f'), sub: 'other' }]],
  ['one grant, and its client was told', 0, [takes(200, 210, revoked)], [logout(220)]],
  ['one grant, and its client was not', 1, [takes(200, 210, revoked)], []],
  [
    'one grant that may have been over before',
    0,
    [takes(150, undefined, { grant: 'g', way: 'her sign-out' }), takes(200, 210, revoked)],
    [],
  ],
  ['a grant that its client handed back', 0, [takes(200, 210, { grant: 'g', way: 'her client' })], []],
  ['another grant of hers', 0, [takes(200, 210, { ...revoked, grant: 'other' })], []],
  [
    'the end before was told, the one after she was back was not',
    1,
    [takes(200, 210), gives(300), takes(400, 410)],
    [logout(220), news(221)],
  ],
])('%s: %i', (_, count, events, told) => {
  const ledger = aLedger()
  ledger.issues.push(issue)
  ledger.events.push(...events)
  expect(judgeDeliveries(ledger, told, bounds)).toHaveLength(count)
})
