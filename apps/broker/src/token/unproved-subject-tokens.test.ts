/**
 * What somebody brings for a person to be exchanged, without the proof of a key that is demanded: it gets nothing, and is judged by the statement all the same.
 * security.md §9, §14; RFC 9449 §5, RFC 9700 §4.14.2.
 */
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import type { AnExchangeCompany } from '@drawbridge/testkit/an-exchange-company'
import { type AnIdJagCompany, anIdJagCompany } from '@drawbridge/testkit/an-id-jag-company'
import { fromAnotherAddress } from '@drawbridge/testkit/many-addresses'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

let jag: AnIdJagCompany
let acme: AnExchangeCompany

beforeAll(async () => {
  jag = await anIdJagCompany()
  acme = jag.acme
})
beforeEach(async () => {
  await demand(false)
  await jag.begin()
})
afterAll(() => acme?.at.close())

/** Written by another process: this one goes on with what it remembers. */
const demand = (boundTokensDemanded: boolean) =>
  acme.owner('UPDATE tenants SET dpop = $2 WHERE id = $1', JSON.stringify({ boundTokensDemanded, nonceDemanded: false }))
const demandHere = async () => {
  await demand(true)
  acme.at.broker.deps.configuration.invalidate()
}
const proofBy = async (key: Awaited<ReturnType<typeof aDpopKey>>) => ({
  dpop: await key.prove({ url: `${acme.at.issuer}/token`, now: acme.now() }),
})
const grantOf = (token: string) => String(decodeJwt(token)['gid'])
const endOf = async (token: string) =>
  (await acme.owner('SELECT revoked_reason AS reason FROM grants WHERE tenant_id = $1 AND id = $2', grantOf(token)))[0]?.['reason']
const refusals = () =>
  acme.owner(
    `SELECT kind, reason, (detail -> 'grantRevoked')::boolean AS killed FROM audit_events
      WHERE tenant_id = $1 AND at = $2 AND (kind LIKE 'id_jag%' OR kind LIKE 'token_exchange%') ORDER BY id`,
    new Date(acme.now()),
  )
const unproved = { status: 400, error: 'invalid_dpop_proof', reason: 'dpop_proof_missing' }

describe('for an ID-JAG', () => {
  it('a refresh token that was rotated is theft, and its grant ends', async () => {
    const tokens = await jag.signIn()
    const { body } = await jag.refresh(tokens.refresh_token)
    acme.wait(30)
    await demandHere()
    const asked = jag.ask('refresh_token', tokens.refresh_token)
    expect(await jag.refusalOf(asked)).toEqual({ status: 400, error: 'invalid_request', reason: 'subject_token_stolen' })
    expect(await endOf(tokens.access_token)).toBe('refresh_token_stolen')
    expect(await refusals()).toEqual([{ kind: 'id_jag_refused', reason: 'subject_token_stolen', killed: true }])
    expect(await jag.refusalOf(jag.refresh(body['refresh_token']))).toMatchObject({ reason: 'grant_revoked' })
  })

  it('one that was rotated is theft also where the tenant lets nobody have what is asked for', async () => {
    const tokens = await jag.signIn()
    await jag.refresh(tokens.refresh_token)
    acme.wait(30)
    await jag.permit()
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toMatchObject({ reason: 'subject_token_stolen' })
    expect(await endOf(tokens.access_token)).toBe('refresh_token_stolen')
  })

  it('one that was stolen and bound to the key of the thief is found out inside the grace, too', async () => {
    const tokens = await jag.signIn()
    const thief = await aDpopKey()
    await jag.refresh(tokens.refresh_token, await proofBy(thief))
    await acme.owner(
      `UPDATE refresh_tokens SET dpop_jkt = $3 WHERE tenant_id = $1 AND grant_id = $2 AND rotated_at IS NULL`,
      ...[grantOf(tokens.access_token), thief.thumbprint],
    )
    await demandHere()
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toMatchObject({ reason: 'subject_token_stolen' })
    expect(await endOf(tokens.access_token)).toBe('refresh_token_stolen')
  })

  it.each(['refresh_token', 'id_token'] as const)(
    'an honest one ends nothing and leaves no trail, and is good afterwards: %s',
    async (kind) => {
      const tokens = await jag.signIn()
      await demandHere()
      expect(await jag.refusalOf(jag.ask(kind, tokens[kind]))).toEqual(unproved)
      expect([await endOf(tokens.access_token), await refusals()]).toEqual([null, []])
      const proved = jag.ask(kind, tokens[kind], {}, { ...jag.byAgent(), ...(await proofBy(await aDpopKey())) })
      expect((await proved).status).toBe(200)
    },
  )

  it('a dead one is told as dead', async () => {
    const tokens = await jag.signIn()
    await acme.owner('UPDATE grants SET revoked_at = now() WHERE tenant_id = $1 AND id = $2', grantOf(tokens.access_token))
    await demandHere()
    expect(await jag.refusalOf(jag.ask('id_token', tokens.id_token))).toMatchObject({ reason: 'subject_token_dead' })
    expect(await refusals()).toEqual([{ kind: 'id_jag_refused', reason: 'subject_token_dead', killed: null }])
  })
})

