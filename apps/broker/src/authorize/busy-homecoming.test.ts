/** Somebody comes home while what her app may have is just being withdrawn, for longer than she waits: she is signed in, and told to come again. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
const issuer = 'http://localhost:4400/t/acme'
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd'] }
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

it('her session is begun, though no code could be given', async () => {
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const atIdp = await browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'read' }))
  const admin = new pg.Client({ connectionString: fixture.ownerUrl })
  await admin.connect()
  try {
    await admin.query('BEGIN')
    await admin.query('DELETE FROM resource_issuers WHERE tenant_id = $1 AND resource_id = $2', [acme.tenantId, acme.resourceId])
    const busy = await browser.comeHome(atIdp, acme.connectionId)
    expect(busy.status).toBe(503)
  } finally {
    await admin.end()
  }
  const again = await browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'read' }))
  expect(again.location).toContain('code=dbc_')
})
