/** What a policy sees of an address: verified is our own word, of this moment, and never the IdP's. */
import { defaultClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { withVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { normalize } from '@drawbridge/core/identity/normalize'
import { instant } from '@drawbridge/core/instant'
import { expect, it } from 'vitest'

const now = instant(1_800_000_000_000)
const seenOf = (claims: Record<string, unknown>, verified: boolean) => {
  const times = { acr: undefined, amr: [], authTime: now, sid: undefined, issuedAt: now, expiresAt: now }
  const token = {
    kind: 'oidc',
    connectionId: 'c' as never,
    issuer: 'i',
    sub: 's',
    claims: new Map(Object.entries(claims)),
    ...times,
  } as const
  const identity = normalize(token, defaultClaimMapping)
  if (!identity.ok) throw new Error(identity.error.say)
  const domains = [{ domain: 'acme.example', connectionId: undefined, verified }]
  return Object.fromEntries(withVerifiedAddress(identity.value, domains).claims)
}

it.each([
  {
    when: 'the domain is proven',
    claims: { email: 'ada@acme.example' },
    verified: true,
    seen: { email: 'ada@acme.example', email_verified: true },
  },
  {
    when: 'only the IdP says so',
    claims: { email: 'ada@acme.example', email_verified: true },
    verified: false,
    seen: { email: 'ada@acme.example', email_verified: false },
  },
  { when: 'there is no address', claims: { email_verified: true }, verified: true, seen: {} },
  { when: 'the address is none', claims: { email: 'Ada <ada@acme.example>' }, verified: true, seen: {} },
])('when $when', ({ claims, verified, seen }) => {
  expect(seenOf(claims, verified)).toEqual(seen)
})
