/** What a new grant needs beyond rules: proof that is strong and fresh, a session that is young enough, a sign-in and a yes of its own. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APage, type APlainBrowser, anAuthorizeUrl, aWebRedirectUri, publish } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
let browser: APlainBrowser

beforeAll(async () => {
  at = await aSigningIn(() => now)
  const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $3, false)`
  for (const name of ['sensitive', 'admin']) await sql(scope, [at.acme.tenantId, at.acme.resourceId, name])
})
afterAll(() => at.close())
beforeEach(() => {
  now = addSeconds(now, 100_000)
  at.idp.says = twoFactors
  at.idp.started.length = 0
  browser = at.browser()
})

const password = { sub: 'ada', groups: ['staff'], amr: ['pwd'] }
const twoFactors = { ...password, amr: ['pwd', 'otp'] }
const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(at.fixture.ownerUrl, text, parameters)
const policy = (more = '') =>
  publish(
    at.fixture,
    at.acme,
    now,
    `version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write, sensitive, admin], groups: [staff]}]\n${more}`,
  )
const ask = (scope: string, change: Record<string, string> = {}) => browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope, ...change }))
const comeHome = (left: APage) => browser.comeHome(left, at.acme.connectionId)
/** Where the browser has come to. */
const placeOf = ({ location, text }: APage): string =>
  location.includes('code=dbc_')
    ? 'code'
    : location.startsWith('https://idp.example/login')
      ? 'idp'
      : (/\/authorize\/(consent)|error=(\w+)/.exec(location)?.slice(1).find(Boolean) ?? /<code>(\w+)<\/code>/.exec(text)?.[1] ?? 'nowhere')
/** What was asked of the IdP, trip by trip. */
const asked = () => at.idp.started.map(({ forceAuthn, stepUpAcr }) => (stepUpAcr ?? (forceAuthn ? 'anew' : 'who')) as string)
/** Signs in for a scope, and forgets the trips that it took. */
async function signedIn(scope: string, says = twoFactors): Promise<void> {
  at.idp.says = says
  await comeHome(await ask(scope))
  at.idp.started.length = 0
}

describe('a demand of several factors', () => {
  it('is fresh for every new grant, not once per session', async () => {
    await policy('mfa: [{ scopes: [write] }]')
    await signedIn('write')
    now = addSeconds(now, 300)
    expect(placeOf(await ask('write'))).toBe('code')
    now = addSeconds(now, 1)
    expect(placeOf(await ask('write', { prompt: 'none' }))).toBe('login_required')
    expect(placeOf(await ask('read'))).toBe('code')
    const left = await ask('write')
    expect([placeOf(left), asked()]).toEqual(['idp', ['mfa']])
    expect(placeOf(await comeHome(left))).toBe('code')
  })

  it.each([
    { of: 'tier', met: 'tiers: [write]', other: 'tiers: [read, sensitive, admin]' },
    { of: 'scope', met: 'scopes: [wri*]', other: 'scopes: [read]' },
    { of: 'client', met: 'clients: { ids: [client-of-acme] }', other: 'clients: { ids: [other] }' },
    { of: 'resource', met: 'resource: RESOURCE', other: 'resource: https://other.example' },
    { of: 'group', met: 'groups: [staff]', other: 'groups: [board]' },
    { of: 'condition', met: `when: "request.scopes.exists(s, s == 'write')"`, other: `when: "'admin' in request.scopes"` },
  ])('by $of asks those whom it names, and nobody else', async ({ met, other }) => {
    const demand = (whom: string) => policy(`mfa: [{ name: strong, ${whom.replace('RESOURCE', at.acme.resource)} }]`)
    await demand(other)
    await signedIn('write', password)
    expect(placeOf(await ask('write'))).toBe('code')
    await demand(met)
    expect(placeOf(await ask('write'))).toBe('idp')
    expect(asked()).toEqual(['mfa'])
  })

  it('that is not met ends, after one trip more, on a page that says what was missing and who demands it', async () => {
    await policy('mfa: [{ name: strong, scopes: [write], strength: phishing_resistant }]')
    const again = await comeHome(await ask('write'))
    expect(placeOf(again)).toBe('idp')
    const refused = await comeHome(again)
    expect([refused.status, placeOf(refused), asked()]).toEqual([403, 'mfa_missing', ['who', 'mfa']])
    expect(refused.text).toContain('phishing-resistant authentication, which strong demands; the identity provider proved multi factor')
    expect(refused.text).toContain('error=access_denied')
  })

  it('whose proof came without a time is refused: nobody can show that it is fresh', async () => {
    await policy('mfa: [{ name: strong, scopes: [write] }]')
    at.idp.says = { ...twoFactors, signedInAt: undefined } as typeof at.idp.says
    const refused = await comeHome(await comeHome(await ask('write')))
    expect([placeOf(refused), asked()]).toEqual(['mfa_missing', ['who', 'mfa']])
    expect(refused.text).toContain('the identity provider did not say it')
  })
})

