/** What a live session answers by itself, what it does not, and what of it is in the audit trail. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type APlainBrowser, anAuthorizeUrl, hidden, publish } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
let browser: APlainBrowser

beforeAll(async () => {
  at = await aSigningIn(() => now)
})
afterAll(() => at.close())
/** Ada has signed in a minute ago. */
beforeEach(async () => {
  now = addSeconds(now, 600)
  at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  browser = at.browser()
  await browser.comeHome(await browser.visit(authorize()), at.acme.connectionId)
  now = addSeconds(now, 60)
  at.idp.started.length = 0
})

const authorize = (change?: Record<string, string>) => anAuthorizeUrl(at.issuer, at.acme, { scope: 'read', ...change })
const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(at.fixture.ownerUrl, text, parameters)
const requests = async () => (await sql<{ n: number }>('SELECT count(*)::int AS n FROM authorization_requests'))[0]?.n
const ends = { code: 'code=dbc_', idp: 'https://idp.example/login', consent: '/authorize/consent?request=' } as const

describe('a live session', () => {
  it('answers at once, and the request never has a row', async () => {
    const before = await requests()
    expect((await browser.visit(authorize())).location).toContain(ends.code)
    expect(await requests()).toBe(before)
    expect(at.idp.started).toEqual([])
  })
  it.each([
    { ask: {}, end: ends.code },
    { ask: { prompt: 'none' }, end: ends.code },
    { ask: { prompt: 'login' }, end: ends.idp },
    { ask: { prompt: 'consent' }, end: ends.consent },
    { ask: { prompt: 'login consent' }, end: ends.idp },
    { ask: { prompt: 'select_account' }, end: ends.idp },
    { ask: { prompt: 'select_account none' }, end: 'error=invalid_request' },
    { ask: { max_age: '3600' }, end: ends.code },
    { ask: { max_age: '61' }, end: ends.code },
    { ask: { max_age: '60' }, end: ends.idp },
    { ask: { max_age: '0' }, end: ends.idp },
    { ask: { prompt: 'none', max_age: '3600' }, end: ends.code },
    { ask: { prompt: 'none', max_age: '60' }, end: 'error=login_required' },
    { ask: { prompt: 'none', max_age: '0' }, end: 'error=login_required' },
    { ask: { prompt: 'consent', max_age: '3600' }, end: ends.consent },
    { ask: { prompt: 'none login' }, end: 'error=invalid_request' },
    { ask: { prompt: 'none consent' }, end: 'error=invalid_request' },
    { ask: { prompt: 'create' }, end: 'error=invalid_request' },
    { ask: { max_age: '-1' }, end: 'error=invalid_request' },
    { ask: { max_age: 'soon' }, end: 'error=invalid_request' },
  ] as readonly { ask: Record<string, string>; end: string }[])('asked with $ask ends in $end', async ({ ask, end }) => {
    expect((await browser.visit(authorize(ask))).location).toContain(end)
  })
  it('with max_age=0 answers once the person has signed in for this very request', async () => {
    const left = await browser.visit(authorize({ max_age: '0' }))
    expect(at.idp.started).toMatchObject([{ forceAuthn: true }])
    expect((await browser.comeHome(left, at.acme.connectionId)).location).toContain(ends.code)
  })
  it('without a second factor is sent back for one, and refused where no page may be shown', async () => {
    const mfa = `version: 1\nrules: [{name: staff, effect: grant, scopes: ["read"], groups: [staff]}]\nmfa: [{scopes: ["read"]}]\n`
    await sql('UPDATE browser_sessions SET amr = $1', [['pwd']])
    await publish(at.fixture, at.acme, now, mfa)
    expect((await browser.visit(authorize({ prompt: 'none' }))).location).toContain('error=login_required')
    expect((await browser.visit(authorize())).location).toContain(ends.idp)
    expect(at.idp.started).toMatchObject([{ stepUpAcr: 'mfa', forceAuthn: true }])
  })
})

describe('a no of a person is in the audit trail', () => {
  const declined = (kind: string) =>
    sql('SELECT subject_id, client_id, scopes, reason, request_id, address FROM audit_events WHERE kind = $1 ORDER BY id', [kind])
  const line = { client_id: 'client-of-acme', scopes: ['read'], request_id: expect.any(String), address: expect.any(String) }

  it('on the consent page, with the subject of the session that was asked', async () => {
    const page = await browser.visit(authorize({ prompt: 'consent' }))
    expect((await browser.submit(page.location, { answer: 'deny' })).location).toContain('error=access_denied')
    expect(await declined('consent_denied')).toEqual([{ ...line, subject_id: at.acme.subjectId, reason: 'consent_denied' }])
  })
  it('on the notice, where nobody is known yet; a second no is none', async () => {
    await sql('UPDATE clients SET pre_approved = false')
    const stranger = at.browser()
    const notice = await stranger.visit(authorize())
    const { text } = await stranger.visit(notice.location)
    const [request, proof] = [hidden(text, 'request'), hidden(text, 'proof')]
    const no = () => stranger.visit(`${at.issuer}/authorize/client-notice`, { request, proof, answer: 'cancel' })
    const both = await Promise.all([no(), no()])
    await sql('UPDATE clients SET pre_approved = true')
    expect(both.filter(({ location }) => location.includes('error=access_denied'))).toHaveLength(1)
    expect(both.filter(({ text: page }) => page.includes('request_expired'))).toHaveLength(1)
    expect(await declined('notice_declined')).toEqual([{ ...line, subject_id: null, reason: 'notice_declined' }])
  })
})

it('a request that is refused before anybody has signed in is counted, and leaves no line in the audit trail', async () => {
  const lines = async () => (await sql<{ n: number }>('SELECT count(*)::int AS n FROM audit_events'))[0]?.n
  const before = [await lines(), await requests()]
  const stranger = at.browser()
  const refused = [
    { code_challenge: '' },
    { scope: 'nothing' },
    { client_id: 'nobody' },
    { redirect_uri: 'https://evil.example/' },
    { prompt: 'none' },
  ]
  for (const change of refused as Record<string, string>[]) await stranger.visit(authorize(change))
  expect([await lines(), await requests()]).toEqual(before)
  const counted = await at.broker.deps.metrics.print()
  for (const reason of ['pkce_missing', 'scope_unknown', 'client_unknown', 'redirect_uri_unregistered', 'login_required'])
    expect(counted).toContain(`drawbridge_refusals_total{reason="${reason}"}`)
})
