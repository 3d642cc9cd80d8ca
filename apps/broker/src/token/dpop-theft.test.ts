/** A thief with a refresh token that is bound to no key binds its family to his own, and its client comes after him. RFC 9700 §4.14.2, RFC 9449 §5. */
import { instant } from '@drawbridge/core/instant'
import type { OAuthErrorReason } from '@drawbridge/core/oauth/error'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aGrant, aRedirectUri, aVerifier, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const now = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let thief: ADpopKey
const refusals = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, metrics: refusals.metrics })
  await aTokenKey(fixture, broker, acme)
  thief = await aDpopKey()
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  refusals.take()
})

type Answered = { readonly status: number; readonly body: Record<string, string> }

/** Sends it with a proof of this key, or without any. */
async function post(form: Record<string, string>, key?: ADpopKey): Promise<Answered> {
  const target = { method: 'POST', url: `${broker.deps.settings.publicUrl}/t/acme/token`, now }
  const headers: Record<string, string> = key ? { dpop: await key.prove(target) } : {}
  const body = new URLSearchParams({ client_id: acme.clientId, ...form })
  const response = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body, headers })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}
const refresh = (token: string | undefined, key?: ADpopKey) => post({ grant_type: 'refresh_token', refresh_token: token ?? '' }, key)

/** A grant whose client uses no DPoP: its refresh token is bound to no key. */
async function anUnboundFamily() {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const { body } = await post({ grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier })
  return { grantId, token: body['refresh_token'] ?? '' }
}

const isActive = async (token: string | undefined) => (await aTokenClient(broker, acme).introspect(token ?? ''))['active']
const theftsOf = (grantId: string) =>
  asOwner(
    fixture.ownerUrl,
    `SELECT (detail -> 'grantRevoked')::boolean AS killed FROM audit_events WHERE grant_id = $1 AND reason = 'refresh_token_stolen'`,
    [grantId],
  )

function expectRefused({ status, body }: Answered, reason: OAuthErrorReason): void {
  expect(refusals.take().at(-1)).toBe(reason)
  expect({ status, error: body['error'] }).toEqual({ status: 400, error: 'invalid_grant' })
}

it.each([
  { how: 'without a proof', proves: false, used: false },
  { how: 'with a key of its own', proves: true, used: false },
  { how: 'after he has refreshed again', proves: false, used: true },
])('he is found out when its client refreshes inside the grace, $how, and the family dies', async ({ proves, used }) => {
  const { grantId, token } = await anUnboundFamily()
  let his = (await refresh(token, thief)).body
  if (used) his = (await refresh(his['refresh_token'], thief)).body
  expect(await isActive(his['access_token'])).toBe(true)
  expectRefused(await refresh(token, proves ? await aDpopKey() : undefined), 'refresh_token_stolen')
  expect(await theftsOf(grantId)).toEqual([{ killed: true }])
  expectRefused(await refresh(his['refresh_token'], thief), 'grant_revoked')
  expect(await isActive(his['access_token'])).toBe(false)
})

it('so is he where both refresh at the same instant, whichever of the two comes first', async () => {
  const { grantId, token } = await anUnboundFamily()
  const keys = [thief, await aDpopKey()]
  const answers = await whileTokenIsLocked(token, () => keys.map((key) => refresh(token, key)))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400])
  expect(refusals.take()).toEqual(['refresh_token_stolen'])
  expect(await theftsOf(grantId)).toEqual([{ killed: true }])
  const won = answers.findIndex(({ status }) => status === 200)
  expectRefused(await refresh(answers[won]?.body['refresh_token'], keys[won]), 'grant_revoked')
})

it('a client that turns to DPoP itself, and retries with the same key inside the grace, gets the same successor', async () => {
  const { grantId, token } = await anUnboundFamily()
  const key = await aDpopKey()
  const first = await refresh(token, key)
  const retried = await refresh(token, key)
  expect(retried.body).toMatchObject({ token_type: 'DPoP', refresh_token: first.body['refresh_token'] })
  expect((await refresh(first.body['refresh_token'], key)).status).toBe(200)
  expect(await theftsOf(grantId)).toEqual([])
})

it('and its twins of the same instant get the same successor, too', async () => {
  const { grantId, token } = await anUnboundFamily()
  const key = await aDpopKey()
  const [one, two] = await whileTokenIsLocked(token, () => [refresh(token, key), refresh(token, key)])
  expect([one?.status, two?.status]).toEqual([200, 200])
  expect(two?.body['refresh_token']).toBe(one?.body['refresh_token'])
  expect(await theftsOf(grantId)).toEqual([])
})

/** Sends two requests into a lock of the token's row, so that both judge it as it was before either, and answers what they came to. */
async function whileTokenIsLocked(token: string, send: () => readonly Promise<Answered>[]): Promise<readonly Answered[]> {
  const holder = new pg.Client({ connectionString: fixture.ownerUrl })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query('SELECT 1 FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE', [hashOf(token)])
    const sent = send()
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    const waits = async () => (await asOwner<{ n: number }>(fixture.ownerUrl, waiting))[0]?.n
    for (let looks = 0; looks < 500 && (await waits()) !== 2; looks += 1) await new Promise((done) => setTimeout(done, 10))
    expect(await waits()).toBe(2)
    await holder.query('COMMIT')
    return await Promise.all(sent)
  } finally {
    await holder.end()
  }
}
