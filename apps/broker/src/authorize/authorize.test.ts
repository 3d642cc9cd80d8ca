import { createHash } from 'node:crypto'
import type { IdToken } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { withoutLogout } from '@drawbridge/testkit/a-login'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import type { Connector, StartLogin } from '@drawbridge/upstream/connector'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const issuer = 'http://localhost:4400/t/acme'
const redirectUri = 'http://127.0.0.1:51234/callback'
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const policy = `version: 1
rules:
  - {name: readers, effect: grant, scopes: ["read"], groups: [staff]}
  - {name: writers, effect: grant, scopes: ["write"], groups: [staff]}
mfa:
  - {scopes: ["write"]}
`
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let started: StartLogin[] = []
/** What the IdP says next. */
let says: { sub: string; groups: string[]; amr: string[] } = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
let issuedAt: Instant | undefined
let isDown = false
let keysAreAwaited = false
/** When she signed in there; `undefined`: now. `null`: it does not say. */
let authenticatedAt: Instant | null | undefined

/** The port with a company behind it that always answers; the real connectors are tested in upstream and end to end. */
const connector = (): Connector => ({
  ...withoutLogout,
  start: async (request) => {
    if (isDown) return err({ reason: 'upstream_fetch_failed' })
    started.push(request)
    const upstreamId = createHash('sha256').update(request.relayState).digest('base64url')
    return ok({
      answer: { kind: 'redirect', url: `https://idp.example/login?state=${request.relayState}` },
      upstreamId,
      state: new Secret('sealed'),
    })
  },
  finish: async (message, expected) => {
    if (keysAreAwaited) return err({ reason: 'oidc_keys_awaited', detail: { retryAfterSeconds: 7 } })
    if (message.parameters.get('code') !== 'good' || expected.state.reveal() !== 'sealed')
      return err({ reason: 'oidc_state_mismatch' as never })
    const claims = new Map<string, unknown>([
      ['sub', says.sub],
      ['groups', says.groups],
      ['nonce', expected.upstreamId],
    ])
    const token: IdToken = {
      kind: 'oidc',
      connectionId: acme.connectionId,
      issuer: 'https://idp.example',
      sub: says.sub,
      claims,
      acr: undefined,
      amr: says.amr,
      authTime: authenticatedAt === undefined ? now : (authenticatedAt ?? undefined),
      sid: undefined,
      issuedAt: issuedAt ?? now,
      expiresAt: addSeconds(now, 300),
    }
    return ok(token)
  },
})

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const configuration = JSON.stringify({ issuer: 'https://idp.example', clientId: 'drawbridge' })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $1', [configuration])
  for (const [name, isDefault] of [
    ['read', true],
    ['write', false],
  ] as const) {
    await asOwner(
      fixture.ownerUrl,
      'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $4, $3, $5)',
      [acme.tenantId, acme.resourceId, name, `May ${name} tickets`, isDefault],
    )
  }
  await inTenant(fixture.database, acme.tenantId, (db) => publishPolicy(db, acme.tenantId, { document: policy, author: 'test', now }))
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: connector })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(() => {
  now = addSeconds(now, 5)
  started = []
  says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  issuedAt = undefined
  authenticatedAt = undefined
  isDown = false
  keysAreAwaited = false
})

type Page = { status: number; location: string; text: string }
function aBrowser() {
  const jar = new Map<string, string>()
  const visit = async (url: string, form?: Record<string, string>): Promise<Page> => {
    const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }
    const init = { headers, redirect: 'manual' as const, ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}) }
    const response = await fetch(url.replace('http://localhost:4400', broker.url), init)
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=')
      jar.set(name, value)
    }
    return { status: response.status, location: response.headers.get('location') ?? '', text: await response.text() }
  }
  return { visit, jar }
}
type Browser = ReturnType<typeof aBrowser>

