/** A connection whose IdP signs very much at once is told to wait, is counted by itself, and loses nothing by it. */
import { randomUUID } from 'node:crypto'
import { unmatchedSignalLimits } from '@drawbridge/store/unmatched-signals'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const idp = 'https://idp.example'
const factor = 0.01
type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
let [key, stranger] = [undefined, undefined] as unknown as [Key, Key]
let fixture: TestDatabase
let acme: ASignallingCompany
let callers = 0

beforeAll(async () => {
  fixture = await testDatabase()
  const made = await generateKeyPair('RS256', { modulusLength: 2048 })
  key = made.privateKey
  stranger = (await generateKeyPair('RS256', { modulusLength: 2048 })).privateKey
  const jwk = { ...(await exportJWK(made.publicKey)), kid: 'one', use: 'sig', alg: 'RS256' }
  const published = { [`${idp}/.well-known/openid-configuration`]: undefined, [`${idp}/keys`]: { keys: [jwk] } }
  acme = await aSignallingCompany(fixture, published, { rateLimitFactor: factor, trustedProxyHops: 1 })
  await acme.begin()
  await acme.configure({ issuer: idp, clientId: 'drawbridge', ssf: { issuer: idp, jwksUri: `${idp}/keys` } })
})
afterAll(async () => {
  await acme?.broker.close()
  await fixture?.close()
})

const address = () => `${acme.issuer()}/ssf/receivers/${acme.tenant().connectionId}`
const aToken = (by: Key, id: string = randomUUID(), claims: Record<string, unknown> = {}): Promise<string> => {
  const events = { 'https://schemas.openid.net/secevent/risc/event-type/account-disabled': {} }
  const said = { iss: idp, aud: address(), jti: randomUUID(), iat: acme.seconds(), sub_id: { format: 'opaque', id }, events, ...claims }
  return new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'secevent+jwt' }).sign(by)
}
/** Each from another address: what is counted is the connection. */
const push = (token: string) =>
  fetch(acme.broker.url + new URL(address()).pathname, {
    ...{ method: 'POST', body: token },
    headers: { 'content-type': 'application/secevent+jwt', 'x-forwarded-for': `203.0.113.${(callers += 1)}` },
  })

it('signed signals of one connection are limited, forged ones do not count, and what was told to wait is heard when it comes again', async () => {
  const most = rateLimits.signal_source.burst * factor
  for (let forged = 0; forged < most + 2; forged += 1) expect((await push(await aToken(stranger))).status).not.toBe(429)
  for (let sent = 0; sent < most; sent += 1) expect((await push(await aToken(key))).status).toBe(202)
  const token = await aToken(key)
  const refused = await push(token)
  expect([refused.status, acme.told.take()]).toEqual([429, expect.arrayContaining(['rate_limited'])])
  expect(await acme.events()).toHaveLength(most)
  acme.wait(Number(refused.headers.get('retry-after')))
  expect((await push(token)).status).toBe(202)
  expect(await acme.events()).toHaveLength(most + 1)
})

it('what is signed and not believed is counted apart: revocations are heard however much of it there is', async () => {
  acme.wait(3600)
  const most = rateLimits.signal_refused.burst * factor
  // Another that hears the same transmitter has such tokens, as many as it likes.
  const others = { aud: 'https://another.example/receiver' }
  const answers: number[] = []
  for (let sent = 0; sent < rateLimits.signal_source.burst * factor + 2; sent += 1)
    answers.push((await push(await aToken(key, randomUUID(), others))).status)
  expect(answers).toEqual(answers.map((_, nth) => (nth < most ? 400 : 429)))
  expect((await push(await aToken(key))).status).toBe(202)
})

it('somebody who is not here, where no more of them are kept, has to be named again; it is told once, and she is out when she is here', async () => {
  acme.wait(3600)
  const { tenantId, connectionId } = acme.tenant()
  const many = { name: 'out ', count: unmatchedSignalLimits.ofConnection, deactivates: true, at: acme.now() }
  await manyUnmatchedSignals(fixture.ownerUrl, { tenantId, connectionId, ...many })
  const token = await aToken(key, 'grace')
  for (let times = 0; times < 2; times += 1) {
    const refused = await push(token)
    expect([refused.status, Number(refused.headers.get('retry-after')), await refused.json()]).toMatchObject([
      503,
      60,
      { err: 'temporarily_unavailable' },
    ])
  }
  expect(acme.told.take()).toContain('unmatched_signals_full')
  const alarms = "SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'connection.signal_alarm' ORDER BY id DESC LIMIT 1"
  const named = `signal:${connectionId}:grace`
  expect(await acme.owner(alarms)).toEqual([{ detail: { event: 'refused', reason: 'unmatched_signals_full', named } }])
  // Each by her name, once, also where the hour has had its alarm.
  expect((await push(await aToken(key, 'eve'))).status).toBe(503)
  const missed =
    "SELECT detail ->> 'named' AS named FROM audit_events WHERE tenant_id = $1 AND kind = 'deprovisioning.unmatched' ORDER BY id DESC LIMIT 2"
  expect(await acme.owner(missed)).toEqual([{ named: `signal:${connectionId}:eve` }, { named }])
  await acme.owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     VALUES ($1, gen_random_uuid(), $2, 'grace', '{}', now(), now(), now())`,
    connectionId,
  )
  expect((await push(token)).status).toBe(202)
  const gone = "SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND stable_id = 'grace'"
  expect(await acme.owner(gone)).toEqual([{ gone: true }])
})
