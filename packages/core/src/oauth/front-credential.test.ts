import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TenantSlug } from '../tenant/ids.js'
import { codePrefix } from './authorization-code.js'
import { nameOfTenant, tenantNamedBy, tenantOfAssertion } from './front-credential.js'
import { formatRefreshToken, readFamily, type TokenFamilyId } from './refresh-token.js'

const acme = 'acme-2' as TenantSlug
const family = '0b8e6a4e-2d0c-4c5e-9a57-0a3f1f5b8f11' as TokenFamilyId
const jwt = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

test('a code and a refresh token of the front name their tenant, and the family is read as ever', () => {
  const token = formatRefreshToken(family, randomBytes(32), acme)
  expect(tenantNamedBy(token)).toBe(acme)
  expect(readFamily(token)).toBe(family)
  expect(tenantNamedBy(`${codePrefix}${nameOfTenant(acme)}${randomBytes(32).toString('base64url')}`)).toBe(acme)
})

test('those of a tenant’s own issuer name none: its address does', () => {
  expect(tenantNamedBy(formatRefreshToken(family, randomBytes(32)))).toBeUndefined()
  expect(tenantNamedBy(`${codePrefix}${randomBytes(32).toString('base64url')}`)).toBeUndefined()
})

test('an access token names the tenant of its claim, and a text that is none names nobody', () => {
  expect(tenantNamedBy(jwt({ tenant: 'globex' }))).toBe('globex')
  for (const text of [jwt({}), jwt(null), jwt({ tenant: 7 }), 'a.b.c', 'a.b', 'dbr_Acme.x', 'dbr_-a.x', 'dbx_acme.x']) {
    expect(tenantNamedBy(text), text).toBeUndefined()
  }
  fc.assert(fc.property(fc.string(), (text) => tenantNamedBy(text) === undefined))
})

test('an assertion names the tenant for which it was made, and never by what its issuer calls the company', () => {
  expect(tenantOfAssertion(jwt({ aud_tenant: 'globex', tenant: 'acme' }))).toBe('globex')
  for (const text of [jwt({ tenant: 'acme' }), jwt({ aud_tenant: ['acme'] }), jwt(null), 'PHNhbWw', 'a.b', ''])
    expect(tenantOfAssertion(text), text).toBeUndefined()
  fc.assert(fc.property(fc.string(), (text) => tenantOfAssertion(text) === undefined))
})
