/**
 * What an issuer says of itself (RFC 8414 §2), whole, for each kind of issuer: a member that is gone, new or other is a decision that clients meet, so that it
 * is read in a change of the file that is held here.
 */
import { type Instant, instant } from '@drawbridge/core/instant'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aFrontWorld, type FrontWorld } from '@drawbridge/testkit/a-front'
import { aFrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aFrontGateway } from '@drawbridge/testkit/a-front-gateway'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { audienceThere, resourceThere } from '@drawbridge/testkit/an-id-jag-company'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
const hint = 'Where it is meant that issuers say something else of themselves: CHANGELOG.md, then `pnpm test apps/broker/src/metadata -u`'
const closed = { metadataDocuments: false, documentHosts: [], dynamic: false, preregistered: true, approvalRequired: false }
let world: FrontWorld
/** On the same database, and what an operator may set is set. */
let equipped: TestBroker

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  equipped = await aBroker(world.fixture.database, {
    ...{ clock: { now: () => now }, connectorFor: world.idp.connectorFor },
    settings: readEnv({
      ...{ DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert', DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' },
      ...{ DRAWBRIDGE_PROXY_SECRETS: 'of-the-proxy-0123456789abcdef0123', DRAWBRIDGE_MTLS_URL: 'https://mtls.example' },
    }),
  })
})
afterAll(async () => {
  await equipped?.close()
  await world?.close()
})

const chosen = async (method: string, path: string, body: object): Promise<void> =>
  expect((await world.call(method, path, body)).status).toBeLessThan(300)

/** Whatever an admin of an issuer may open. */
async function openEverythingOf(issuer: '/front-issuer' | '/tenants/acme'): Promise<void> {
  await chosen('PUT', `${issuer}/device-grant`, { enabled: true })
  await chosen('PUT', `${issuer}/pushed-requests`, { required: true })
  await chosen('PUT', `${issuer}/token-algorithm`, { algorithm: 'EdDSA' })
}

/** What companies alone decide: at the front somebody may at any moment. */
async function openWhatIsACompanys(company: 'acme'): Promise<void> {
  await chosen('PUT', `/tenants/${company}/userinfo`, { profile: true, email: true })
  const idp = await aFrontBringer(world, () => now)
  await idp.trust(company)
  await idp.trustSaml(company)
  const gateway = await aFrontGateway(world)
  await gateway.permit(company, gateway.permission({ at: 'tenant' }))
  const worded = { clientId: 'worded', name: 'Worded', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'client_secret_basic' }
  const grantTypes = ['authorization_code', 'refresh_token', tokenExchangeGrantType]
  await chosen('POST', `/tenants/${company}/clients`, { ...worded, grantTypes })
  const permission = { client: 'worded', audience: audienceThere, resource: resourceThere, scopes: [{ name: 'read', tier: 'read' }] }
  await chosen('PUT', `/tenants/${company}/id-jag-issuing`, { permissions: [permission] })
}

async function isAsHeld(kind: string, broker: Pick<TestBroker, 'url' | 'deps'>, path: string): Promise<void> {
  broker.deps.configuration.invalidate()
  const document: unknown = await (await fetch(`${broker.url}/.well-known/oauth-authorization-server${path}`)).json()
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(`fixtures/${kind}.json`, hint)
}

it('a company’s issuer as it begins', () => isAsHeld('company', world.broker, '/t/acme'))
it('the front issuer as it begins', () => isAsHeld('front', world.broker, ''))

it('a company’s issuer at which clients come by the admin alone', async () => {
  await chosen('PUT', '/tenants/globex/client-registration', closed)
  await isAsHeld('company-closed', world.broker, '/t/globex')
})

it('a company’s issuer that offers all there is', async () => {
  await openWhatIsACompanys('acme')
  await openEverythingOf('/tenants/acme')
  await isAsHeld('company-open', equipped, '/t/acme')
})

it('the front issuer that offers all there is, and then lets clients come by the vendor alone', async () => {
  await openEverythingOf('/front-issuer')
  await isAsHeld('front-open', equipped, '')
  await chosen('PUT', '/front-issuer/client-registration', closed)
  await isAsHeld('front-closed', equipped, '')
})
