/** Whoever chooses her product reads its words for every protocol by which it is known here, with the addresses that this protocol needs. */
import { oidcVendors } from '@drawbridge/upstream/oidc/vendors'
import { vendors } from '@drawbridge/upstream/saml/metadata-vendors'
import { expect, test } from 'vitest'
import { guideOf, type IdpId, type IdpSteps, idpNames, readIdpId } from './idp-guides.js'

const entered = (steps: IdpSteps | undefined) => new Set(steps?.enter.map(([, value]) => value))

test.each(Object.keys(vendors) as IdpId[])('%s by SAML is given ACS and entity ID', (id) => {
  expect(entered(guideOf(id).saml)).toEqual(new Set(['acs', 'entityId']))
})

test.each(Object.keys(oidcVendors) as IdpId[])('%s by OpenID Connect is given the redirect URI', (id) => {
  expect(entered(guideOf(id).oidc)).toContain('redirect')
})

test('each has a name, and nothing that every object has is one of them', () => {
  expect(idpNames.filter(([id, name]) => name === id)).toEqual([])
  expect(['toString', '__proto__', '', 'Okta', undefined].map(readIdpId)).toEqual([undefined, undefined, undefined, undefined, undefined])
})
