/** Where clients of others are served: at the issuer of a company, or at the front issuer for people of it; and what admins make there for them. */
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { companyAt, type Place } from '@drawbridge/testkit/a-front'
import { expect } from 'vitest'
import type { Person } from './a-client.js'
import type { Hands } from './a-product.js'

export { companyAt, type Place }

export const isFront = (place: Place): boolean => place.startsWith('front')
export const issuerOf = (product: Hands, place: Place): string => (isFront(place) ? product.publicUrl : product.issuer(companyAt(place)))
/** Below it are the settings and the clients of the issuer. */
export const adminPathOf = (place: Place): string => (isFront(place) ? '/front-issuer' : `/tenants/${place}`)
/** Of the company that a place is of. */
export const someone = (place: Place, name: string): Person => ({ name, company: companyAt(place) })
/** What a request at the front says where nothing else in it names the company. */
export const namedTenant = (place: Place): Readonly<Record<string, string>> => (isFront(place) ? { tenant: companyAt(place) } : {})

export type Secret = { readonly id: string; readonly secret: string }

/** Registered by whoever runs the issuer. At the front that is the vendor, and nothing of it is a company's yet. */
export async function aClientAt(product: Hands, place: Place, over: object = {}): Promise<Secret> {
  const { status, json } = await product.admin('POST', `${adminPathOf(place)}/clients`, { name: 'Strict client', ...over })
  expect({ status, json }).toMatchObject({ status: 201 })
  return { id: String(json['clientId']), secret: String(json['clientSecret']) }
}

/** Her people are asked nothing about this client: at a company's issuer, or by the company for its own people at the front. */
export async function approve(product: Hands, place: Place, clientId: string): Promise<void> {
  const atCompany = `/tenants/${companyAt(place)}/${isFront(place) ? 'front-clients' : 'clients'}/${clientId}`
  if (isFront(place)) expect((await product.admin('POST', atCompany)).status).toBe(200)
  expect((await product.admin('PATCH', atCompany, { preApproved: true })).status).toBe(200)
}

/** One that acts in its own name, and may read documents of the resource server. */
export async function aMachineAt(product: Hands, place: Place, resource: string, over: object = {}): Promise<Secret> {
  const scopes = ['documents:read']
  const alone = { name: 'Worker', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'client_secret_basic' }
  const machine = await aClientAt(product, place, { ...alone, ...(isFront(place) ? {} : { scopeCeiling: scopes }), ...over })
  if (!isFront(place)) return machine
  const atCompany = `/tenants/${companyAt(place)}/front-clients/${machine.id}`
  const known = await product.admin('POST', atCompany)
  const given = await product.admin('PUT', `${atCompany}/machine-access`, { access: [{ resource, scopes }] })
  expect([known.status, given.status]).toEqual([200, 200])
  return machine
}

const scopes = [
  { name: 'documents:read', description: 'Find and read documents', tier: 'read', isDefault: true },
  { name: 'documents:write', description: 'Write documents', tier: 'write' },
]

type Asked = { readonly resource: string; readonly name: string; readonly at: readonly [Place, ...Place[]] }
/** What several issuers mint for, and what the front does, is the vendor's. Answers with the credential that is good at each of them. */
export async function aResourceAt(product: Hands, { resource, name, at }: Asked): Promise<Secret> {
  const isShared = at.length > 1 || isFront(at[0])
  const path = isShared ? '/shared-resources' : `${adminPathOf(at[0])}/resources`
  const made = await product.admin('POST', path, { identifier: resource, name, scopes })
  const id = String(made.json['id'])
  const { status, json } = await product.admin('POST', `${path}/${id}/credentials`, {})
  expect([made.status, status]).toEqual([201, 201])
  for (const place of isShared ? at : [])
    expect((await product.admin('POST', `${adminPathOf(place)}/shared-resources/${id}`)).status).toBeLessThan(300)
  return { id: String(json['id']), secret: String(json['secret']) }
}

/** Clients ask the first issuer that a server names, so each place has a server that trusts its issuer alone. */
export const believed = (product: Hands, place: Place, credential: Secret) => ({
  issuer: issuerOf(product, place),
  credential,
  ...(isFront(place) && { front: true as const }),
})

export type ServerAt = ExampleMcpServer & { readonly credential: Secret }
/** `path`: of its identifier; nothing: the resource is the whole host. The front issuer must be there. */
export async function aServerAt(product: Hands, place: Place, path = '/mcp'): Promise<ServerAt> {
  const port = await freePort()
  const resource = `http://127.0.0.1:${port}${path}`
  const credential = await aResourceAt(product, { resource, name: `Documents of ${place}${path}`, at: [place] })
  return { ...(await createExampleMcpServer({ resource, port, issuers: [believed(product, place, credential)] })), credential }
}