describe('what is privileged', () => {
  const redeem = async (page: APage) => {
    const code = new URL(page.location).searchParams.get('code') ?? ''
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: aWebRedirectUri,
      code_verifier: aVerifier,
      client_id: at.acme.clientId,
    }
    const answer = await fetch(`${at.broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
    return (await answer.json()) as Record<string, unknown>
  }

  it('needs an interactive sign-in for each request, a yes, and gets five minutes without a refresh token', async () => {
    await policy()
    for (const round of ['without a session', 'with the session of a minute ago']) {
      const left = await ask('admin')
      expect([round, placeOf(left)]).toEqual([round, 'idp'])
      const page = await comeHome(left)
      expect([round, placeOf(page)]).toEqual([round, 'consent'])
      const tokens = await redeem(await browser.submit(page.location, { answer: 'allow' }))
      expect([tokens['scope'], tokens['expires_in'], tokens['refresh_token']]).toEqual(['admin', 300, undefined])
      now = addSeconds(now, 60)
    }
    expect(asked()).toEqual(['anew', 'anew'])
  })

  it.each([
    { when: 'the IdP did not ask again', signedInAt: -301 },
    { when: 'the IdP does not say when she signed in', signedInAt: undefined },
  ])('is refused as login_not_fresh when $when, after one trip more', async ({ signedInAt }) => {
    await policy()
    at.idp.says = { ...twoFactors, signedInAt: signedInAt === undefined ? undefined : addSeconds(now, signedInAt) } as typeof at.idp.says
    const again = await comeHome(await ask('admin'))
    expect(placeOf(again)).toBe('idp')
    const refused = await comeHome(again)
    expect([refused.status, placeOf(refused), asked()]).toEqual([403, 'login_not_fresh', ['anew', 'anew']])
    expect(refused.text).toContain('a sign-in for this request alone')
  })

  it('with a demand of several factors is asked for both at once, from whatever session', async () => {
    await policy('mfa: [{ tiers: [admin] }]')
    await signedIn('read')
    expect(placeOf(await comeHome(await ask('admin')))).toBe('consent')
    expect(asked()).toEqual(['mfa'])
  })

  it('waits for a yes only as long as the sign-in counts', async () => {
    await policy()
    const page = await comeHome(await ask('admin'))
    now = addSeconds(now, 301)
    const late = await browser.submit(page.location, { answer: 'allow' })
    expect([placeOf(late), asked()]).toEqual(['idp', ['anew', 'anew']])
  })
})

describe('a session that is older than the refresh tokens of a tier may become', () => {
  it.each([
    { scope: 'sensitive', young: 3600, end: 'consent' },
    { scope: 'write', young: 4 * 3600, end: 'code' },
    { scope: 'read', young: 8 * 3600, end: 'code' },
  ])('answers for $scope until then and no longer', async ({ scope, young, end }) => {
    await policy()
    await signedIn('read')
    now = addSeconds(now, young)
    expect(placeOf(await ask(scope))).toBe(end)
    now = addSeconds(now, 1)
    expect(placeOf(await ask(scope, { prompt: 'none' }))).toBe('login_required')
    const left = await ask(scope)
    expect([placeOf(left), asked()]).toEqual(['idp', ['anew']])
    expect(placeOf(await comeHome(left))).toBe(end)
  })
})

it('what is sensitive is agreed to anew each time, though the client is vouched for and she agreed a minute ago', async () => {
  await policy()
  await signedIn('read')
  for (let round = 0; round < 2; round += 1) {
    const page = await ask('read sensitive')
    expect(placeOf(page)).toBe('consent')
    expect(placeOf(await browser.submit(page.location, { answer: 'allow' }))).toBe('code')
  }
  expect(placeOf(await ask('sensitive', { prompt: 'none' }))).toBe('interaction_required')
})

describe('a sign-in that policy calls too old', () => {
  const maxAge = 'session: { authenticationMaxAgeSeconds: 1000 }'
  const old = () => ({ ...twoFactors, signedInAt: addSeconds(now, -2000) })

  it('is asked for anew, and then counts', async () => {
    await policy(maxAge)
    at.idp.says = old()
    const again = await comeHome(await ask('read'))
    expect([placeOf(again), asked()]).toEqual(['idp', ['who', 'anew']])
    at.idp.says = twoFactors
    expect(placeOf(await comeHome(again))).toBe('code')
  })
  it('is refused when the IdP does not ask, and the page says what ended', async () => {
    await policy(maxAge)
    at.idp.says = old()
    const refused = await comeHome(await comeHome(await ask('read')))
    expect([refused.status, asked()]).toEqual([403, ['who', 'anew']])
    expect(refused.text).toContain('nothing lives longer than 1000 s after the sign-in at the IdP')
  })
})

describe('nobody goes round in circles', () => {
  const barrier = () =>
    sql('UPDATE subjects SET barrier_at = $1, epoch = epoch + 1 WHERE tenant_id = $2', [new Date(addSeconds(now, -3)), at.acme.tenantId])
  const everything = 'mfa: [{ scopes: ["*"] }]\nsession: { authenticationMaxAgeSeconds: 1000 }'

  it.each([
    { says: 'nothing new, ever', change: { amr: ['pwd'], signedInAt: -100 }, most: 2 },
    { says: 'an old sign-in, ever', change: { signedInAt: -5000 }, most: 2 },
    { says: 'no time, ever', change: { signedInAt: undefined }, most: 2 },
  ])('an IdP that says $says is asked at most $most times, for any tier', async ({ change, most }) => {
    await policy(everything)
    for (const scope of ['read', 'write', 'sensitive', 'admin', 'read write sensitive admin']) {
      browser = at.browser()
      at.idp.started.length = 0
      const { signedInAt } = change
      at.idp.says = {
        ...twoFactors,
        ...change,
        signedInAt: signedInAt === undefined ? undefined : addSeconds(now, signedInAt),
      } as typeof at.idp.says
      let page = await ask(scope)
      for (let trips = 0; placeOf(page) === 'idp' && trips < 10; trips += 1) page = await comeHome(page)
      expect([scope, page.status, at.idp.started.length <= most]).toEqual([scope, 403, true])
    }
  })

  it('nor after a barrier, whose trip is not counted with those of policy', async () => {
    await policy(everything)
    await signedIn('read')
    await barrier()
    at.idp.says = { ...password, signedInAt: addSeconds(now, -3600) } as typeof at.idp.says
    const afterBarrier = await comeHome(await ask('admin'))
    expect([placeOf(afterBarrier), asked()]).toEqual(['login_not_fresh', ['anew']])
    const plain = await comeHome(await ask('read'))
    expect([placeOf(plain), asked()]).toEqual(['idp', ['anew', 'who', 'anew']])
    at.idp.says = password
    const stepUp = await comeHome(plain)
    expect([placeOf(stepUp), asked()]).toEqual(['idp', ['anew', 'who', 'anew', 'mfa']])
    expect(placeOf(await comeHome(stepUp))).toBe('mfa_missing')
    await sql('UPDATE subjects SET barrier_at = NULL')
  })

  it('and where no page may be shown, every one of them is an error that the client understands', async () => {
    await policy(everything)
    await signedIn('read')
    now = addSeconds(now, 301)
    for (const scope of ['read', 'sensitive', 'admin']) expect(placeOf(await ask(scope, { prompt: 'none' }))).toBe('login_required')
    expect(asked()).toEqual([])
    await policy()
    expect(placeOf(await ask('admin', { prompt: 'none' }))).toBe('login_required')
    expect(placeOf(await ask('sensitive', { prompt: 'none' }))).toBe('interaction_required')
  })
})
