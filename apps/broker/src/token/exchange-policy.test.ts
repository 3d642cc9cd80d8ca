/** What policy says of an exchange, and which key its token is bound to. */
import { addSeconds } from '@drawbridge/core/instant'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { publish } from '@drawbridge/testkit/a-login'
import { type AnExchangeCompany, anExchangeCompany } from '@drawbridge/testkit/an-exchange-company'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let acme: AnExchangeCompany
beforeAll(async () => {
  acme = await anExchangeCompany()
})
beforeEach(() => acme.begin())
afterAll(() => acme.at.close())

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
/** What was answered, and by which reason. */
const refusalOf = async (asked: ReturnType<AnExchangeCompany['exchange']>) => {
  acme.told.take()
  const { status, body } = await asked
  return { status, error: body.error, reason: acme.told.take()[0] }
}
const exchanged = async (form: Readonly<Record<string, string>> = {}) => {
  const subject = await acme.signIn()
  const { status, body } = await acme.exchange(acme.gateway, subject.access_token, form)
  expect([status, body.error]).toEqual([200, undefined])
  return { subject, body, claims: decodeJwt(body.access_token), of: decodeJwt(subject.access_token) }
}

describe('policy is asked about the person, the client that acts and the resource', () => {
  const policy = (rules: string) =>
    publish(acme.at.fixture, acme.at.acme, acme.now(), `version: 1\n${rules}`).then(() => acme.at.broker.deps.configuration.invalidate())
  const everything = 'rules: [{name: staff, effect: grant, scopes: [read, write, admin], groups: [staff]}]\n'
  afterAll(() => policy('rules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n'))

  it('which may grant less', async () => {
    await policy(
      `${everything.replace(']\n', `, {name: not-there, effect: deny, scopes: [write], resource: "${acme.files.resource}", everyone: true}]\n`)}`,
    )
    const { body } = await exchanged()
    expect(body.scope).toBe('read')
  })

  it('or nothing', async () => {
    await policy(`rules: [{name: staff, effect: grant, scopes: [read], groups: [staff], resource: "${acme.at.acme.resource}"}]\n`)
    const { access_token: token } = await acme.signIn('read')
    expect(await refusalOf(acme.exchange(acme.gateway, token))).toEqual({
      status: 400,
      error: 'invalid_request',
      reason: 'exchange_policy_denies',
    })
    expect((await acme.audited()).at(-1)).toMatchObject({
      reason: 'exchange_policy_denies',
      detail: { explanation: { scopes: [{ granted: false }] } },
    })
  })

  it('or demand a sign-in that she has not shown', async () => {
    await policy(`${everything}mfa: [{name: files, scopes: [read], resource: "${acme.files.resource}"}]\n`)
    acme.at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd'] }
    const { access_token: token } = await acme.signIn('read')
    const refused = await refusalOf(acme.exchange(acme.gateway, token))
    expect(refused).toEqual({ status: 400, error: 'insufficient_user_authentication', reason: 'exchange_authentication_insufficient' })
  })

  it('or a recent one, which it had to be when she gave access to her client', async () => {
    await policy(`${everything}mfa: [{name: files, scopes: [read], resource: "${acme.files.resource}", freshSeconds: 60}]\n`)
    const from = async (secondsBefore: number) => {
      acme.at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'], signedInAt: addSeconds(acme.now(), -secondsBefore) }
      const { access_token: token } = await acme.signIn('read')
      acme.wait(120)
      return refusalOf(acme.exchange(acme.gateway, token))
    }
    expect(await from(61)).toMatchObject({ reason: 'exchange_authentication_insufficient' })
    expect(await from(59)).toMatchObject({ status: 200 })
  })

  it('or her own yes to it', async () => {
    await policy(everything)
    const admin = () => acme.owner(`UPDATE resource_scopes SET tier = $2 WHERE tenant_id = $1 AND name = 'read'`, 'sensitive')
    const back = () => acme.owner(`UPDATE resource_scopes SET tier = $2 WHERE tenant_id = $1 AND name = 'read'`, 'read')
    const { access_token: token } = await acme.signIn('read')
    await admin()
    acme.at.broker.deps.configuration.invalidate()
    const refused = await refusalOf(acme.exchange(acme.gateway, token))
    await back()
    expect(refused).toEqual({ status: 400, error: 'invalid_request', reason: 'exchange_consent_needed' })
  })
})

describe('a key', () => {
  const endpoint = () => `${acme.at.issuer}/token`
  it('binds what it is proved with, and a token that was bound is exchanged for no bearer token', async () => {
    const [hers, ours] = [await aDpopKey(), await aDpopKey()]
    const subject = await acme.signIn('read', {}, { dpop: await hers.prove({ url: endpoint(), now: acme.now() }) })
    expect(subject['token_type']).toBe('DPoP')
    expect(await refusalOf(acme.exchange(acme.gateway, subject.access_token))).toEqual({
      ...{ status: 400, error: 'invalid_dpop_proof', reason: 'exchange_proof_missing' },
    })
    const proof = await ours.prove({ url: endpoint(), now: acme.now() })
    const { body } = await acme.exchange(acme.gateway, subject.access_token, {}, { dpop: proof })
    expect(body).toMatchObject({ token_type: 'DPoP', issued_token_type: accessToken })
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ jkt: ours.thumbprint })
    expect(await refusalOf(acme.exchange(acme.gateway, subject.access_token, {}, { dpop: proof }))).toMatchObject({
      reason: 'dpop_proof_replayed',
    })
  })

  it('of the client that acts binds a token that was not', async () => {
    const ours = await aDpopKey()
    const { access_token: token } = await acme.signIn('read')
    const { body } = await acme.exchange(acme.gateway, token, {}, { dpop: await ours.prove({ url: endpoint(), now: acme.now() }) })
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ jkt: ours.thumbprint })
  })
})
