/** An access token of a person that is worth nothing any more, in the hands of somebody who may exchange tokens: it is told in the trail, and costs her nothing. */
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { type AnExchangeCompany, type AResourceServer, anExchangeCompany } from '@drawbridge/testkit/an-exchange-company'
import { fromAnotherAddress } from '@drawbridge/testkit/many-addresses'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const most = rateLimits.subject_unattended.burst * 0.05
const mostTold = rateLimits.refused_subject_token.burst * 0.05
let acme: AnExchangeCompany
let race: ARace
let limited: TestBroker

beforeAll(async () => {
  acme = await anExchangeCompany()
  race = aRace(acme.at.fixture.database)
  const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: 0.05 }
  limited = await aBroker(race.database, { clock: { now: acme.now }, connectorFor: acme.at.idp.connectorFor, settings })
})
beforeEach(async () => {
  await acme.begin()
  await deactivated(null)
  limited.deps.configuration.invalidate()
})
afterAll(async () => {
  await limited?.close()
  await acme?.at.close()
})

const ask = (token: string, form: Readonly<Record<string, string>> = {}, by: AResourceServer = acme.gateway) =>
  acme.exchange(by, token, form, fromAnotherAddress(), limited.url)
const statuses = async (times: number, token: string, form: Readonly<Record<string, string>> = {}) => {
  const answers = await Promise.all(Array.from({ length: times }, () => ask(token, form)))
  return answers.map(({ status }) => status).sort()
}
const of = <One>(one: One, times: number) => Array.from({ length: times }, () => one)
const grantOf = (token: string) => decodeJwt(token)['gid']
const revoke = (token: string) => acme.owner('UPDATE grants SET revoked_at = now() WHERE tenant_id = $1 AND id = $2', grantOf(token))
const deactivated = (at: Date | null) => acme.owner('UPDATE subjects SET deactivated_at = $2 WHERE tenant_id = $1', at)
const lines = () =>
  acme.owner(
    `SELECT reason, client_id AS client FROM audit_events WHERE tenant_id = $1 AND kind = 'token_exchange_refused' AND at = $2 ORDER BY id`,
    new Date(acme.now()),
  )

describe('a dead token', () => {
  it.each([
    { what: 'asks for what it might have had', form: {}, reason: 'subject_token_dead' },
    { what: 'asks for what nobody may have', form: { resource: 'https://other.example/mcp' }, reason: 'subject_token_dead' },
    { what: 'asks for scopes that it has not', form: { scope: 'admin' }, reason: 'subject_token_dead' },
  ])('that $what is told so often, and refused beyond that, and spends nothing of what may be asked for the person', async (asked) => {
    const [{ access_token: dead }, { access_token: living }] = [await acme.signIn(), await acme.signIn()]
    await revoke(dead)
    expect(await statuses(most + 5, dead, asked.form)).toEqual(of(400, most + 5))
    expect(await lines()).toEqual(Array.from({ length: mostTold }, () => ({ reason: asked.reason, client: 'gateway' })))
    expect(await statuses(most, living)).toEqual(of(200, most))
    expect(await statuses(1, living)).toEqual([429])
  })

  it('is counted for each client and each grant: what one is refused leaves the others their lines', async () => {
    const [{ access_token: one }, { access_token: other }] = [await acme.signIn(), await acme.signIn()]
    for (const token of [one, other]) await revoke(token)
    for (const token of [one, one, other, other]) await ask(token)
    for (let time = 0; time < 2; time += 1) await ask(one, {}, acme.files)
    expect((await lines()).map(({ client }) => client)).toEqual(['gateway', 'gateway', 'files'])
  })

  it('counts for the person after all where it is worth something again a moment later', async () => {
    const [{ access_token: one }, { access_token: other }] = [await acme.signIn(), await acme.signIn()]
    expect(await statuses(most, other)).toEqual(of(200, most))
    await deactivated(new Date(acme.now()))
    let count = 0
    race.before('exchange_token', async () => ((count += 1) === 2 ? deactivated(null) : undefined), 2)
    expect([(await ask(one)).status, count]).toEqual([429, 2])
  })
})

it.each([
  { what: 'a resource that nobody knows', form: { resource: 'https://other.example/mcp' }, by: () => acme.gateway },
  { what: 'one to which it may exchange other tokens', form: {}, by: () => acme.files },
])('whoever may not exchange such a token for $what does not hear whether it lives', async ({ form, by }) => {
  const [{ access_token: dead }, { access_token: living }] = [await acme.signIn(), await acme.signIn()]
  await revoke(dead)
  const ofLiving = await ask(living, form, by())
  expect(ofLiving).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
  expect(await ask(dead, form, by())).toEqual(ofLiving)
  // Once it is no longer told, too.
  for (let time = 0; time <= mostTold; time += 1) expect(await ask(dead, form, by())).toEqual(ofLiving)
  expect((await lines()).map(({ reason }) => reason)).toEqual(['exchange_not_allowed', 'subject_token_dead'])
})

describe('a client that may not exchange such a token', () => {
  const unknown = { resource: 'https://other.example/mcp' }

  it('hears the same of a living one and a dead one, however often it asks', async () => {
    const [{ access_token: dead }, { access_token: living }] = [await acme.signIn(), await acme.signIn()]
    await revoke(dead)
    expect(await statuses(most + 5, living, unknown)).toEqual(of(400, most + 5))
    expect(await statuses(most + 5, dead, unknown)).toEqual(of(400, most + 5))
    const told = (await lines()).map(({ reason }) => reason).sort()
    expect(told).toEqual([...of('exchange_not_allowed', mostTold), ...of('subject_token_dead', mostTold)])
  })

  it('keeps nobody out who acts for the person, and hears nothing of their number', async () => {
    const { access_token: living } = await acme.signIn()
    expect(await statuses(most + 5, living, unknown)).toEqual(of(400, most + 5))
    expect(await statuses(most, living)).toEqual(of(200, most))
    expect(await statuses(1, living)).toEqual([429])
    expect(await statuses(1, living, unknown)).toEqual([400])
  })
})

it('a living token that is refused to who may exchange it counts for the person, before the trail has a line of it', async () => {
  const { access_token: token } = await acme.signIn()
  const tooMuch = { scope: 'admin' }
  expect(await statuses(most + 5, token, tooMuch)).toEqual([...of(400, most), ...of(429, 5)])
  expect(await lines()).toEqual(Array.from({ length: most }, () => ({ reason: 'scope_widened', client: 'gateway' })))
})
