/** A grant that an assertion opened for somebody of a login connection: whatever is decided on it later, she proved herself by the trust. */
import { randomUUID } from 'node:crypto'
import { toSeconds } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { hashOf } from '@drawbridge/testkit/a-grant'
import { publish } from '@drawbridge/testkit/a-login'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { type AnExchangeCompany, anExchangeCompany, basicOf } from '@drawbridge/testkit/an-exchange-company'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const assertingIssuer = 'https://agents.example'
const key = anAssertionKey()
const trust = randomUUID()
let acme: AnExchangeCompany

beforeAll(async () => {
  acme = await anExchangeCompany()
  await acme.begin()
  // She is of the login connection once she has signed in there.
  await acme.signIn()
  const peopleOf = { connection: acme.at.acme.connectionId, key: 'sub' }
  await acme.owner(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'assertion', 'Agents', $3, now())`,
    ...[trust, JSON.stringify({ issuer: assertingIssuer, jwks: { keys: [key.jwk] }, peopleOf })],
  )
  await acme.owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, 'agent', 'preregistered', 'Agent', '{}', $3, 'client_secret_basic', $4, '{}', now())`,
    ...[acme.at.acme.issuerId, [jwtBearerGrantType], hashOf('dbk_agent')],
  )
})
beforeEach(() => acme.begin())
afterAll(() => acme.at.close())

const rules = 'version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}'
const policy = async (more: string) => {
  await publish(acme.at.fixture, acme.at.acme, acme.now(), `${rules}${more}`)
  acme.at.broker.deps.configuration.invalidate()
}
/** What the agent gets for her by an assertion of the trust. */
const asserted = async (): Promise<string> => {
  const seconds = toSeconds(acme.now())
  const assertion = await key.sign(
    {},
    {
      ...{ iss: assertingIssuer, sub: 'ada', aud: acme.at.issuer, client_id: 'agent', resource: acme.at.acme.resource, scope: 'read' },
      ...{ jti: randomUUID(), iat: seconds, exp: seconds + 120, auth_time: seconds - 10, acr: 'gold', amr: ['pwd'] },
    },
  )
  const { status, body } = await acme.post('token', { grant_type: jwtBearerGrantType, assertion }, basicOf('agent', 'dbk_agent'))
  expect([status, body.error]).toEqual([200, undefined])
  return body.access_token
}
const ofConnection = (id: string) => `]\nstrength: [{name: gold, connection: "${id}", acr: gold, means: multi_factor}]\n`
const demand = (resource: string) => `mfa: [{name: strong, strength: multi_factor, resource: "${resource}"}]\n`

describe('what is exchanged for it', () => {
  const demanded = async (id: string) => {
    await policy(`${ofConnection(id)}${demand(acme.files.resource)}`)
    const token = await asserted()
    acme.told.take()
    const { body } = await acme.exchange(acme.gateway, token)
    return acme.told.take()[0] ?? body.scope
  }
  it('needs a proof that counts at the trust: what the same word means at her login connection counts for nothing', async () => {
    expect(await demanded(acme.at.acme.connectionId)).toBe('exchange_authentication_insufficient')
    expect(await demanded(trust)).toBe('read')
  })

  it('is of her connection to a rule on the person, and of the trust to a rule on the sign-in', async () => {
    const denied = async (when: string) => {
      await policy(`, {name: some, effect: deny, scopes: [read], resource: "${acme.files.resource}", when: "${when}"}]\n`)
      const token = await asserted()
      return (await acme.exchange(acme.gateway, token)).status === 400
    }
    const login = acme.at.acme.connectionId
    expect([await denied(`subject.connection == '${login}'`), await denied(`subject.connection == '${trust}'`)]).toEqual([true, false])
    expect([await denied(`auth.connection == '${login}'`), await denied(`auth.connection == '${trust}'`)]).toEqual([false, true])
  })
})

it('a policy that takes effect at once ends it where its proof does not count at the trust', async () => {
  const left = async (id: string) => {
    await policy(']\n')
    const token = await asserted()
    await policy(`${ofConnection(id)}${demand(acme.at.acme.resource)}`)
    await acme.owner('UPDATE tenants SET policy_barrier = policy_version WHERE id = $1')
    acme.at.broker.deps.configuration.invalidate()
    return (await acme.introspect(acme.gateway, token))['active']
  }
  expect([await left(acme.at.acme.connectionId), await left(trust)]).toEqual([false, true])
})
