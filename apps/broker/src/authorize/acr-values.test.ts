/** A client says how strongly the person should sign in, and a resource server sends it to say so: acr_values, up to the guard and back. */

import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err } from '@drawbridge/core/result'
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import {
  type AnIdp,
  type APage,
  type APlainBrowser,
  aCompanyPolicy,
  anAuthorizeUrl,
  aWebRedirectUri,
  publish,
} from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { type TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import type { Connector } from '@drawbridge/upstream/connector'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
let browser: APlainBrowser
const told = toldRefusals()
const origin = 'http://localhost:4400'

beforeAll(async () => {
  at = await aSigningIn(() => now, { wrap: refusing, metrics: told.metrics })
})
afterAll(() => at.close())
beforeEach(() => {
  now = addSeconds(now, 10_000)
  at.idp.started.length = 0
  cannot = undefined
  told.take()
  says(['pwd'])
  browser = at.browser()
})

/** Her IdP answers, in the words of its protocol, that it cannot. */
let cannot: 'saml_authn_context_unmet' | 'oidc_step_up_unmet' | undefined
const refusing = (connector: Connector): Connector => ({
  ...connector,
  finish: async (message, expected) => (cannot === undefined ? connector.finish(message, expected) : err({ reason: cannot })),
})

const says = (amr: readonly string[], more: Partial<AnIdp['says']> = {}) => {
  at.idp.says = { sub: 'ada', groups: ['staff'], amr, ...more }
}
const ask = (change: Record<string, string> = {}) => browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'openid read', ...change }))
const comeHome = (left: APage) => browser.comeHome(left, at.acme.connectionId)
type Tokens = TokenAnswer & { readonly id_token: string }
const client = () => at.client
const redeem = (home: APage) =>
  client().post('token', {
    ...{ grant_type: 'authorization_code', code: new URL(home.location).searchParams.get('code') ?? 'none' },
    ...{ redirect_uri: aWebRedirectUri, code_verifier: aVerifier, client_id: at.acme.clientId },
  }) as Promise<Tokens>
const acrOf = ({ access_token: token }: Pick<TokenAnswer, 'access_token'>) => decodeJwt(token)['acr']
const isAtIdp = ({ location }: APage) => location.startsWith('https://idp.example/login')

