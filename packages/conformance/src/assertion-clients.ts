/** Clients that describe themselves and come with an ID-JAG alone: met by the word of an issuer that is trusted, at a tenant's issuer and at the front. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import {
  type Answered,
  claimsOf,
  type Parameters,
  type Published,
  post,
  type Requirement,
  refusedWith,
  type Target,
} from './requirement.js'

const section = 'MCP Enterprise-Managed Authorization'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const grantTypes = { grant_types: ['authorization_code', jwtBearer] }

type Place = { readonly at: string; readonly issuerOf: (target: Target) => string; readonly assertOf: (target: Target) => Target['assert'] }
const places: readonly Place[] = [
  { at: 'at the issuer of a tenant', issuerOf: ({ issuer }) => issuer, assertOf: (target) => target.assert },
  { at: 'at the front issuer', issuerOf: ({ front }) => front, assertOf: ({ frontAgent }) => frontAgent.assert },
]

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const aPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

function assertionOf(clientId: string, audience: string, key: KeyObject): Parameters {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: clientId, sub: clientId, aud: audience, iat, exp: iat + 60, jti: randomUUID() }
  const input = `${encode({ alg: 'ES256', kid: 'k' })}.${encode(claims)}`
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`,
  }
}

const bring = async (target: Target, { issuerOf, assertOf }: Place, named: string, by: Parameters): Promise<Answered> =>
  post(`${issuerOf(target)}/token`, {
    grant_type: jwtBearer,
    assertion: await assertOf(target)({ claims: { client_id: named } }),
    ...by,
  })

function isFor({ clientId }: Published, { status, json }: Answered): void {
  assert.equal(status, 200, JSON.stringify(json))
  assert.equal(claimsOf(String(json['access_token']))['client_id'], clientId)
}

const requirementsAt = (place: Place): readonly Requirement[] => [
  {
    section,
    level: 'MUST',
    says: `takes ${place.at} the URL of a metadata document as client_id beside an assertion that names it, of a client that nobody has met`,
    ask: async (target) => {
      const published = target.publish({ members: grantTypes })
      isFor(published, await bring(target, place, published.clientId, { client_id: published.clientId }))
      assert.equal(published.fetched(), 1)
    },
  },
  {
    section,
    level: 'MUST',
    says: `has such a client prove itself ${place.at} by the keys of its document, where it has any`,
    ask: async (target) => {
      const [own, strange] = [aPair(), aPair()]
      const jwks = { keys: [{ ...own.publicKey.export({ format: 'jwk' }), kid: 'k' }] }
      const published = target.publish({ members: { ...grantTypes, jwks, token_endpoint_auth_method: 'private_key_jwt' } })
      const { clientId } = published
      const by = (key: KeyObject) => bring(target, place, clientId, assertionOf(clientId, place.issuerOf(target), key))
      refusedWith(await bring(target, place, clientId, { client_id: clientId }), ['invalid_client'])
      refusedWith(await by(strange.privateKey), ['invalid_client'])
      isFor(published, await by(own.privateKey))
    },
  },
  {
    section,
    level: 'MUST NOT',
    says: `fetches ${place.at} the document of a client that no assertion of a trusted issuer names`,
    ask: async (target) => {
      const { clientId, fetched } = target.publish({ members: grantTypes })
      refusedWith(await bring(target, place, 'https://other.example/client.json', { client_id: clientId }), ['invalid_client'])
      const assertion = await place.assertOf(target)({ claims: { iss: 'https://evil.example', client_id: clientId } })
      refusedWith(await post(`${place.issuerOf(target)}/token`, { grant_type: jwtBearer, assertion, client_id: clientId }), [
        'invalid_client',
      ])
      assert.equal(fetched(), 0)
    },
  },
]

export const assertionClientRequirements: readonly Requirement[] = places.flatMap(requirementsAt)
