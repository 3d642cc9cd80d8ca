import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { markDocumentWithdrawn, upsertClientOfDocument } from './client-documents.js'
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

it('what the publisher said first stands, no older reading of the client writes it, and a good document takes it back', async () => {
  const lapsed = instant(1_900_000_000_000)
  const client = (await write({ name: 'Third name', documentExpiresAt: lapsed })) as Client
  const withdraw = (of: Client, now: Instant) =>
    inTenant(fixture.database, acme.tenantId, (db) => markDocumentWithdrawn(db, of, { now, reason: 'client_document_gone' }))
  // Another process has read a good one meanwhile.
  expect(await withdraw(client, addSeconds(lapsed, -1))).toBeUndefined()
  const marked = (await withdraw(client, addSeconds(lapsed, 1))) as Client
  expect(marked).toMatchObject({ documentWithdrawnAt: addSeconds(lapsed, 1), documentExpiresAt: lapsed })
  expect(marked.version).toBeGreaterThan(client.version)
  expect(await withdraw(client, addSeconds(lapsed, 2))).toBeUndefined()
  expect((await withdraw(marked, addSeconds(lapsed, 400)))?.documentWithdrawnAt).toBe(addSeconds(lapsed, 1))
  const again = { name: 'Third name', documentExpiresAt: addSeconds(lapsed, 7200), now: addSeconds(lapsed, 500) }
  expect(await write(again)).toMatchObject({ documentWithdrawnAt: undefined })
  const other = { name: 'Fourth name', documentExpiresAt: addSeconds(lapsed, 7200), now: addSeconds(lapsed, 500) }
  const latest = (await write({ ...again, documentExpiresAt: lapsed, name: 'Fifth name' })) as Client
  expect((await withdraw(latest, addSeconds(lapsed, 600)))?.documentWithdrawnAt).toBe(addSeconds(lapsed, 600))
  expect(await write(other)).toMatchObject({ documentWithdrawnAt: undefined })
})