describe('acr_values, a wish (OIDC Core §3.1.2.1, §5.5.1.1)', () => {
  it.each([
    { wish: 'multi_factor', amr: ['pwd', 'otp'], acr: undefined, told: 'multi_factor' },
    { wish: 'phr multi_factor', amr: ['pwd', 'otp'], acr: undefined, told: 'multi_factor' },
    { wish: 'phr multi_factor', amr: ['pop', 'user'], acr: 'urn:key', told: 'phr' },
    { wish: 'multi_factor', amr: ['pwd'], acr: 'urn:idp:password', told: 'urn:idp:password' },
    { wish: 'multi_factor', amr: ['pwd'], acr: 'multi_factor', told: undefined },
    { wish: 'gold', amr: ['pwd'], acr: 'gold', told: 'gold' },
    { wish: '', amr: ['pwd', 'otp'], acr: 'phishing_resistant', told: undefined },
    { wish: '', amr: ['pwd', 'otp'], acr: 'urn:idp:mfa', told: 'urn:idp:mfa' },
  ])('$wish of an IdP that says $amr and $acr: both tokens tell $told, and so does every refresh', async ({ wish, amr, acr, told }) => {
    says(amr, acr === undefined ? {} : { acr })
    const tokens = await redeem(await comeHome(await ask({ acr_values: wish })))
    expect(at.idp.started).toMatchObject([{ acrValues: wish.split(' ').filter(Boolean), forceAuthn: false, stepUpAcr: undefined }])
    expect([acrOf(tokens), decodeJwt(tokens.id_token)['acr']]).toEqual([told, told])
    const again = (await client().refresh(tokens.refresh_token)) as Tokens
    expect([acrOf(again), decodeJwt(again.id_token)['acr']]).toEqual([told, told])
    expect(await client().introspect(again.access_token)).toMatchObject(told === undefined ? { active: true } : { active: true, acr: told })
  })

  it('a session that is strong enough answers at once; one that is not goes to the IdP, once, and then counts as it is', async () => {
    await comeHome(await ask())
    const left = await ask({ acr_values: 'multi_factor' })
    expect(isAtIdp(left)).toBe(true)
    expect(acrOf(await redeem(await comeHome(left)))).toBeUndefined()
    expect(at.idp.started).toHaveLength(2)
    says(['pwd', 'otp'])
    await comeHome(await ask({ acr_values: 'multi_factor' }))
    const started = at.idp.started.length
    for (const wish of ['multi_factor', 'phr multi_factor', 'single_factor multi_factor'])
      expect(acrOf(await redeem(await ask({ acr_values: wish })))).toBe(
        wish === 'single_factor multi_factor' ? 'single_factor' : 'multi_factor',
      )
    expect(at.idp.started).toHaveLength(started)
  })

  it.each(['saml_authn_context_unmet', 'oidc_step_up_unmet'] as const)(
    'an IdP that says that it cannot: the client hears it, and nothing of hers is over (OIDC Unmet Authentication Requirements §2): %s',
    async (reason) => {
      const left = await ask({ acr_values: 'multi_factor' })
      cannot = reason
      const { searchParams } = new URL((await comeHome(left)).location)
      expect([searchParams.get('error'), searchParams.get('iss')]).toEqual(['unmet_authentication_requirements', at.issuer])
      expect(told.take()).toEqual(['authentication_unmet'])
      cannot = undefined
      expect((await comeHome(left)).location).toContain('code=dbc_')
      const unasked = await ask({ prompt: 'login' })
      cannot = reason
      expect((await comeHome(unasked)).text).toContain(`cause <code>${reason}</code>`)
    },
  )

  it('with prompt=none the session answers as it is: a wish is no error', async () => {
    await comeHome(await ask())
    expect(acrOf(await redeem(await ask({ acr_values: 'multi_factor', prompt: 'none' })))).toBeUndefined()
  })

  it('what a tenant says of its own IdP is no strength before a resource server (security: policy fails strict)', async () => {
    await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}acr: { "urn:acme:strong": phishing_resistant }\n`)
    says([], { acr: 'urn:acme:strong' })
    expect(acrOf(await redeem(await comeHome(await ask({ acr_values: 'phr' }))))).toBe('urn:acme:strong')
    await publish(at.fixture, at.acme, now, aCompanyPolicy(['read', 'write']))
  })

  it('too many, too long or no words are refused (RFC 6749 §4.1.2.1)', async () => {
    for (const wish of [Array.from({ length: 11 }, (_, n) => `a${n}`).join(' '), 'x'.repeat(256), 'a"b'])
      expect((await ask({ acr_values: wish })).location).toContain('error=invalid_request')
  })

  it('the metadata lists what we know and what the connections list (OIDC Discovery §3, RFC 9470 §7)', async () => {
    const metadata = JSON.parse((await browser.visit(`${at.issuer}/.well-known/openid-configuration`)).text)
    expect(metadata.acr_values_supported).toEqual([
      ...['single_factor', 'multi_factor', 'phishing_resistant', 'phishing_resistant_hardware', 'phr', 'phrh'],
      'https://refeds.org/profile/mfa',
    ])
  })
})

describe('step-up at a resource server (RFC 9470)', () => {
  let guard: Guard
  beforeEach(async () => {
    guard = createGuard({
      resource: at.acme.resource,
      issuers: [{ issuer: at.issuer, credential: { id: at.acme.credentialId, secret: at.acme.credentialSecret } }],
      toolScopes: { search: ['read'], pay: ['read'], sign: ['read'] },
      toolAuthentication: { pay: { acrValues: ['multi_factor', 'phr'] }, sign: { maxAgeSeconds: 300 } },
      onDeaf: 'introspect',
      fetch: (input, init) => fetch((input as string).replace(origin, at.broker.url), init),
      now: () => now,
    })
    await guard.start()
  })
  const call = async (tool: string, { access_token: token }: Pick<TokenAnswer, 'access_token'>) => {
    const verdict = await guard.check(`Bearer ${token}`, guard.toolScopes[tool], guard.toolAuthentication[tool])
    return verdict.ok ? 'served' : verdict.error
  }
  /** What a client does with the challenge: §4 of the RFC. */
  const wishOf = (challenge: Awaited<ReturnType<typeof call>>): Record<string, string> => {
    const header = challenge === 'served' ? '' : (challenge.headers['WWW-Authenticate'] ?? '')
    expect(header).toContain('error="insufficient_user_authentication"')
    const told = [...header.matchAll(/(acr_values|max_age|scope)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])
    return Object.fromEntries(told)
  }

  it('a strength that is missing leads through acr_values to the IdP and back, and the fresh token passes', async () => {
    const weak = await redeem(await comeHome(await ask()))
    expect(await call('search', weak)).toBe('served')
    const wish = wishOf(await call('pay', weak))
    expect(wish).toEqual({ acr_values: 'multi_factor phr', scope: 'read' })
    const left = await ask(wish)
    says(['pwd', 'otp'])
    expect(await call('pay', await redeem(await comeHome(left)))).toBe('served')
    await guard.stop()
  })

  it('a sign-in that is too long ago leads through max_age to another, and the fresh token passes; a refresh does not', async () => {
    const first = await redeem(await comeHome(await ask()))
    expect(await call('sign', first)).toBe('served')
    now = addSeconds(now, 301)
    const refreshed = await client().refresh(first.refresh_token)
    const wish = wishOf(await call('sign', refreshed))
    expect(wish).toEqual({ max_age: '300', scope: 'read' })
    const left = await ask(wish)
    expect([isAtIdp(left), at.idp.started.at(-1)]).toMatchObject([true, { forceAuthn: true }])
    expect(await call('sign', await redeem(await comeHome(left)))).toBe('served')
    await guard.stop()
  })

  it('nobody goes round for ever: an IdP that cannot do more is asked once, and the token says what was reached', async () => {
    const weak = await redeem(await comeHome(await ask()))
    const left = await ask(wishOf(await call('pay', weak)))
    const home = await comeHome(left)
    expect(home.location).toContain('code=dbc_')
    expect(at.idp.started).toHaveLength(2)
    expect(await call('pay', await redeem(home))).toMatchObject({ reason: 'authentication_insufficient', status: 401 })
    await guard.stop()
  })
})
