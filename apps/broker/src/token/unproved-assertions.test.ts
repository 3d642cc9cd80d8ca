/**
 * Where a proof of a key is demanded, who brings an assertion, or asks in his own name, without one gets nothing and uses nothing up; and whether one is
 * demanded no memory of a process says. security.md §14; RFC 9449 §5.
 */
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

let acme: AnAssertionCompany
let close: () => Promise<void>

beforeAll(async () => {
  acme = await anAssertionCompany(await testDatabase())
  close = () => acme.broker.close()
})
beforeEach(async () => {
  await acme.begin()
  await acme.owner(
    `UPDATE clients SET grant_types = array_append(grant_types, 'client_credentials'), scope_ceiling = '{read}' WHERE tenant_id = $1 AND client_id = $2`,
    anAgent.id,
  )
})
afterAll(() => close?.())

/** Written by another process: this one goes on with what it remembers. */
const demand = (boundTokensDemanded: boolean) =>
  acme.owner('UPDATE tenants SET dpop = $2 WHERE id = $1', JSON.stringify({ boundTokensDemanded, nonceDemanded: false }))
const demandHere = async () => {
  await demand(true)
  acme.broker.deps.configuration.invalidate()
}
const byAgent = () => acme.basic(anAgent.id, anAgent.secret)
const answerOf = async (asked: Promise<{ readonly status: number }>) => {
  acme.told.take()
  const { status } = await asked
  return [status, acme.told.take()[0]]
}
const bring = (assertion: string, headers = {}) =>
  answerOf(acme.post('token', { grant_type: jwtBearerGrantType, assertion }, { ...byAgent(), ...headers }))
const askForItself = () => answerOf(acme.post('token', { grant_type: 'client_credentials', resource: acme.tenant().resource }, byAgent()))
const proof = async () => ({ dpop: await (await aDpopKey()).prove({ url: `${acme.issuer()}/token`, now: acme.now() }) })
const missing = [400, 'dpop_proof_missing']
const reasons = async () => (await acme.audited()).map(({ reason }) => reason)

it('an assertion without one is good afterwards, and the trail is told nothing of it', async () => {
  const assertion = await acme.assertion()
  await demandHere()
  expect([await bring(assertion), await reasons()]).toEqual([missing, []])
  expect(await bring(assertion, await proof())).toEqual([200, undefined])
  expect(await reasons()).toEqual([null])
})

it('an assertion that is bound to a key is told, as where nobody else needs one', async () => {
  const assertion = await acme.assertion({ cnf: { jkt: (await aDpopKey()).thumbprint } })
  await demandHere()
  expect([await bring(assertion), await reasons()]).toEqual([[400, 'assertion_proof_missing'], ['assertion_proof_missing']])
})

it('a demand that was lifted is held against nobody by a process that remembers it', async () => {
  await demandHere()
  expect([await bring(await acme.assertion()), await askForItself()]).toEqual([missing, missing])
  await demand(false)
  expect(await bring(await acme.assertion())).toEqual([200, undefined])
  await demandHere()
  expect(await askForItself()).toEqual(missing)
  await demand(false)
  expect(await askForItself()).toEqual([200, undefined])
})

it('nor does one get anything that has not heard of a demand', async () => {
  expect([await bring(await acme.assertion()), await askForItself()]).toEqual([
    [200, undefined],
    [200, undefined],
  ])
  await demand(true)
  const assertion = await acme.assertion()
  expect([await bring(assertion), await askForItself()]).toEqual([missing, missing])
  expect(await bring(assertion, await proof())).toEqual([200, undefined])
})

it('nor is one without a proof counted for the person', async () => {
  await demandHere()
  const assertion = await acme.assertion()
  const asked = Array.from({ length: rateLimits.subject_unattended.burst + 1 }, () => acme.redeem(assertion))
  expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([400]))
  expect(await bring(assertion, await proof())).toEqual([200, undefined])
})
