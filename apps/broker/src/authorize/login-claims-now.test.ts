/** A login that brings less than the one before: what only the lost group gave is taken from grants that were opened earlier, too. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type AnIdp, anAuthorizeUrl, aWebRedirectUri, publish } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn

const everything = { sub: 'ada', groups: ['staff', 'writers'], amr: ['pwd', 'otp'] }
const withoutWriters = { ...everything, groups: ['staff'] }

beforeAll(async () => {
  at = await aSigningIn(() => now)
})
afterAll(() => at.close())
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  await policy('now')
})

const policy = (claimChanges: 'now' | 'at_next_refresh') =>
  publish(
    at.fixture,
    at.acme,
    now,
    `version: 1
claimChanges: ${claimChanges}
bundles: [{name: staff, groups: [staff], scopes: [read]}, {name: writers, groups: [writers], scopes: [write]}]`,
  )

/** In a browser of its own. */
async function signIn(says: AnIdp['says']) {
  at.idp.says = says
  const browser = at.browser()
  const home = await browser.comeHome(
    await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read write' })),
    at.acme.connectionId,
  )
  const code = new URL(home.location).searchParams.get('code')
  if (code === null) throw new Error(`no code: ${home.location} ${home.text}`)
  now = addSeconds(now, 1)
  const redeemed = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return at.client.post('token', { ...redeemed, client_id: at.acme.clientId })
}
const entries = () =>
  asOwner<{ payload: unknown }>(at.fixture.ownerUrl, "SELECT payload FROM outbox WHERE kind = 'settle-directory' ORDER BY id")

it('at once, where no worker runs: what is lost is inactive, what is kept can be refreshed', async () => {
  const before = await signIn(everything)
  expect(before.scope).toBe('read write')
  expect(await at.client.introspect(before.access_token)).toMatchObject({ active: true })
  const after = await signIn(withoutWriters)
  expect(after.scope).toBe('read')
  expect(await at.client.introspect(before.access_token)).toEqual({ active: false })
  expect(await at.client.introspect(after.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect((await at.client.refresh(before.refresh_token)).scope).toBe('read')
})

it('the worker is asked once for the person whose login it was, and not where a login says what the one before said', async () => {
  await signIn(everything)
  const known = (await entries()).length
  await signIn(everything)
  expect(await entries()).toHaveLength(known)
  await signIn(withoutWriters)
  const told = await entries()
  expect(told).toHaveLength(known + 1)
  expect(told.at(-1)?.payload).toEqual({ connection: at.acme.connectionId, subjects: [expect.any(String)] })
})

it('the same groups in another order are nothing new', async () => {
  await signIn(everything)
  const known = (await entries()).length
  await signIn({ ...everything, groups: everything.groups.toReversed() })
  expect(await entries()).toHaveLength(known)
})

it('at the next refresh, where the policy says so', async () => {
  const before = await signIn(everything)
  await policy('at_next_refresh')
  const known = await entries()
  await signIn(withoutWriters)
  expect(await at.client.introspect(before.access_token)).toMatchObject({ active: true, scope: 'read write' })
  expect(await entries()).toEqual(known)
  expect((await at.client.refresh(before.refresh_token)).scope).toBe('read')
})

it('a login that brings more gives nothing to what was opened before', async () => {
  const before = await signIn(withoutWriters)
  expect((await signIn(everything)).scope).toBe('read write')
  expect(await at.client.introspect(before.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect((await at.client.refresh(before.refresh_token)).scope).toBe('read')
})
