/**
 * What policy decides is what is issued, shown and kept to: with each ceiling as the winner, a grant is opened through a browser, its tokens
 * are rotated to the end, and nothing of it lives a second longer.
 */
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aCompanyPolicy, anAuthorizeUrl, aWebRedirectUri, publish } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { asOwner } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now() - (Date.now() % 1000))
let at: SigningIn

beforeAll(async () => {
  at = await aSigningIn(() => now)
})
afterAll(() => at.close())
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  await sql('UPDATE resources SET access_token_ttl_seconds = NULL')
  await sql('UPDATE clients SET access_token_ttl_seconds = NULL')
})

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(at.fixture.ownerUrl, text, parameters)

type Tokens = {
  readonly access_token: string
  readonly refresh_token?: string
  readonly expires_in: number
  readonly scope: string
  readonly error?: string
}
async function post(form: Record<string, string>): Promise<Tokens> {
  const body = new URLSearchParams({ client_id: at.acme.clientId, ...form })
  return (await fetch(`${at.broker.url}/t/acme/token`, { method: 'POST', body })).json() as Promise<Tokens>
}
const refresh = (token: string | undefined) => post({ grant_type: 'refresh_token', refresh_token: token ?? '' })

/** Signs in, and asks for access so many seconds later. */
async function aGrantOf(scope: string, secondsLater = 0): Promise<Tokens> {
  const browser = at.browser()
  const ask = () => browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope }))
  let end = await browser.comeHome(await ask(), at.acme.connectionId)
  if (secondsLater > 0) {
    now = addSeconds(now, secondsLater)
    end = await ask()
  }
  const code = new URL(end.location).searchParams.get('code') ?? ''
  return post({ grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier })
}

type Won = { readonly seconds: number; readonly by: string }
type Case = {
  readonly winner: string
  readonly policy?: string
  readonly arrange?: () => unknown
  readonly secondsLater?: number
  readonly access: Won
  readonly refresh: Won
  /** When all of it is over, counted from the opening. */
  readonly end: number
}

const cases: readonly Case[] = [
  { winner: 'tier', access: { seconds: 1800, by: 'tier' }, refresh: { seconds: 28_800, by: 'tier' }, end: 28_800 },
  {
    winner: 'tenant',
    policy: 'limits: { read: { accessTokenSeconds: 60, refreshTokenSeconds: 600 } }',
    ...{ access: { seconds: 60, by: 'tenant' }, refresh: { seconds: 600, by: 'tenant' }, end: 600 },
  },
  {
    winner: 'end of the refresh tokens, of the last access token, too',
    policy: 'limits: { read: { refreshTokenSeconds: 1900 } }',
    ...{ access: { seconds: 1800, by: 'tier' }, refresh: { seconds: 1900, by: 'tenant' }, end: 1900 },
  },
  {
    winner: 'resource',
    arrange: () => sql('UPDATE resources SET access_token_ttl_seconds = 120'),
    ...{ access: { seconds: 120, by: 'resource' }, refresh: { seconds: 28_800, by: 'tier' }, end: 28_800 },
  },
  {
    winner: 'client',
    arrange: () => sql('UPDATE clients SET access_token_ttl_seconds = 90'),
    ...{ access: { seconds: 90, by: 'client' }, refresh: { seconds: 28_800, by: 'tier' }, end: 28_800 },
  },
  {
    winner: 'client rule',
    policy: 'clients: [{ name: c, accessTokenSeconds: 70, refreshTokenSeconds: 700 }]',
    ...{ access: { seconds: 70, by: 'client_rule' }, refresh: { seconds: 700, by: 'client_rule' }, end: 700 },
  },
  {
    winner: 'absolute session',
    policy: 'session: { absoluteSeconds: 3000 }',
    secondsLater: 2900,
    ...{ access: { seconds: 100, by: 'session_absolute' }, refresh: { seconds: 100, by: 'session_absolute' }, end: 100 },
  },
  {
    winner: 'absolute session, without a word of policy or IdP',
    secondsLater: 28_000,
    ...{ access: { seconds: 1800, by: 'tier' }, refresh: { seconds: 15_200, by: 'session_absolute' }, end: 15_200 },
  },
  {
    winner: 'idle session',
    policy: 'session: { idleSeconds: 900 }',
    ...{ access: { seconds: 1800, by: 'tier' }, refresh: { seconds: 900, by: 'session_idle' }, end: 28_800 },
  },
  {
    winner: 'session of the IdP',
    arrange: () => (at.idp.says = { ...at.idp.says, sessionEndsAt: addSeconds(now, 1000) }),
    ...{ access: { seconds: 1000, by: 'idp_session' }, refresh: { seconds: 1000, by: 'idp_session' }, end: 1000 },
  },
  {
    winner: 'age of the authentication',
    policy: 'session: { authenticationMaxAgeSeconds: 1000 }',
    arrange: () => (at.idp.says = { ...at.idp.says, signedInAt: addSeconds(now, -900) }),
    ...{ access: { seconds: 100, by: 'authentication_age' }, refresh: { seconds: 100, by: 'authentication_age' }, end: 100 },
  },
  {
    winner: 're-consent interval',
    policy: 'session: { reconsentSeconds: 500 }',
    ...{ access: { seconds: 500, by: 'reconsent' }, refresh: { seconds: 500, by: 'reconsent' }, end: 500 },
  },
]

