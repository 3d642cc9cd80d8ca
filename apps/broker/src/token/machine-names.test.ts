/** A client that acts is named by nothing that a person is named by: neither one that is registered, nor one that was registered before that was looked at. */
import { randomUUID } from 'node:crypto'
import { type AnExchangeCompany, anExchangeCompany, basicOf } from '@drawbridge/testkit/an-exchange-company'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let acme: AnExchangeCompany
/** The `sub` of Ada, as every resource server knows her. */
let ada: string

beforeAll(async () => {
  acme = await anExchangeCompany()
})
beforeEach(async () => {
  await acme.begin()
  ada = String(decodeJwt((await acme.signIn()).access_token).sub)
})
afterAll(() => acme?.at.close())

const likeHers = () => [
  ['her own', ada] as const,
  ['hers in capitals', ada.toUpperCase()] as const,
  ['hers without hyphens', ada.replaceAll('-', '')] as const,
  ['somebody’s', randomUUID()] as const,
  ['one by which a client of one sector knows somebody', 'e3LeR-1yqMnFq6oO4vWZ4i2kQm0cGd7kJmBAb_8x7dE'] as const,
]

const alone = { name: 'Worker', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'client_secret_basic', scopeCeiling: ['read'] }
async function register(more: object = {}) {
  const answer = await fetch(`${acme.at.broker.url}/admin/v1/tenants/acme/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${acme.at.broker.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...alone, ...more }),
  })
  return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, string>> }
}
const actAlone = (id: string, secret: string) =>
  acme.post('token', { grant_type: 'client_credentials', resource: acme.at.acme.resource }, basicOf(id, secret))
const refused = { status: 400, body: { error: 'unauthorized_client', error_description: expect.stringContaining('form of the `sub`') } }

describe('a client whose client_id could be the sub of a person', () => {
  it('is not registered', async () => {
    for (const [what, clientId] of likeHers()) {
      const { status, body } = await register({ clientId })
      expect([what, status, JSON.stringify(body['errors'])]).toEqual([what, 400, expect.stringContaining('"clientId"')])
    }
    expect((await register({ clientId: `robot-${ada}` })).status).toBe(201)
  })

  it('and is registered already gets nothing in its own name', async () => {
    const { body } = await register({ clientId: 'once' })
    for (const [what, id] of likeHers()) {
      await acme.owner('UPDATE clients SET client_id = $2 WHERE tenant_id = $1 AND client_id = $3', id, 'once')
      acme.told.take()
      expect([what, await actAlone(id, body['clientSecret'] ?? '')]).toMatchObject([what, refused])
      expect(acme.told.take()).toEqual(['client_named_like_person'])
      await acme.owner('UPDATE clients SET client_id = $3 WHERE tenant_id = $1 AND client_id = $2', id, 'once')
    }
    expect((await actAlone('once', body['clientSecret'] ?? '')).status).toBe(200)
  })

  it('and is registered already acts for nobody: `act` would say that a person does', async () => {
    await acme.owner("UPDATE clients SET client_id = $2 WHERE tenant_id = $1 AND client_id = 'gateway'", ada)
    await acme.permit({ client: ada, from: acme.at.acme.resource, to: acme.files.resource, scopes: ['read'] })
    const { access_token: token } = await acme.signIn()
    expect(await acme.exchange({ ...acme.gateway, clientId: ada }, token)).toMatchObject(refused)
    await acme.owner("UPDATE clients SET client_id = 'gateway' WHERE tenant_id = $1 AND client_id = $2", ada)
  })
})

it('a client whose client_id was made up for it acts, and is called by it', async () => {
  const { clientId = '', clientSecret = '' } = (await register()).body
  const { status, body } = await actAlone(clientId, clientSecret)
  expect([status, decodeJwt(body.access_token)]).toMatchObject([200, { sub: clientId, client_id: clientId }])
})
