/** Many companies share an IdP, which calls for all of them from few addresses: whoever has it call without end does not keep their signals out. */
import { randomUUID } from 'node:crypto'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { believedForSeconds } from '../http/believed-senders.js'
import { rateLimits } from '../http/rate-limit.js'

const idp = 'https://idp.example'
const factor = 0.01
/** Of strangers, from one address: this limit and that of everything are used up by as many. */
const mostOfStrangers = rateLimits.signal.burst * factor
const mostOfBelieved = rateLimits.signal_believed.burst * factor
type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
let key: Key
let fixture: TestDatabase
let acme: ASignallingCompany
let [addresses, theIdps] = [0, '']

beforeAll(async () => {
  fixture = await testDatabase()
  const made = await generateKeyPair('RS256', { modulusLength: 2048 })
  key = made.privateKey
  const endpoints = { authorization_endpoint: `${idp}/auth`, token_endpoint: `${idp}/token`, jwks_uri: `${idp}/keys` }
  const published = {
    [`${idp}/.well-known/openid-configuration`]: { issuer: idp, ...endpoints },
    [`${idp}/keys`]: { keys: [{ ...(await exportJWK(made.publicKey)), kid: 'one', use: 'sig', alg: 'RS256' }] },
  }
  acme = await aSignallingCompany(fixture, published, { rateLimitFactor: factor, trustedProxyHops: 1 })
  await acme.begin()
  await acme.configure({ issuer: idp, clientId: 'drawbridge', idTokenAlgorithms: ['RS256'], ssf: { issuer: idp, jwksUri: `${idp}/keys` } })
})
afterAll(async () => {
  await acme?.broker.close()
  await fixture?.close()
})
const anAddress = () => `203.0.113.${(addresses += 1)}`
beforeEach(() => {
  acme.wait(3600)
  theIdps = anAddress()
})

const pathOf = (way: string, connection: string = acme.tenant().connectionId) =>
  `/t/${acme.tenant().slug}/${way.replace(':connection', connection)}`
const send = (path: string, from: string, body: string, headers: Record<string, string>) =>
  fetch(acme.broker.url + path, { method: 'POST', body, headers: { 'x-forwarded-for': from, ...headers } })
const aJwt = (typ: string, claims: Record<string, unknown>): Promise<string> => {
  const said = { iss: idp, jti: randomUUID(), iat: acme.seconds(), ...claims }
  return new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid: 'one', typ }).sign(key)
}
const asForm = { 'content-type': 'application/x-www-form-urlencoded' }
const logoutEvent = { 'http://schemas.openid.net/event/backchannel-logout': {} }
const disabled = { 'https://schemas.openid.net/secevent/risc/event-type/account-disabled': {} }
const addressOf = (path: string) => `http://localhost:4400${path}`

/** Each way in which an IdP says by itself that something has ended: where, and what it sends. */
const ways = [
  {
    way: 'oidc/:connection/backchannel-logout',
    believed: 200,
    signal: async () => ({
      body: `logout_token=${await aJwt('logout+jwt', { aud: 'drawbridge', exp: acme.seconds() + 120, sid: 's1', events: logoutEvent })}`,
      headers: asForm,
    }),
  },
  {
    way: 'ssf/receivers/:connection',
    believed: 202,
    signal: async (path: string) => ({
      body: await aJwt('secevent+jwt', { aud: addressOf(path), sub_id: { format: 'opaque', id: randomUUID() }, events: disabled }),
      headers: { 'content-type': 'application/secevent+jwt' },
    }),
  },
  {
    way: 'global-token-revocation/:connection',
    // Nobody of that name is here: it is kept for whoever comes with it.
    believed: 404,
    signal: async (path: string) => {
      const times = { nbf: acme.seconds(), exp: acme.seconds() + 300 }
      const token = await aJwt('global-token-revocation+jwt', { sub: '0oa1', aud: addressOf(path), ...times })
      const body = JSON.stringify({ sub_id: { format: 'opaque', id: randomUUID() } })
      return { body, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } }
    },
  },
]

describe.each(ways)('at $way', ({ way, believed, signal }) => {
  const tell = async (from: string) => {
    const { body, headers } = await signal(pathOf(way))
    return (await send(pathOf(way), from, body, headers)).status
  }
  /** Whatever another customer has the IdP send, to a connection of his. */
  const strangersFlood = async (from: string) => {
    const answers: number[] = []
    for (let sent = 0; sent <= mostOfStrangers; sent += 1)
      answers.push((await send(pathOf(way, randomUUID()), from, 'logout_token=none', asForm)).status)
    expect(answers.filter((status) => status === 429).length).toBeGreaterThan(0)
  }

  it('what comes for a connection from where it was believed lately is heard, whatever strangers send from there', async () => {
    expect(await tell(theIdps)).toBe(believed)
    await strangersFlood(theIdps)
    expect(await tell(theIdps)).toBe(believed)
  })

  it('waits with the strangers where it never was, or was too long ago', async () => {
    await strangersFlood(theIdps)
    expect(await tell(theIdps)).toBe(429)
    acme.wait(60)
    expect(await tell(theIdps)).toBe(believed)
    acme.wait(believedForSeconds)
    await strangersFlood(theIdps)
    expect(await tell(theIdps)).toBe(429)
  })

  it('spares nobody who brings one that was believed before', async () => {
    const { body, headers } = await signal(pathOf(way))
    expect((await send(pathOf(way), theIdps, body, headers)).status).toBe(believed)
    const thief = anAddress()
    await send(pathOf(way), thief, body, headers)
    await strangersFlood(thief)
    expect(await tell(thief)).toBe(429)
  })

  it('is bounded by itself, and at other connections by what strangers have', async () => {
    expect(await tell(theIdps)).toBe(believed)
    const answers: number[] = []
    for (let sent = 0; sent <= mostOfBelieved; sent += 1)
      answers.push((await send(pathOf(way), theIdps, 'logout_token=none', asForm)).status)
    expect(answers.indexOf(429)).toBeGreaterThan(mostOfStrangers)
    await strangersFlood(theIdps)
  })
})