describe.each(cases)('where the winner is: $winner', ({ policy = '', arrange, secondsLater, access, refresh: refreshWon, end }) => {
  it('what is issued is what was decided, and everybody is shown the same', async () => {
    await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}${policy}`)
    await arrange?.()
    const tokens = await aGrantOf('read', secondsLater)
    const [opened] = await sql<{ detail: Record<string, any> }>(
      "SELECT detail FROM audit_events WHERE kind = 'grant_opened' ORDER BY id DESC LIMIT 1",
    )
    const { ceilings, explanation } = opened?.detail ?? {}
    expect(ceilings).toMatchObject({ accessToken: access, refreshToken: refreshWon })
    expect([tokens.expires_in, tokens.scope]).toEqual([
      ceilings.accessToken.seconds,
      explanation.scopes
        .filter((scope: { granted: boolean }) => scope.granted)
        .map((scope: { scope: string }) => scope.scope)
        .join(' '),
    ])
    const { body } = await anAdmin(at.broker)('GET', '/tenants/acme/grants')
    expect(body.grants[0]).toMatchObject({ accessTokenSeconds: access.seconds, refreshTokenSeconds: refreshWon.seconds, ceilings })
    expect(Object.keys(body.grants[0].ceilings.accessToken)).toEqual(['seconds', 'by', 'detail'])
  })

  it('rotations reach its end and not beyond', async () => {
    await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}${policy}`)
    await arrange?.()
    let tokens = await aGrantOf('read', secondsLater)
    const over = addSeconds(now, end)
    const step = Math.min(Math.floor(end / 3), refreshWon.seconds - 1)
    for (; addSeconds(now, step) < over; ) {
      now = addSeconds(now, step)
      tokens = await refresh(tokens.refresh_token)
      expect(tokens.error).toBeUndefined()
      expect(decodeJwt(tokens.access_token)['exp']).toBe(Math.min(toSeconds(now) + access.seconds, toSeconds(over)))
    }
    const [latest] = await sql<{ expires_at: Date }>('SELECT expires_at FROM refresh_tokens ORDER BY created_at DESC LIMIT 1')
    expect(latest?.expires_at.getTime()).toBeLessThanOrEqual(over)
    now = addSeconds(over, -1)
    const last = await refresh(tokens.refresh_token)
    expect(last).toMatchObject({ expires_in: 1 })
    now = over
    expect(await refresh(last.refresh_token)).toMatchObject({ error: 'invalid_grant' })
  })
})

it('without refresh tokens all ends with the first access token', async () => {
  await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}limits: { read: { refreshTokenSeconds: none } }`)
  const tokens = await aGrantOf('read')
  expect(tokens).toMatchObject({ expires_in: 1800 })
  expect(tokens.refresh_token).toBeUndefined()
  const { body } = await anAdmin(at.broker)('GET', '/tenants/acme/grants')
  expect(body.grants[0]).toMatchObject({ refreshTokenSeconds: null, ceilings: { accessToken: { by: 'tier' }, refreshToken: null } })
  expect(Date.parse(body.grants[0].expiresAt)).toBe(addSeconds(now, 1860))
})

it('refresh tokens shorter than access tokens take nothing from the first one, and win no time by rotation', async () => {
  await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}limits: { read: { refreshTokenSeconds: 600 } }`)
  let tokens = await aGrantOf('read')
  const opened = now
  expect(tokens).toMatchObject({ expires_in: 1800 })
  for (const seconds of [300, 599]) {
    now = addSeconds(opened, seconds)
    tokens = await refresh(tokens.refresh_token)
    expect(tokens).toMatchObject({ expires_in: 1860 - seconds })
  }
  now = addSeconds(opened, 600)
  expect(await refresh(tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' })
})

