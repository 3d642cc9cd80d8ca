/** An agent of the company, which needs nobody's browser: it exchanges what people gave to other clients, and brings what a trusted issuer signed about them. */
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Production, publicUrl } from '../a-production.js'

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const scope = 'documents:read'
/** Within the longest life of an assertion, and longer than any clock here is ahead. */
const lifeSeconds = 120

export type Agent = {
  readonly headers: Readonly<Record<string, string>>
  /** The form with which it asks for a token of its own instead of somebody's. */
  toExchange(token: string): URLSearchParams
  /** The same with a new assertion about somebody, by her id at the company. */
  toBring(id: string): Promise<URLSearchParams>
}

/** Its people are those who sign in by the company's connection. */
export async function anAgent(
  admin: Production['admin'],
  { slug, resource, connectionId }: { readonly slug: string; readonly resource: string; readonly connectionId: string },
): Promise<Agent> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const assertionIssuer = `https://assertions.${slug}.example`
  const done = async (method: string, path: string, body: object) => {
    const { status, json } = await admin(method, `/tenants/${slug}${path}`, body)
    if (status >= 300) throw new Error(`${path} was answered ${status}: ${JSON.stringify(json)}`)
    return json
  }
  const grantTypes = [exchangeGrant, jwtBearer]
  const made = await done('POST', '/clients', { name: 'Agent', grantTypes, tokenEndpointAuthMethod: 'client_secret_basic' })
  const clientId = String(made['clientId'])
  await done('PUT', '/token-exchange', { permissions: [{ client: clientId, from: resource, to: resource, scopes: [scope] }] })
  await done('POST', '/assertion-trusts', {
    name: 'Assertions',
    configuration: {
      issuer: assertionIssuer,
      jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'one' }] },
      peopleOf: { connection: connectionId, key: 'sub' },
      freshnessEvidence: 'issued_at',
    },
  })
  return {
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${String(made['clientSecret'])}`).toString('base64')}` },
    toExchange: (token) =>
      new URLSearchParams({
        ...{ grant_type: exchangeGrant, subject_token: token, resource, scope },
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    toBring: async (id) => {
      const now = Math.floor(Date.now() / 1000)
      const who = { iss: assertionIssuer, sub: id, aud: `${publicUrl}/t/${slug}`, client_id: clientId, resource, scope }
      const assertion = await new SignJWT({ ...who, jti: randomUUID(), iat: now, exp: now + lifeSeconds })
        .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'oauth-id-jag+jwt' })
        .sign(privateKey)
      return new URLSearchParams({ grant_type: jwtBearer, assertion })
    },
  }
}
