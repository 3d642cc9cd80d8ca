import { instant } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { upsertClientOfDocument } from './client-documents.js'
import type { ClientDraft } from './clients.js'
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
      postLogoutRedirectUris: [],
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

const clientVersion = async () =>
  (await asOwner<{ version: string }>(fixture.ownerUrl, "SELECT version FROM clients WHERE kind = 'metadata_document'"))[0]?.version

it('is no change of configuration, whatever a metadata document says when it is fetched again: only the client has another version', async () => {
  await write({})
  const before = await version()
  const versions = [await clientVersion()]
  for (const change of [{ name: 'Another name' }, { redirectUris: ['https://client.example/other'] }, {}]) {
    await write({ ...change, documentExpiresAt: instant(1_900_000_000_000) })
    versions.push(await clientVersion())
  }
  expect(await version()).toBe(before)
  expect(new Set(versions).size).toBe(4)
})