it('the end that a directory names binds logins and what is open, and from then on nothing is issued or believed', async () => {
  await publish(at.fixture, at.acme, now, aCompanyPolicy(['read', 'write']))
  const [open, idle] = [await aGrantOf('read'), await aGrantOf('read')]
  // As `store/end-dates.ts` writes it, without a barrier of its own.
  const nameEnd = (at: Date | null) =>
    sql("UPDATE subjects SET deactivates_at = $1, claims_version = claims_version + 1 WHERE stable_id = 'ada'", [at])
  const end = addSeconds(now, 1000)
  await nameEnd(new Date(end))
  const later = await aGrantOf('read')
  const { body } = await anAdmin(at.broker)('GET', '/tenants/acme/grants')
  const won = { accessToken: { seconds: 1000, by: 'deactivation' }, refreshToken: { seconds: 1000, by: 'deactivation' } }
  // Three were opened at the same moment: which of them is listed first is chance.
  const ofLater = body.grants.filter(({ expiresAt }: { expiresAt: string }) => expiresAt === new Date(end).toISOString())
  expect(ofLater).toMatchObject([{ ceilings: won }])
  now = addSeconds(now, 900)
  const again = await refresh(open.refresh_token)
  expect(again).toMatchObject({ expires_in: 100 })
  const [told] = await sql<{ ceilings: unknown }>(
    "SELECT detail -> 'ceilings' AS ceilings FROM audit_events WHERE kind = 'token_refreshed' ORDER BY id DESC LIMIT 1",
  )
  expect(told?.ceilings).toMatchObject({
    accessToken: { seconds: 100, by: 'deactivation' },
    refreshToken: { seconds: 100, by: 'deactivation' },
  })
  now = end
  for (const tokens of [again, idle, later]) expect(await refresh(tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' })
  const browser = at.browser()
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read' })), at.acme.connectionId)
  expect(home.location).not.toContain('code=')
  await nameEnd(null)
  expect(await aGrantOf('read')).toMatchObject({ expires_in: 1800 })
})

it('a refresh token that nobody used for its idle time is dead, though the grant is not over', async () => {
  await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}session: { idleSeconds: 900 }`)
  const tokens = await aGrantOf('read')
  now = addSeconds(now, 900)
  expect(await refresh(tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' })
})

it('limits that a policy tightens later count from the opening, and shrink or end what is open at its next refresh', async () => {
  await publish(at.fixture, at.acme, now, aCompanyPolicy(['read', 'write']))
  const [shrunk, ended] = [await aGrantOf('read'), await aGrantOf('read')]
  const opened = now
  const tightened = 'limits: { read: { accessTokenSeconds: 300, refreshTokenSeconds: 600 } }'
  await publish(at.fixture, at.acme, now, `${aCompanyPolicy(['read', 'write'])}${tightened}`)
  now = addSeconds(opened, 500)
  const again = await refresh(shrunk.refresh_token)
  expect(again).toMatchObject({ expires_in: 100 })
  // One of them has been decided again, and is told by which limits; of the other it is still said what it was opened with.
  const { body } = await anAdmin(at.broker)('GET', '/tenants/acme/grants')
  const told = body.grants.slice(0, 2).map(({ ceilings, accessTokenSeconds }: any) => ({ accessTokenSeconds, ...ceilings }))
  const [named, still] = [{ seconds: 100, by: 'tenant', detail: "the tenant's limit for tier read" }, { by: 'tier' }]
  expect(told).toEqual(
    expect.arrayContaining([
      { accessTokenSeconds: 100, accessToken: named, refreshToken: named },
      expect.objectContaining({
        accessTokenSeconds: 1800,
        accessToken: expect.objectContaining(still),
        refreshToken: expect.objectContaining(still),
      }),
    ]),
  )
  now = addSeconds(opened, 600)
  for (const tokens of [again, ended]) expect(await refresh(tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' })
})

it('a policy that is published anew leaves alone what is open from a session older at the IdP than it is here, and what she did elsewhere', async () => {
  at.idp.says = { ...at.idp.says, signedInAt: addSeconds(now, -13 * 3600) }
  await publish(at.fixture, at.acme, now, aCompanyPolicy(['read', 'write']))
  const tokens = await aGrantOf('read')
  at.idp.says = { ...at.idp.says, sessionEndsAt: addSeconds(now, 30) }
  await aGrantOf('read')
  await publish(at.fixture, at.acme, now, aCompanyPolicy(['read']))
  now = addSeconds(now, 60)
  expect(await refresh(tokens.refresh_token)).toMatchObject({ expires_in: 1800 })
})
