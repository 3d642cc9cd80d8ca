import { describe, expect, it } from 'vitest'
import { heardOf, isHeardBy, momentOf, type Receipt } from './drill-receipt.js'

const [here, elsewhere] = ['https://mcp.example', 'https://another.example']
const at = '2026-11-30T00:00:00.000Z'
const receiver = (resource: string, acknowledgedAt: string | null = at) => ({ resource, instance: 'one', acknowledgedAt })
const aReceipt = (over: Partial<Receipt>): Receipt => ({
  ...{ targetId: 'her', receivedAt: at, deadAt: at, due: 1, acknowledged: 1, receivers: [receiver(here)] },
  ...over,
})

describe('what was heard of it', () => {
  it.each<[string, Receipt | undefined]>([
    ['Every guard has acknowledged (1): dead everywhere', aReceipt({})],
    ['Every guard has acknowledged (2) or is waited for no longer (1): dead everywhere', aReceipt({ due: 3, acknowledged: 2 })],
    ['Not every guard has acknowledged (1 of 2)', aReceipt({ due: 2, deadAt: null })],
    ['Nobody had to hear of it', aReceipt({ due: 0, acknowledged: 0, receivers: [] })],
    ['Nobody has been told of it yet', aReceipt({ due: 0, acknowledged: 0, receivers: [], deadAt: null })],
    ['There is no receipt of it', undefined],
  ])('%s', (says, receipt) => {
    expect(heardOf(receipt)).toBe(says)
  })
})

describe('whether the resource server itself has heard', () => {
  it.each<[string, boolean, Receipt | undefined]>([
    ['its guard says so', true, aReceipt({})],
    ['its guard says so, among more than are listed', true, aReceipt({ due: 2000, acknowledged: 2000 })],
    ['another’s guard alone says so', false, aReceipt({ receivers: [receiver(elsewhere)] })],
    ['its guard only lapsed', false, aReceipt({ acknowledged: 0, receivers: [receiver(here, null)] })],
    ['none of it had to hear', false, aReceipt({ due: 2, acknowledged: 2, receivers: [] })],
    ['what each did is kept no longer', false, aReceipt({ receivers: null })],
    ['there is no receipt', false, undefined],
  ])('%s', (_, expected, receipt) => {
    expect(isHeardBy(here, receipt)).toBe(expected)
  })
})

it('is found again by its moment, and nothing before or after that', () => {
  expect(momentOf(aReceipt({ receivedAt: '2026-11-30T23:59:59.999Z' }))).toEqual({
    since: '2026-11-30T23:59:59.999Z',
    until: '2026-12-01T00:00:00.000Z',
  })
})
