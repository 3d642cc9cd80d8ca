import { instant } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type ClientDraft, upsertClientOfDocument } from './clients.js'
import { inTenant } from './transaction.js'

let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture?.close())

const write = (change: Partial<ClientDraft>) =>
  inTenant(fixture.database, acme.tenantId, (db) =>
    upsertClientOfDocument(db, acme.tenantId, {
      id: 'https://client.example/metadata' as ClientId,
      issuerId: acme.issuerId,
      kind: 'metadata_document',
      name: 'Client',
      redirectUris: ['https://client.example/callback'],
      grantTypes: ['authorization_code'],
      authMethod: 'none',
      secretHash: undefined,
      jwks: undefined,
      applicationType: 'web',
      preApproved: false,
      scopeCeiling: [],
      accessTokenTtlSeconds: undefined,
      now: instant(1_800_000_000_000),
      ...change,
    } as ClientDraft),
  )
const version = async () =>
  (
    await asOwner<{ version: number }>(fixture.ownerUrl, 'SELECT configuration_version AS version FROM tenants WHERE id = $1', [
      acme.tenantId,
    ])
  )[0]?.version

it('is no change of configuration when a metadata document is fetched again and says the same', async () => {
  await write({})
  const before = await version()
  await write({ documentExpiresAt: instant(1_900_000_000_000) })
  expect(await version()).toBe(before)
  await write({ name: 'Another name' })
  expect(Number(await version())).toBe(Number(before) + 1)
  await write({ name: 'Another name', redirectUris: ['https://client.example/other'] })
  expect(Number(await version())).toBe(Number(before) + 2)
})
