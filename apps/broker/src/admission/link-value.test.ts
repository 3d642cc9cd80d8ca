/** By how long a value a login may be linked to a user of its directory. */
import { defaultClaimMapping } from '@drawbridge/core/identity/claim-mapping'
import { instant } from '@drawbridge/core/instant'
import { expect, it } from 'vitest'
import { identify } from './admit.js'

const now = instant(1_800_000_000_000)
const identifiedBy = (value: string) =>
  identify(
    { mapping: defaultClaimMapping, scimLinkKey: { attribute: 'employee', scim: 'externalId' } },
    {
      ...{ kind: 'oidc', connectionId: 'c' as never, issuer: 'i', sub: 's', claims: new Map([['employee', value]]) },
      ...{ acr: undefined, amr: [], authTime: now, sid: undefined, issuedAt: now, expiresAt: now },
    },
  )

it('a link value of 512 characters links', () => {
  expect(identifiedBy('7'.repeat(512))).toMatchObject({ value: { scimLink: { by: 'externalId', value: '7'.repeat(512) } } })
})

it('a longer one is refused, and not passed over, as if there were none', () => {
  expect(identifiedBy('7'.repeat(513))).toMatchObject({ ok: false, error: { reason: 'identity_text_malformed' } })
})
