/** The judge of the receiver of another maker: what contradicts, and what only looks like it. */
import { expect, it } from 'vitest'
import { type ForeignNews, foreignWays, judgeForeign } from './foreign.js'
import { aLedger, type Issue, type LedgerEvent } from './ledger.js'

const bounds = { doubtMs: 1000, receiverMs: 5000 }
const issue: Issue = {
  ...{ sentAt: 100, answeredAt: 110, token: 't', subject: 'ada', issuerPath: '/t/initech', sub: 's' },
  ...{ grant: 'g', grantSince: 110, expiresAt: 1e9 },
}
const takes = (sentAt: number, answeredAt: number | undefined, more: object = {}): LedgerEvent => ({
  ...{ effect: 'takes', way: 'an admin', subject: 'ada', sentAt, answeredAt },
  ...more,
})
const grant = (sentAt: number, more: object = {}): LedgerEvent =>
  takes(sentAt, sentAt + 10, { grant: 'g', way: 'an admin, one grant', ...more })
/** By both ways. */
const news = (at: number, more: Partial<ForeignNews> = {}): readonly ForeignNews[] =>
  foreignWays.map((way) => ({ way, company: 'initech', at, jti: `${way} ${at}`, txn: 'e', sub: 's', session: undefined, ...more }))

it.each<[string, number, readonly LedgerEvent[], readonly ForeignNews[]]>([
  ['an end, and told by both ways', 0, [takes(200, 210)], news(220)],
  ['told by neither', 2, [takes(200, 210)], []],
  ['told by a push alone', 1, [takes(200, 210)], news(220).slice(0, 1)],
  ['not acknowledged, and not told', 0, [takes(200, undefined)], []],
  ['told of the one before alone', 2, [takes(200, 210, { id: 'a' }), takes(300, 310, { id: 'b' })], news(220)],
  ['told of both', 0, [takes(200, 210, { id: 'a' }), takes(300, 310, { id: 'b' })], [...news(220), ...news(320, { txn: 'f' })]],
  ['of one end under two ids', 2, [takes(200, 210)], [...news(220), ...news(230)]],
  ['of a stranger besides', 2, [takes(200, 210)], [...news(220), ...news(230, { txn: 'f', sub: 'other' })]],
  ['one grant, and told of it', 0, [grant(200)], news(220, { session: 'g' })],
  ['one grant, and told of another', 2, [grant(200)], news(220, { session: 'h' })],
  ['one grant, and told of the person', 2, [grant(200)], news(220)],
  ['one grant, which an end before may have ended', 0, [takes(150, undefined), grant(200)], []],
  ['one grant of the front issuer', 0, [takes(200, 210, { grant: 'of the front' })], []],
  ['her sign-out, told by its session', 0, [grant(200, { way: 'her sign-out' })], news(220, { session: 'its name' })],
])('%s: %i', (_, count, events, heard) => {
  const ledger = aLedger()
  ledger.issues.push(issue, { ...issue, issuerPath: '', grant: 'of the front' })
  ledger.events.push(...events)
  expect(judgeForeign(ledger, heard, bounds)).toHaveLength(count)
})