describe('for a token of another resource', () => {
  it('a dead one is told as dead', async () => {
    const { access_token: token } = await jag.signIn('read')
    await acme.owner('UPDATE grants SET revoked_at = now() WHERE tenant_id = $1 AND id = $2', grantOf(token))
    await demandHere()
    expect(await jag.refusalOf(acme.exchange(acme.gateway, token))).toMatchObject({ reason: 'subject_token_dead' })
    expect(await refusals()).toEqual([{ kind: 'token_exchange_refused', reason: 'subject_token_dead', killed: null }])
  })

  it('one that is bound to a key is told, whether or not a proof is demanded of everybody, and ends nothing: it is in the hands of two, as it should be', async () => {
    const tokens = await acme.signIn('read', {}, { ...jag.byAgent(), ...(await proofBy(await aDpopKey())) })
    const bound = { status: 400, error: 'invalid_dpop_proof', reason: 'exchange_proof_missing' }
    const line = { kind: 'token_exchange_refused', reason: 'exchange_proof_missing', killed: null }
    expect(await jag.refusalOf(acme.exchange(acme.gateway, tokens.access_token))).toEqual(bound)
    await demandHere()
    expect(await jag.refusalOf(acme.exchange(acme.gateway, tokens.access_token))).toEqual(bound)
    expect([await refusals(), await endOf(tokens.access_token)]).toEqual([[line, line], null])
    const proof = await proofBy(await aDpopKey())
    expect((await acme.exchange(acme.gateway, tokens.access_token, {}, proof)).status).toBe(200)
  })

  it('an unbound one is refused without a line, and is good afterwards', async () => {
    const { access_token: token } = await jag.signIn('read')
    await demandHere()
    expect(await jag.refusalOf(acme.exchange(acme.gateway, token))).toEqual(unproved)
    expect([await refusals(), await endOf(token)]).toEqual([[], null])
    expect((await acme.exchange(acme.gateway, token, {}, await proofBy(await aDpopKey()))).status).toBe(200)
  })
})

it('a demand that was lifted is held against nobody by a process that remembers it', async () => {
  const tokens = await jag.signIn()
  const ask = async () => [
    (await jag.ask('refresh_token', tokens.refresh_token)).status,
    (await jag.ask('id_token', tokens.id_token)).status,
    (await acme.exchange(acme.gateway, tokens.access_token)).status,
  ]
  await demandHere()
  expect(await ask()).toEqual([400, 400, 400])
  await demand(false)
  expect(await ask()).toEqual([200, 200, 200])
})

it('what is refused for a proof spends nothing of what may be asked for the person', async () => {
  const most = rateLimits.subject_unattended.burst * 0.05
  const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: 0.05 }
  const { database } = acme.at.fixture
  const limited: TestBroker = await aBroker(database, { clock: { now: acme.now }, connectorFor: acme.at.idp.connectorFor, settings })
  try {
    const tokens = await jag.signIn()
    const ask = () => jag.ask('refresh_token', tokens.refresh_token, {}, { ...jag.byAgent(), ...fromAnotherAddress() }, limited.url)
    const exchange = () => acme.exchange(acme.gateway, tokens.access_token, {}, fromAnotherAddress(), limited.url)
    await demand(true)
    for (let time = 0; time < most; time += 1) expect([(await ask()).status, (await exchange()).status]).toEqual([400, 400])
    await demand(false)
    for (let time = 0; time < most / 2; time += 1) expect([(await ask()).status, (await exchange()).status]).toEqual([200, 200])
    expect((await ask()).status).toBe(429)
  } finally {
    await limited.close()
  }
})
