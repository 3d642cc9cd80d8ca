/** At the front issuer, in two processes at once: what counts once counts once, wherever it is brought. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aFrontUrl, aFrontWorld, aSharedClient, basic, type FrontWorld } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const at = 'front for acme'
const many = 8
let now: Instant = instant(Date.now())
let world: FrontWorld
let other: TestBroker
let idp: FrontBringer

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
  const settings = readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' })
  other = await aBroker(world.fixture.database, { clock: { now: () => now }, connectorFor: world.idp.connectorFor, settings })
  await idp.trust('acme')
  expect((await world.call('POST', `/tenants/acme/front-clients/${aBringer}`)).status).toBe(200)
})
beforeEach(() => {
  now = addSeconds(now, 60)
})
afterAll(async () => {
  await other?.close()
  await world?.close()
})

type Form = Readonly<Record<string, string>>
/** By turns at either process, all at once. */
async function ask(form: Form, headers: Form): Promise<readonly { readonly status: number; readonly body: Form }[]> {
  const urls = Array.from({ length: many }, (_, turn) => (turn % 2 === 0 ? world.broker : other).url)
  return Promise.all(
    urls.map(async (url) => {
      const answer = await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(form), headers })
      return { status: answer.status, body: (await answer.json()) as Form }
    }),
  )
}
const good = (answers: readonly { readonly status: number; readonly body: Form }[]) =>
  answers.filter(({ status }) => status === 200).map(({ body }) => body)
const asClient = () => basic(aSharedClient, world.secretAt(at))
const refresh = (token = '') => ask({ grant_type: 'refresh_token', refresh_token: token }, asClient())

it('a code is redeemed once, and whoever brings it again ends what came of it', async () => {
  const code = await world.codeAt(at)
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  const [tokens, ...others] = good(await ask(form, asClient()))
  expect(others).toEqual([])
  expect((await world.introspectAt(at, tokens?.['access_token'] ?? '')).body).toEqual({ active: false })
})

it('a refresh token has one successor, whichever process answers', async () => {
  const { refresh_token: first } = await world.tokensAt(at)
  const answers = await refresh(first)
  expect(good(answers).length).toBeGreaterThan(0)
  const successors = new Set(good(answers).map(({ refresh_token: next }) => next))
  expect(successors.size).toBe(1)
  now = addSeconds(now, 60)
  const [next = ''] = successors
  expect(good(await refresh(next)).length).toBeGreaterThan(0)
  // Long after its successor was used, the first one is a thief's, and the family ends.
  now = addSeconds(now, 60)
  expect(good(await refresh(first))).toEqual([])
  expect(await world.refreshAt(at, next)).toMatchObject({ status: 400 })
})

it('an assertion opens one grant', async () => {
  const assertion = await idp.assertion(at)
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
  expect(good(await ask(form, idp.byItself(at)))).toHaveLength(1)
})

it('a proof of a key is good once', async () => {
  const key = await aDpopKey()
  const proof = await key.prove({ url: `${aFrontUrl}/token`, now })
  const assertion = async () => ({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: await idp.assertion(at) })
  const asked = await Promise.all(
    Array.from({ length: many }, async (_, turn) => {
      const body = new URLSearchParams(await assertion())
      const headers = { ...idp.byItself(at), dpop: proof }
      return (await fetch(`${(turn % 2 === 0 ? world.broker : other).url}/token`, { method: 'POST', body, headers })).status
    }),
  )
  expect(asked.filter((status) => status === 200)).toHaveLength(1)
})
