/** An authorization request that is pushed with a proof of a key is bound to that key. RFC 9449 §10.1. */
import { instant } from '@drawbridge/core/instant'
import { type OAuthErrorReason, oauthErrors } from '@drawbridge/core/oauth/error'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aChallenge, aRedirectUri } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const now = instant(Date.now())
const refusals = toldRefusals()
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let key: ADpopKey

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, metrics: refusals.metrics })
  key = await aDpopKey()
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  refusals.take()
})

const proveAt = (endpoint: string, by = key) => by.prove({ url: `${broker.deps.settings.publicUrl}/t/acme/${endpoint}`, now })
async function push(proof: string, more: Readonly<Record<string, string>> = {}) {
  const body = new URLSearchParams({
    ...{ response_type: 'code', client_id: acme.clientId, redirect_uri: aRedirectUri, resource: acme.resource },
    ...{ code_challenge: aChallenge, code_challenge_method: 'S256', ...more },
  })
  const response = await fetch(`${broker.url}/t/acme/par`, { method: 'POST', body, headers: { dpop: proof } })
  return { status: response.status, body: (await response.json()) as Record<string, string>, nonce: response.headers.get('dpop-nonce') }
}
const keyOf = async (state: string) =>
  (
    await asOwner<{ jkt: string | null }>(
      fixture.ownerUrl,
      `SELECT parameters ->> 'dpop_jkt' AS jkt FROM pushed_requests WHERE parameters ->> 'state' = $1`,
      [state],
    )
  ).map(({ jkt }) => jkt)

function expectRefused({ status, body }: Awaited<ReturnType<typeof push>>, reason: OAuthErrorReason): void {
  expect(refusals.take()).toEqual([reason])
  const { code, say, status: expected } = oauthErrors[reason]
  expect({ status, body }).toEqual({ status: expected, body: { error: code, error_description: say } })
}

it('is kept as if the client had named the key, whether or not it did', async () => {
  expect((await push(await proveAt('par'), { state: 'silent' })).status).toBe(201)
  expect((await push(await proveAt('par'), { state: 'named', dpop_jkt: key.thumbprint })).status).toBe(201)
  expect([await keyOf('silent'), await keyOf('named')]).toEqual([[key.thumbprint], [key.thumbprint]])
})

it('is refused where dpop_jkt names another key than the proof', async () => {
  const { thumbprint } = await aDpopKey()
  expectRefused(await push(await proveAt('par'), { dpop_jkt: thumbprint }), 'dpop_proof_of_other_key')
})

it('is refused with a proof that was used, that is of another endpoint, or that is none, and keeps nothing', async () => {
  const proof = await proveAt('par')
  expect((await push(proof)).status).toBe(201)
  expectRefused(await push(proof, { state: 'twice' }), 'dpop_proof_replayed')
  expectRefused(await push(await proveAt('token'), { state: 'twice' }), 'dpop_proof_of_other_request')
  expectRefused(await push('proof', { state: 'twice' }), 'dpop_proof_malformed')
  expect(await keyOf('twice')).toEqual([])
})

it('is asked for a nonce where the tenant demands one', async () => {
  await anAdmin(broker)('PUT', '/tenants/acme/dpop', { boundTokensDemanded: false, nonceDemanded: true })
  broker.deps.configuration.invalidate()
  const asked = await push(await proveAt('par'))
  expectRefused(asked, 'dpop_nonce_missing')
  const nonce = asked.nonce ?? ''
  const url = `${broker.deps.settings.publicUrl}/t/acme/par`
  expect(await push(await key.prove({ url, now }, { claims: { nonce } }))).toMatchObject({ status: 201, nonce })
})
