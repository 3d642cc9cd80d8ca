/** Installations of one client that prove nothing: an admin tells them apart by when and from where each was opened, and ends one (security.md §7). */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { anAuthorizeUrl, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { afterAll, beforeAll, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
beforeAll(async () => {
  at = await aSigningIn(() => now, { settings: readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }) })
  at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
})
afterAll(() => at?.close())

/** Of the one client, at a machine of its own. */
async function anInstallation(address: string) {
  const browser = aPlainBrowser({ issuer: at.issuer, url: at.broker.url, headers: { 'x-forwarded-for': address } })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read' })), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return at.client.post('token', { ...form, client_id: at.acme.clientId })
}

it('are listed with the time and the address of each, and one is ended without the other', async () => {
  const call = anAdmin(at.broker)
  const first = await anInstallation('203.0.113.7')
  now = addSeconds(now, 3600)
  const second = await anInstallation('198.51.100.9')
  const listed = (await call('GET', `/tenants/acme/grants?client=${at.acme.clientId}`)).body.grants
  expect(listed).toMatchObject([
    { openedFrom: '198.51.100.9', createdAt: new Date(now).toISOString(), living: true },
    { openedFrom: '203.0.113.7', createdAt: new Date(addSeconds(now, -3600)).toISOString(), living: true },
  ])
  expect((await call('POST', `/tenants/acme/grants/${listed[1].id}/revoke`, { reason: 'a lost laptop' })).status).toBe(200)
  expect([(await at.client.refresh(first.refresh_token)).error, (await at.client.refresh(second.refresh_token)).error]).toEqual([
    'invalid_grant',
    undefined,
  ])
})

it('one whose key is proved is listed with it', async () => {
  const key = await aDpopKey()
  const browser = aPlainBrowser({ issuer: at.issuer, url: at.broker.url })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read' })), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: aWebRedirectUri,
    code_verifier: aVerifier,
    client_id: at.acme.clientId,
  }
  const dpop = await key.prove({ url: `${at.issuer}/token`, now })
  const bound = await fetch(`${at.broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form), headers: { dpop } })
  expect(await bound.json()).toMatchObject({ token_type: 'DPoP' })
  const listed = (await anAdmin(at.broker)('GET', `/tenants/acme/grants?client=${at.acme.clientId}`)).body.grants as {
    boundToKey: unknown
  }[]
  expect(listed.map(({ boundToKey }) => boundToKey)).toEqual(expect.arrayContaining([key.thumbprint, null]))
})
