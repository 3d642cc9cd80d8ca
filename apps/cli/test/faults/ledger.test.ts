/** The judge itself: what contradicts, and what only looks like it. */
import { expect, it } from 'vitest'
import { aLedger, type Issue, judge, type Ledger, type LedgerEvent, timesToDead } from './ledger.js'

const bounds = { doubtMs: 1000, receiverMs: 5000 }
const issue = (sentAt: number, more: Partial<Issue> = {}): Issue => ({
  ...{
    sentAt,
    answeredAt: sentAt + 10,
    token: `token-${sentAt}`,
    subject: 'ada',
    issuerPath: '/t/initech',
    grant: 'g',
    grantSince: sentAt + 10,
    expiresAt: 1e9,
  },
  ...more,
})
const takes = (sentAt: number, answeredAt: number | undefined, more: object = {}): LedgerEvent => ({
  ...{ effect: 'takes', way: 'scim', subject: 'ada', sentAt, answeredAt },
  ...more,
})
const gives = (sentAt: number, answeredAt: number | undefined, more: object = {}): LedgerEvent => ({
  ...{ effect: 'gives', way: 'scim', subject: 'ada', sentAt, answeredAt },
  ...more,
})
function ledgerOf(
  issues: readonly Issue[],
  events: readonly LedgerEvent[],
  ...probes: readonly [string, number, 'active' | 'dead' | 'unsure'][]
): Ledger {
  const ledger = aLedger()
  ledger.issues.push(...issues)
  ledger.events.push(...events)
  for (const [at, sentAt, said] of probes) ledger.probes.push({ at, sentAt, answeredAt: sentAt + 1, said, issue: issues[0] as Issue })
  return ledger
}
const contradictions = (...given: Parameters<typeof ledgerOf>) => judge(ledgerOf(...given), bounds).length

it.each<[string, number, Parameters<typeof ledgerOf>]>([
  ['dead after the acknowledgement', 0, [[issue(0)], [takes(100, 200)], ['broker', 300, 'dead']]],
  ['active after the acknowledgement', 1, [[issue(0)], [takes(100, 200)], ['broker', 300, 'active']]],
  ['active while it was under way', 0, [[issue(0)], [takes(100, 200)], ['broker', 150, 'active']]],
  ['active after an event without an answer', 0, [[issue(0)], [takes(100, undefined)], ['broker', 300, 'active']]],
  ['issued while the event was under way', 0, [[issue(95)], [takes(100, 200)], ['broker', 300, 'active']]],
  ['active again after a reinstatement', 1, [[issue(0)], [takes(100, 200), gives(300, 400)], ['broker', 500, 'active']]],
  ['believed by a receiver for a while', 0, [[issue(0)], [takes(100, 200)], ['guard-1', 5000, 'active']]],
  ['believed by a receiver for longer than its bound', 1, [[issue(0)], [takes(100, 200)], ['guard-1', 5201, 'active']]],
  ['refused although nothing happened', 1, [[issue(0)], [], ['broker', 300, 'dead']]],
  ['refused, and nobody could say', 0, [[issue(0)], [], ['guard-1', 300, 'unsure']]],
  ['refused within the doubt of an event without an answer', 0, [[issue(0)], [takes(100, undefined)], ['broker', 300, 'dead']]],
  ['refused after a reinstatement', 1, [[issue(500)], [takes(100, 200), gives(300, 400)], ['guard-1', 600, 'dead']]],
  ['issued within the doubt', 0, [[issue(500)], [takes(100, undefined), gives(300, 400)], ['broker', 600, 'dead']]],
  ['issued while she was outside', 1, [[issue(300)], [takes(100, 200)]]],
  ['issued after she was let in', 0, [[issue(500)], [takes(100, 200), gives(300, 400)]]],
  ['issued when she may have been let in', 0, [[issue(500)], [takes(100, 200), gives(300, undefined)]]],
  ['issued of a grant that is gone', 1, [[issue(500)], [takes(100, 200, { grant: 'g' }), gives(300, 400)]]],
  ['issued of another grant', 0, [[issue(500)], [takes(100, 200, { grant: 'other' })], ['broker', 600, 'active']]],
  ['of somebody else', 0, [[issue(0)], [takes(100, 200, { subject: 'max' })], ['broker', 300, 'active']]],
  ['refreshed while it was under way', 1, [[issue(150, { grantSince: 10 })], [takes(100, 200)], ['broker', 300, 'active']]],
  ['refreshed after it, and she was let in', 1, [[issue(500, { grantSince: 10 })], [takes(100, 200), gives(300, 400)]]],
  ['issued after an end that lets her stay', 0, [[issue(300)], [takes(100, 200, { staysIn: true })], ['broker', 400, 'active']]],
  ['refreshed after an end that lets her stay', 1, [[issue(300, { grantSince: 10 })], [takes(100, 200, { staysIn: true })]]],
  ['issued after another took his word back', 1, [[issue(500)], [takes(100, 200), gives(300, 400, { way: 'the directory' })]]],
  ['issued after an admin let her in', 0, [[issue(500)], [takes(100, 200), gives(300, 400, { way: 'an admin' })]]],
  ['let in by what was overtaken', 1, [[issue(500)], [takes(100, 200, { version: 3 }), gives(90, 210, { version: 2 })]]],
  ['let in by what overtook', 0, [[issue(500)], [takes(100, 200, { version: 2 }), gives(90, 210, { version: 3 })]]],
  [
    'refused within the doubt of its last sending',
    0,
    [[issue(900)], [takes(100, undefined, { lastSentAt: 800 })], ['broker', 1700, 'dead']],
  ],
  ['issued and refused beyond it', 1, [[issue(1900)], [takes(100, undefined, { lastSentAt: 800 })], ['broker', 2000, 'dead']]],
  ['refused, expired', 0, [[issue(0, { expiresAt: 200 })], [], ['broker', 300, 'dead']]],
])('%s: %i', (_, count, given) => {
  expect(contradictions(...given)).toBe(count)
})

it('a grant in doubt need not live, but must die', () => {
  const ledger = ledgerOf([issue(0)], [takes(100, 200)], ['broker', 50, 'dead'], ['broker', 300, 'active'])
  ledger.doubtful.add('g')
  expect(judge(ledger, bounds)).toEqual([expect.stringContaining('called')])
})

it('the time to dead counts from the acknowledgement to the last belief, per receiver', () => {
  const ledger = ledgerOf([issue(0)], [takes(100, 200)], ['guard-1', 250, 'active'], ['guard-1', 400, 'dead'], ['guard-2', 300, 'dead'])
  expect(timesToDead(ledger)).toEqual([0, 51])
})
