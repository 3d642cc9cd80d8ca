/** The judge of what receivers were sent: whose stream tells of whom. */
import { expect, it } from 'vitest'
import { publicUrl } from '../a-production.js'
import type { Company } from './companies.js'
import { aLedger } from './ledger.js'
import { type Heard, judgeOverheard } from './overheard.js'

const company = { slug: 'initech', issuerPaths: ['/t/initech', ''] } as unknown as Company
const heard = (change: Partial<Heard> = {}): Heard => ({
  ...{ issuerPath: '/t/initech', iss: `${publicUrl}/t/initech`, tenant: 'initech', target: 'subject', targetId: 's' },
  ...change,
})

it.each<[string, number, Partial<Heard>]>([
  ['its own person', 0, {}],
  ['its own person at the front', 0, { issuerPath: '', iss: publicUrl }],
  ['a grant, which may be one that nobody came by', 0, { target: 'grant', targetId: 'unknown' }],
  ['somebody of another company at the front', 0, { issuerPath: '', iss: publicUrl, tenant: 'hooli', targetId: 'other' }],
  ['a stranger', 1, { targetId: 'other' }],
  ['a stranger at the front', 1, { issuerPath: '', iss: publicUrl, targetId: 'other' }],
  ['another company at its own issuer', 1, { tenant: 'hooli' }],
  ['a notice of another issuer', 1, { iss: publicUrl }],
])('%s: %i', (_, count, change) => {
  const ledger = aLedger()
  ledger.issues.push({
    ...{
      sentAt: 0,
      answeredAt: 1,
      token: 't',
      subject: 'ada',
      sub: 's',
      issuerPath: '/t/initech',
      grant: 'g',
      grantSince: 1,
      expiresAt: 9,
    },
  })
  expect(judgeOverheard(company, ledger, [heard(change)])).toHaveLength(count)
})
