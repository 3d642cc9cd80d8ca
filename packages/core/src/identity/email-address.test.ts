/** Which addresses a login claims, and the domains whose owners are asked for: what is left out here may be another company's. */
import { expect, test } from 'vitest'
import { claimedAddresses, domainsOfAddresses, withVerifiedAddress } from './email-address.js'
import type { ClaimValue, NormalizedIdentity } from './normalized-identity.js'

const keysOf = (claims: Readonly<Record<string, ClaimValue>>, link?: string) =>
  claimedAddresses(new Map(Object.entries(claims)), link).map(({ key }) => key)

test.each([
  { what: 'e-mail', claims: { email: 'Boss@Victim.example' }, link: undefined },
  { what: 'name of the person', claims: { preferred_username: 'boss@victim.example' }, link: undefined },
  { what: 'one of several', claims: { email: ['ada@acme.example', 'boss@victim.example'] }, link: undefined },
  { what: 'value of the link key', claims: {}, link: 'BOSS@victim.example' },
])('an address is claimed as $what', ({ claims, link }) => {
  expect(keysOf(claims, link)).toContain('boss@victim.example')
})

test('what is no address claims none, and what stands in quotes claims the domain that a mail would go to', () => {
  expect(keysOf({ email: 'ada', preferred_username: 7, name: 'x@y.example' }, 'e-17')).toEqual([])
  expect(claimedAddresses(new Map([['preferred_username', '"a@acme.example"@victim.example']]), undefined)).toMatchObject([
    { domain: 'victim.example' },
  ])
})

test('each domain is asked for with every one that it lies below, beside the number of its address', () => {
  const [first, second] = claimedAddresses(new Map([['email', ['a@deep.acme.example', 'b@globex.example']]]), undefined)
  expect(domainsOfAddresses(first && second ? [first, second] : [])).toEqual([
    { domain: 'deep.acme.example', address: 0 },
    { domain: 'acme.example', address: 0 },
    { domain: 'globex.example', address: 1 },
  ])
})

test('nobody but we says that an address is verified, not even where there is none', () => {
  const identity = { connectionId: 'c', claims: new Map<string, ClaimValue>([['email_verified', true]]) } as unknown as NormalizedIdentity
  expect(withVerifiedAddress(identity, []).claims.has('email_verified')).toBe(false)
})
