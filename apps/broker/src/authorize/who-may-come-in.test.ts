/** Whom a company does not let in reads what to ask her IT for, and nothing of her is kept. */
import { provisioningModes } from '@drawbridge/core/identity/provisioning'
import { type Instant, instant } from '@drawbridge/core/instant'
import { insertInvitation } from '@drawbridge/store/invitations'
import { markProvisioningMode } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now: Instant = instant(1_800_000_000_000)
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
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const choose = (mode: (typeof provisioningModes)[number]) =>
  inTenant(fixture.database, acme.tenantId, (db) => markProvisioningMode(db, acme.tenantId, mode))
async function signIn(sub: string) {
  idp.says = { ...idp.says, sub }
  const browser = aPlainBrowser({ issuer, url: broker.url })
  return browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme)), acme.connectionId)
}
const isKnown = async (sub: string) =>
  (await asOwner(fixture.ownerUrl, 'SELECT 1 FROM subjects WHERE tenant_id = $1 AND stable_id = $2', [acme.tenantId, sub])).length === 1

it.each([
  { mode: 'scim_only', code: 'subject_not_in_directory', ask: 'assign this application to you in the directory' },
  { mode: 'invited_only', code: 'subject_not_invited', ask: 'ask your IT for one' },
] as const)('in a tenant that is $mode she reads: $ask', async ({ mode, code, ask }) => {
  await choose(mode)
  const { status, text } = await signIn('newcomer')
  expect([status, text.includes(code), text.includes(ask)]).toEqual([403, true, true])
  expect(await isKnown('newcomer')).toBe(false)
})

it('whoever is invited comes in, and gets her code', async () => {
  await choose('invited_only')
  const invitation = { id: broker.deps.random.uuid(), connectionId: acme.connectionId, namedBy: 'link_key', value: 'grace' } as const
  await inTenant(fixture.database, acme.tenantId, (db) =>
    insertInvitation(db, acme.tenantId, { ...invitation, expiresAt: instant(now + 60_000), now }),
  )
  expect((await signIn('grace')).location).toContain('code=dbc_')
  expect(await isKnown('grace')).toBe(true)
})
