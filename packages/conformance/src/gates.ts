/** The pages on which a person decides: nobody frames them, and nobody answers them for her. */
import assert from 'node:assert/strict'
import type { Gate, Requirement, Target } from './requirement.js'

async function answered(
  { action, fields, cookie }: Gate,
  how: { readonly cookie?: string; readonly fields?: Readonly<Record<string, string>> },
) {
  const headers = { cookie: how.cookie ?? cookie }
  const body = new URLSearchParams({ ...fields, answer: 'continue', ...how.fields })
  return fetch(action, { method: 'POST', body, headers, redirect: 'manual' })
}
const goesOn = async (asked: Promise<Response>): Promise<boolean> => (await asked).headers.get('location') !== null

/** Every value that the page itself wrote into its form. */
const withoutValues = ({ fields }: Gate) => Object.fromEntries(Object.keys(fields).map((name) => [name, '']))

export const gateRequirements: readonly Requirement[] = [
  {
    section: 'RFC 6749 §10.13',
    level: 'MUST',
    says: 'lets nobody frame the page on which a person decides about a client',
    ask: async ({ openGate }) => {
      const { headers } = await openGate()
      assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
      assert.equal(headers['x-frame-options'], 'DENY')
    },
  },
  {
    section: 'RFC 9700 §4.16',
    level: 'SHOULD',
    says: 'keeps what the page holds out of caches and referrers',
    ask: async ({ openGate }) => {
      const { headers } = await openGate()
      assert.match(String(headers['cache-control']), /no-store/)
      assert.equal(headers['referrer-policy'], 'no-referrer')
    },
  },
  {
    section: 'RFC 6749 §10.12',
    level: 'MUST',
    says: 'takes the answer from the browser that was asked, with what its page held, and from no other',
    ask: async (target: Target) => {
      const gate = await target.openGate()
      const other = await target.openGate()
      assert.equal(await goesOn(answered(gate, { cookie: '' })), false, 'without the cookies')
      assert.equal(await goesOn(answered(gate, { cookie: other.cookie })), false, 'with the cookies of another browser')
      assert.equal(await goesOn(answered(gate, { fields: withoutValues(gate) })), false, 'without what the page held')
      assert.equal(await goesOn(answered(gate, { fields: other.fields })), false, 'with what another page held')
      assert.equal(await goesOn(answered(gate, {})), true, 'as it was asked')
    },
  },
]
