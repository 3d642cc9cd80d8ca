/** A start tells of the connections that may lead to this machine without reading all of them: none of those may be missed. */
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listDoubtfulUpstreamsAcrossTenants } from './connections.js'

let fixture: TestDatabase
let tenantId: string

beforeAll(async () => {
  fixture = await testDatabase()
  ;({ tenantId } = await aTenant(fixture, { slug: 'acme' }))
})
afterAll(() => fixture.close())

async function doubtful(configuration: object, kind: string): Promise<boolean> {
  const insert =
    'INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, gen_random_uuid(), $2, $3, $4, now())'
  await asOwner(fixture.ownerUrl, 'DELETE FROM subjects')
  await asOwner(fixture.ownerUrl, 'DELETE FROM connections')
  await asOwner(fixture.ownerUrl, insert, [tenantId, kind, 'Desk', configuration])
  return (await listDoubtfulUpstreamsAcrossTenants(fixture.database)).length === 1
}

test.each([
  'http://127.0.0.1:4410/globex',
  'https://127.0.0.1/sso',
  'https://127.1/sso',
  'https://2130706433/sso',
  'https://0x7f.0.0.1/sso',
  'https://0x7f000001/sso',
  'https://017700000001/sso',
  'https://[::1]/sso',
  'https://localhost/sso',
  'https://LOCALHOST:4410',
  'https://idp.localhost/sso',
  'https://idp.localhost?x',
  'https://%6cocalhost/sso',
  'https://name@localhost/sso',
  'https://idp.example@localhost/sso',
  'https://idp.example\\@localhost/sso',
  'https:localhost/sso',
  'https:///localhost/sso',
  ' https://localhost/sso',
  'https://１２７.0.0.1/sso',
  'http://idp.example/sso',
  '',
])('%j may be this machine', async (url) => {
  expect(await doubtful({ ssoUrl: url }, 'saml')).toBe(true)
  expect(await doubtful({ issuer: url }, 'oidc')).toBe(true)
})

test.each([
  'https://idp.example/sso',
  'https://login.microsoftonline.com/common/saml2',
  'https://acme.okta.com:8443/app?x=localhost',
  'https://idp.example',
])('%j is not', async (url) => {
  expect(await doubtful({ ssoUrl: url }, 'saml')).toBe(false)
  expect(await doubtful({ issuer: url }, 'oidc')).toBe(false)
})

test('what a trust calls its issuer is a name, wherever it seems to lead', async () => {
  expect(await doubtful({ issuer: 'https://localhost' }, 'assertion')).toBe(false)
})