const authorizeUrl = (change: Record<string, string | undefined> = {}): string => {
  const all = {
    client_id: acme.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource: acme.resource,
    state: 'xyz',
    ...change,
  }
  return `${issuer}/authorize?${new URLSearchParams(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))}`
}
const field = (text: string, name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? ''
const answerPage = async (browser: Browser, url: string, answer: string): Promise<Page> => {
  const shown = await browser.visit(url)
  expect(shown.status).toBe(200)
  return browser.visit(url.split('?')[0] as string, { request: field(shown.text, 'request'), proof: field(shown.text, 'proof'), answer })
}
const callbackUrl = (state: string, code = 'good') => `${issuer}/oidc/${acme.connectionId}/callback?code=${code}&state=${state}`
const toUpstream = async (browser: Browser, change: Record<string, string | undefined> = {}): Promise<string> => {
  const first = await browser.visit(authorizeUrl(change))
  expect(first.location).toContain('/authorize/client-notice?request=')
  const left = await answerPage(browser, first.location, 'continue')
  return new URL(left.location).searchParams.get('state') as string
}
const parametersOf = (location: string) => Object.fromEntries(new URL(location).searchParams)

describe('a login', () => {
  it('passes both gates and ends with code, state and iss', async () => {
    const browser = aBrowser()
    const first = await browser.visit(authorizeUrl())
    expect(started).toHaveLength(0)
    const notice = await browser.visit(first.location)
    expect(notice.text).toContain('127.0.0.1:51234')
    expect(notice.text).toContain('runs on your own device')
    const left = await answerPage(browser, first.location, 'continue')
    expect(left.location).toMatch(/^https:\/\/idp\.example\/login\?state=/)
    const back = await browser.visit(callbackUrl(new URL(left.location).searchParams.get('state') as string))
    expect(back.location).toContain('/authorize/consent?request=')
    expect((await browser.visit(back.location)).text).toContain('May read tickets')
    const answered = await answerPage(browser, back.location, 'allow')
    expect(answered.location.startsWith(`${redirectUri}?`)).toBe(true)
    expect(parametersOf(answered.location)).toEqual({ code: expect.stringMatching(/^dbc_/), state: 'xyz', iss: issuer })
    const grants = await asOwner<{ scopes: string[]; subject_id: string }>(fixture.ownerUrl, 'SELECT scopes, subject_id FROM grants')
    expect(grants).toEqual([{ scopes: ['read'], subject_id: acme.subjectId }])
    const again = await browser.visit(authorizeUrl())
    expect(again.location).toContain('/authorize/consent')
    expect((await browser.visit(authorizeUrl({ prompt: 'none' }))).location).toContain('error=interaction_required')
    expect((await browser.visit(authorizeUrl({ prompt: 'login' }))).location).toContain('/authorize/client-notice')
  })
  it('is answered with access_denied when the person says no', async () => {
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    const denied = await answerPage(browser, back.location, 'deny')
    expect(parametersOf(denied.location)).toMatchObject({ error: 'access_denied', state: 'xyz', iss: issuer })
  })
  it('goes back upstream once for a second factor, then says what was missing', async () => {
    says = { ...says, amr: ['pwd'] }
    const browser = aBrowser()
    const once = await browser.visit(callbackUrl(await toUpstream(browser, { scope: 'write' })))
    expect(started.map((request) => request.stepUpAcr)).toEqual([undefined, 'mfa'])
    const twice = await browser.visit(callbackUrl(new URL(once.location).searchParams.get('state') as string))
    expect(twice.status).toBe(403)
    expect(twice.text).toContain('What was missing')
    expect(started).toHaveLength(2)
  })
  it('is refused in another browser, and a second time in its own', async () => {
    const browser = aBrowser()
    const state = await toUpstream(browser)
    expect((await aBrowser().visit(callbackUrl(state))).text).toContain('request_not_of_browser')
    const both = await Promise.all([browser.visit(callbackUrl(state)), browser.visit(callbackUrl(state))])
    expect(both.filter((page) => page.location.includes('/authorize/consent'))).toHaveLength(1)
    expect((await browser.visit(callbackUrl(state))).status).toBe(400)
  })
  it('is refused for a deactivated subject, and with evidence from before a barrier', async () => {
    const browser = aBrowser()
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET deactivated_at = $1 WHERE id = $2', [new Date(now), acme.subjectId])
    expect((await browser.visit(callbackUrl(await toUpstream(browser)))).text).toContain('subject_deactivated')
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET deactivated_at = NULL, barrier_at = $1 WHERE id = $2', [
      new Date(now),
      acme.subjectId,
    ])
    expect((await browser.visit(callbackUrl(await toUpstream(browser)))).text).toContain('login_refused')
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET barrier_at = NULL')
  })
  it.each([
    { when: 'active', active: true, deleted: false, text: undefined },
    { when: 'inactive', active: false, deleted: false, text: 'subject_deactivated' },
    { when: 'deleted', active: true, deleted: true, text: 'subject_deactivated' },
  ])('meets a SCIM user that is $when', async ({ when, active, deleted, text }) => {
    const configuration = JSON.stringify({
      issuer: 'https://idp.example',
      clientId: 'drawbridge',
      scimLinkKey: { attribute: 'sub', scim: 'externalId' },
    })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $1', [configuration])
    says = { ...says, sub: `person-${when}` }
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at, deleted_at)
       VALUES ($1, gen_random_uuid(), $2, $3, $3, $3, $4, '{}', $5, $5, $6)`,
      [acme.tenantId, acme.connectionId, says.sub, active, new Date(now), deleted ? new Date(now) : null],
    )
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    if (text === undefined) expect(back.location).toContain('/authorize/consent')
    else expect(back.text).toContain(text)
    const linked = await asOwner<{ linked: boolean }>(
      fixture.ownerUrl,
      'SELECT scim_user_id IS NOT NULL AS linked FROM subjects WHERE stable_id = $1',
      [says.sub],
    )
    expect(linked).toEqual(text === undefined ? [{ linked: true }] : [])
  })
})

describe('a sign-in from before a barrier', () => {
  const stateOf = (page: Page) => new URL(page.location).searchParams.get('state') as string
  const reasons = async () =>
    (
      await asOwner<{ reason: string }>(
        fixture.ownerUrl,
        "SELECT reason FROM audit_events WHERE kind = 'login_refused' AND at = $1 ORDER BY id",
        [new Date(now)],
      )
    ).map(({ reason }) => reason)
  const session = /drawbridge-session/
  beforeEach(async () => {
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET barrier_at = $1, epoch = epoch + 1 WHERE id = $2', [
      new Date(addSeconds(now, -3)),
      acme.subjectId,
    ])
    authenticatedAt = addSeconds(now, -3600)
  })
  afterAll(() => asOwner(fixture.ownerUrl, 'UPDATE subjects SET barrier_at = NULL'))

  it('is sent back once, with the demand to ask her again, and then counts', async () => {
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    expect(started.map(({ forceAuthn, stepUpAcr }) => [forceAuthn, stepUpAcr])).toEqual([
      [false, undefined],
      [true, undefined],
    ])
    expect([...browser.jar.keys()].filter((name) => session.test(name))).toEqual([])
    authenticatedAt = undefined
    expect((await browser.visit(callbackUrl(stateOf(back)))).location).toContain('/authorize/consent')
    expect(await reasons()).toEqual(['fresh_login_required'])
  })
  it('that is demanded in place of a step-up is demanded with the second factor', async () => {
    says = { ...says, amr: ['pwd'] }
    authenticatedAt = undefined
    const browser = aBrowser()
    const stepUp = await browser.visit(callbackUrl(await toUpstream(browser, { scope: 'write' })))
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET barrier_at = $1, epoch = epoch + 1 WHERE id = $2', [new Date(now), acme.subjectId])
    authenticatedAt = addSeconds(now, -1)
    now = addSeconds(now, 5)
    const again = await browser.visit(callbackUrl(stateOf(stepUp)))
    expect(started.map(({ forceAuthn, stepUpAcr }) => [forceAuthn, stepUpAcr])).toEqual([
      [false, undefined],
      [true, 'mfa'],
      [true, 'mfa'],
    ])
    authenticatedAt = undefined
    says = { ...says, amr: ['pwd', 'otp'] }
    expect((await browser.visit(callbackUrl(stateOf(again)))).location).toContain('/authorize/consent')
  })
  it.each([
    { when: 'the IdP ignores it', at: -3600 },
    { when: 'the IdP does not say when she signed in', at: undefined },
  ])('is refused the second time, in plain words, when $when', async ({ at }) => {
    authenticatedAt = at === undefined ? null : addSeconds(now, at)
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    const refused = await browser.visit(callbackUrl(stateOf(back)))
    expect(refused).toMatchObject({ status: 403, location: '' })
    expect(refused.text).toContain('login_not_fresh')
    expect(refused.text).toContain('had to ask who you are once more')
    expect(started).toHaveLength(2)
    expect([...browser.jar.keys()].filter((name) => session.test(name))).toEqual([])
    expect(await reasons()).toEqual(['fresh_login_required', 'login_not_fresh'])
  })
})

describe('text that no database keeps', () => {
  it.each([
    { where: 'the subject', change: { sub: 'ada\0' } },
    { where: 'a group', change: { groups: ['staff', 'st\0aff'] } },
    { where: 'half a character of the subject', change: { sub: 'ada\ud83d' } },
    { where: 'a method', change: { amr: ['pwd', '\udc00'] } },
  ])('in $where is a refusal with a name, and the login stays open', async ({ change }) => {
    const honest = says
    says = { ...says, ...change }
    const browser = aBrowser()
    const state = await toUpstream(browser)
    const refused = await browser.visit(callbackUrl(state))
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('identity_unusable')
    says = honest
    expect((await browser.visit(callbackUrl(state))).location).toContain('/authorize/consent')
  })
})

describe('a refusal', () => {
  it.each([
    { when: 'the client is unknown', change: { client_id: 'nobody' }, text: 'client_unknown' },
    { when: 'the redirect URI is not its own', change: { redirect_uri: 'https://evil.example/cb' }, text: 'redirect_uri_unregistered' },
  ])('is a page and never a redirect when $when', async ({ change, text }) => {
    const answer = await aBrowser().visit(authorizeUrl(change))
    expect(answer).toMatchObject({ status: 400, location: '' })
    expect(answer.text).toContain(text)
  })
  it.each([
    { change: { code_challenge: undefined }, error: 'invalid_request' },
    { change: { resource: 'https://unknown.example' }, error: 'invalid_target' },
    { change: { scope: 'nothing' }, error: 'invalid_scope' },
    { change: { prompt: 'none' }, error: 'login_required' },
  ])('goes back to the client as $error with state and iss', async ({ change, error }) => {
    const answer = await aBrowser().visit(authorizeUrl(change))
    expect(parametersOf(answer.location)).toMatchObject({ error, state: 'xyz', iss: issuer })
  })
  it('says so, and what helps, when the IdP cannot be reached', async () => {
    const browser = aBrowser()
    const first = await browser.visit(authorizeUrl())
    isDown = true
    const refused = await answerPage(browser, first.location, 'continue')
    expect(refused.status).toBe(502)
    for (const words of ['login_unavailable', 'upstream_fetch_failed', 'took too long', 'check that the IdP is reachable'])
      expect(refused.text).toContain(words)
  })
  it('is told to try again in a minute where the IdP signs with a key that may not be asked for yet', async () => {
    const browser = aBrowser()
    const left = await answerPage(browser, (await browser.visit(authorizeUrl())).location, 'continue')
    keysAreAwaited = true
    const callback = callbackUrl(new URL(left.location).searchParams.get('state') ?? '')
    expect(await browser.visit(callback)).toMatchObject({ status: 503, text: expect.stringContaining('oidc_keys_awaited') })
    keysAreAwaited = false
    expect((await browser.visit(callback)).text).not.toContain('request_not_of_browser')
  })
  it('meets a form without the proof of its page', async () => {
    const browser = aBrowser()
    const first = await browser.visit(authorizeUrl())
    const request = new URL(first.location).searchParams.get('request') as string
    const forged = await browser.visit(`${issuer}/authorize/client-notice`, { request, proof: '1.' + 'A'.repeat(43), answer: 'continue' })
    expect(forged.status).toBe(403)
    expect(started).toHaveLength(0)
  })
})

describe('a yes on the consent page', () => {
  const proofOf = (page: Page) => ({ request: field(page.text, 'request'), proof: field(page.text, 'proof') })

  it('counts for the person who was asked, not for whoever has signed in since', async () => {
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    const shown = await browser.visit(back.location)
    says = { ...says, sub: 'bob' }
    await browser.visit(callbackUrl(await toUpstream(browser, { prompt: 'login' })))
    const answered = await browser.visit(`${issuer}/authorize/consent`, { ...proofOf(shown), answer: 'allow' })
    expect(answered.location).toContain('/authorize/consent?request=')
    expect((await answerPage(browser, answered.location, 'allow')).location).toContain('code=')
  })
  it('counts for what the page showed, not for what has been decided since', async () => {
    const browser = aBrowser()
    const back = await browser.visit(callbackUrl(await toUpstream(browser)))
    const shown = await browser.visit(back.location)
    await asOwner(
      fixture.ownerUrl,
      `UPDATE authorization_requests SET decision = jsonb_set(decision, '{scopes}', '["read","write"]') WHERE id = $1`,
      [proofOf(shown).request],
    )
    expect((await browser.visit(`${issuer}/authorize/consent`, { ...proofOf(shown), answer: 'allow' })).status).toBe(403)
  })
})
