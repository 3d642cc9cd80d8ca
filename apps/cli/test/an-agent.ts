/** A client that brings assertions, and the issuer of them, which the company trusts: set up as an admin does it, signed by a library of strangers. */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { SamlChange } from '@drawbridge/conformance/requirement'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect } from 'vitest'
import type { Company, Hands } from './a-product.js'

const assertionIssuer = 'https://assertions.example'
const samlIssuer = 'https://assertions.example/saml'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const samlBearer = 'urn:ietf:params:oauth:grant-type:saml2-bearer'

type Saml20 = Record<'create' | 'createUnsignedAssertion', (options: object) => string>
/** The library that writes Auth0's assertions: what `samlp` is built on, which is upstream's. */
const ofUpstream = createRequire(import.meta.resolve('@drawbridge/upstream/certificate'))
const { Saml20 } = createRequire(ofUpstream.resolve('samlp'))('saml') as { readonly Saml20: Saml20 }

type Change = { readonly header?: Readonly<Record<string, unknown>>; readonly claims?: Readonly<Record<string, unknown>> }
export type AnAgent = {
  readonly id: string
  readonly secret: string
  readonly trustId: string
  /** About Ada, who is an engineer, for reading and writing, but for what is said otherwise. */
  readonly assert: (change?: Change) => Promise<string>
  /** The same as SAML, base64url. */
  readonly assertSaml: (change?: SamlChange) => Promise<string>
}

export type AFrontAgent = AnAgent & { readonly atFront: Pick<AnAgent, 'secret' | 'assert' | 'assertSaml'> }

/** The same agent at the front issuer, too, where the company lets the trusts hold. */
export async function aFrontAgentOf(product: Hands, company: Company, resource?: string): Promise<AFrontAgent> {
  const agent = await anAgentOf(product, company, resource, { at: 'both' })
  const client = { clientId: agent.id, name: 'Agent', grantTypes: [jwtBearer, samlBearer], tokenEndpointAuthMethod: 'client_secret_basic' }
  const { status, json } = await product.admin('POST', '/front-issuer/clients', client)
  expect({ status, json }).toMatchObject({ status: 201 })
  const front = product.publicUrl
  const atFront: AFrontAgent['atFront'] = {
    secret: String(json['clientSecret']),
    assert: ({ claims, ...change } = {}) => agent.assert({ ...change, claims: { aud: front, aud_tenant: company, ...claims } }),
    assertSaml: (change) => agent.assertSaml({ recipient: `${front}/token`, ...change }),
  }
  return { ...agent, atFront }
}

export async function anAgentOf(
  product: Hands,
  company: Company,
  resource: string = product.mcpUrl,
  place: { readonly at?: 'both' } = {},
): Promise<AnAgent> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const made = async (path: string, body: object) => {
    const { status, json } = await product.admin('POST', `/tenants/${company}${path}`, body)
    expect({ status, json }).toMatchObject({ status: 201 })
    return json
  }
  const client = await made('/clients', {
    name: 'Agent',
    grantTypes: [jwtBearer, samlBearer],
    tokenEndpointAuthMethod: 'client_secret_basic',
  })
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] }
  const trust = await made('/assertion-trusts', {
    name: 'Assertions',
    configuration: { issuer: assertionIssuer, jwks, publicClients: true, ...place },
  })
  const id = String(client['clientId'])
  const key = aFixtureKey()
  const configuration = { profile: 'saml2-bearer', issuer: samlIssuer, certificates: [key.certificate], clients: [id], ...place }
  await made('/assertion-trusts', { name: 'SAML assertions', configuration })
  return {
    id,
    secret: String(client['clientSecret']),
    trustId: String(trust['id']),
    assert: ({ header, claims } = {}) => {
      const now = Math.floor(Date.now() / 1000)
      const who = { iss: assertionIssuer, sub: 'ada', aud: product.issuer(company), client_id: id, groups: ['engineering', 'staff'] }
      const what = { resource, scope: 'documents:read documents:write', jti: randomUUID(), iat: now, exp: now + 120 }
      const said = JSON.parse(JSON.stringify({ ...who, ...what, ...claims })) as Record<string, unknown>
      return new SignJWT(said).setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'oauth-id-jag+jwt', ...header }).sign(privateKey)
    },
    assertSaml: async ({ isUnsigned, written = (xml: string) => xml, ...change }: SamlChange = {}) => {
      const xml = Saml20[isUnsigned === true ? 'createUnsignedAssertion' : 'create']({
        ...{
          cert: key.certificate,
          key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
          issuer: samlIssuer,
          lifetimeInSeconds: 120,
        },
        ...{ audiences: change.audience ?? product.issuer(company), recipient: `${product.issuer(company)}/token`, nameIdentifier: 'ada' },
        attributes: { groups: ['engineering', 'staff'] },
        ...change,
      })
      return Buffer.from(written(xml)).toString('base64url')
    },
  }
}
