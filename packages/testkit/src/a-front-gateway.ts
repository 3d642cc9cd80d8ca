/**
 * A server that goes on to another one for people of both companies of a front world: known at the front and at each company's own issuer by one
 * name, with another secret at each, so that nothing but the issuer and the company's word tells what it may.
 */
import { accessTokenUrn, tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { aSharedResource, baseOf, basic, type FrontWorld, type Place, type Posted } from './a-front.js'

export const aGateway = 'gateway'
/** Shared by both companies and the front, as the first one is. */
export const behindIt = 'https://files.vendor.example/mcp'
export type Permission = Readonly<Record<string, unknown>>
export type FrontGateway = Awaited<ReturnType<typeof aFrontGateway>>

const companies = ['acme', 'globex'] as const
type Company = (typeof companies)[number]
const scopes = ['read', 'write'].map((name) => ({ name, description: name, tier: name, isDefault: name === 'read' }))
const client = {
  ...{ clientId: aGateway, name: 'Gateway', grantTypes: [tokenExchangeGrantType], tokenEndpointAuthMethod: 'client_secret_basic' },
}

export async function aFrontGateway(world: FrontWorld) {
  const { call } = world
  const shared = (await call('POST', '/shared-resources', { identifier: behindIt, name: 'Files', scopes })).body.id
  const credential = (await call('POST', `/shared-resources/${shared}/credentials`, {})).body as {
    readonly id: string
    readonly secret: string
  }
  await call('POST', `/front-issuer/shared-resources/${shared}`)
  const secrets: Record<string, string> = { front: (await call('POST', '/front-issuer/clients', client)).body.clientSecret }
  for (const company of companies) {
    await call('POST', `/tenants/${company}/shared-resources/${shared}`)
    secrets[company] = (await call('POST', `/tenants/${company}/clients`, client)).body.clientSecret
  }
  const secretAt = (place: Place): string => secrets[place.startsWith('front') ? 'front' : place] ?? ''
  const byItself = (place: Place) => basic(aGateway, secretAt(place))
  return {
    ...{ credential, secretAt, byItself },
    /** The company lets the client of the front in. */
    adopt: async (company: Company, id: string = aGateway): Promise<number> =>
      (await call('POST', `/tenants/${company}/front-clients/${id}`)).status,
    /** What it may there, and nothing else: tokens of the one shared resource for one of the other, at the front. */
    permit: async (company: Company, ...permissions: readonly Permission[]): Promise<Posted> => {
      const answered = await call('PUT', `/tenants/${company}/token-exchange`, { permissions })
      world.broker.deps.configuration.invalidate()
      return answered as unknown as Posted
    },
    permission: (change: Permission = {}): Permission => ({
      ...{ client: aGateway, from: aSharedResource, to: behindIt, scopes: ['read', 'write'], at: 'front', ...change },
    }),
    exchange: (place: Place, token: string, form: Readonly<Record<string, string>> = {}, headers = byItself(place)): Promise<Posted> =>
      world.post(
        `${baseOf(place)}/token`,
        { grant_type: tokenExchangeGrantType, subject_token: token, subject_token_type: accessTokenUrn, resource: behindIt, ...form },
        headers,
      ),
    /** As the server behind it asks. */
    introspect: (place: Place, token: unknown): Promise<Posted> =>
      world.post(`${baseOf(place)}/introspect`, { token: String(token) }, basic(credential.id, credential.secret)),
  }
}
