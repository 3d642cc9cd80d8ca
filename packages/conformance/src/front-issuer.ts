/** The front issuer beside a tenant's own: what each gives is worth something there alone, and what the front gives says whose it is. */
import assert from 'node:assert/strict'
import {
  aCode,
  claimsOf,
  codeForm,
  isActive,
  type Parameters,
  post,
  type Requirement,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const section = 'front issuer (ours)'
const atFront = (target: Target): Target => ({ ...target, issuer: target.front, otherIssuer: target.issuer })
const fromFront = (target: Target): Target => ({ ...target, otherIssuer: target.front })

/** Both ways. */
const bothWays = async (target: Target, ask: (way: Target) => Promise<void>): Promise<void> => {
  for (const way of [atFront(target), fromFront(target)]) await ask(way)
}

const slugOf = (issuer: string): string => issuer.slice(issuer.lastIndexOf('/') + 1)
const machineForm = ({ frontMachine, resource }: Target, change: Parameters): Parameters => ({
  ...{ grant_type: 'client_credentials', client_id: frontMachine.id, client_secret: frontMachine.secret, resource },
  ...change,
})

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
async function deviceCodeAt(issuer: string, { device, resource }: Target): Promise<string> {
  const { status, json } = await post(`${issuer}/device_authorization`, { client_id: device.id, resource })
  assert.equal(status, 200, JSON.stringify(json))
  assert.equal(json['verification_uri'], `${issuer}/device`)
  return String(json['device_code'])
}
const pollAt = (issuer: string, { device }: Target, code: string) =>
  post(`${issuer}/token`, { grant_type: deviceGrant, device_code: code, client_id: device.id })

/** What a request of each grant type needs to be read at all. */
const goodForms: Readonly<Record<string, Parameters>> = {
  'urn:ietf:params:oauth:grant-type:device_code': { device_code: 'dbv_x' },
  'urn:ietf:params:oauth:grant-type:jwt-bearer': { assertion: 'a.b.c' },
  'urn:ietf:params:oauth:grant-type:saml2-bearer': { assertion: 'PHg' },
  'urn:ietf:params:oauth:grant-type:token-exchange': {
    subject_token: 'a.b.c',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  },
}

export const frontIssuerRequirements: readonly Requirement[] = [
  {
    section,
    level: 'MUST',
    says: 'says in each access token of the front issuer for which tenant it is',
    ask: async (target) => {
      const { accessToken } = await someTokens(atFront(target))
      const { iss, tenant } = claimsOf(accessToken)
      assert.equal(iss, target.front)
      assert.equal(typeof tenant, 'string')
      assert.ok(target.issuer.endsWith(`/t/${String(tenant)}`), `of ${String(tenant)}`)
    },
  },
  {
    section,
    level: 'MUST NOT',
    says: 'redeems at the front issuer a code of the same tenant’s own, or the other way round',
    ask: (target) =>
      bothWays(target, async (way) => {
        const code = await aCode(way)
        refusedWith(await post(`${way.otherIssuer}/token`, codeForm(way, code)), ['invalid_grant'])
        assert.equal((await post(`${way.issuer}/token`, codeForm(way, code))).status, 200)
      }),
  },
  {
    section,
    level: 'MUST NOT',
    says: 'refreshes at the front issuer a token of the same tenant’s own, or the other way round, or revokes its family for that',
    ask: (target) =>
      bothWays(target, async (way) => {
        const { refreshToken } = await someTokens(way)
        const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: way.client.id }
        refusedWith(await post(`${way.otherIssuer}/token`, form), ['invalid_grant'])
        assert.equal((await post(`${way.issuer}/token`, form)).status, 200)
      }),
  },
  {
    section,
    level: 'MUST NOT',
    says: 'calls active at the front issuer a token of the same tenant’s own, or the other way round',
    ask: (target) =>
      bothWays(target, async (way) => {
        const { accessToken } = await someTokens(way)
        assert.equal(await isActive(way, way.issuer, accessToken), true)
        assert.equal(await isActive(way, way.otherIssuer, accessToken), false)
      }),
  },
  {
    section: 'OIDC RP-Initiated Logout §3',
    level: 'MUST NOT',
    says: 'leads from the sign-out of the front issuer to an address that no client of it registered',
    ask: async (target) => {
      const metadata = await fetch(`${target.front}/.well-known/openid-configuration`)
      const { end_session_endpoint: address } = (await metadata.json()) as { end_session_endpoint: unknown }
      assert.equal(address, `${target.front}/logout`)
      const asked = new URLSearchParams({ client_id: target.client.id, post_logout_redirect_uri: 'https://evil.example/', state: 's' })
      const answer = await fetch(`${String(address)}?${asked.toString()}`, { redirect: 'manual' })
      assert.equal(answer.status, 200)
      assert.ok(!(await answer.text()).includes('evil.example'))
    },
  },
  {
    section: 'SSF 1.0 §7.2',
    level: 'MUST',
    says: 'describes at the front issuer a transmitter of the front’s own, whose addresses are there',
    ask: async ({ front }) => {
      const described = await fetch(`${new URL(front).origin}/.well-known/ssf-configuration`)
      const { issuer, jwks_uri: keys, configuration_endpoint: streams } = (await described.json()) as Record<string, unknown>
      assert.deepEqual([issuer, keys, streams], [front, `${front}/ssf/jwks`, `${front}/ssf/streams`])
    },
  },
  {
    section: 'SSF 1.0 §8.1.1.2',
    level: 'MUST NOT',
    says: 'knows at the front issuer an event stream of the same resource server at a tenant’s own, or the other way round',
    ask: (target) =>
      bothWays(target, async (way) => {
        const { id, secret } = way.resourceCredential
        const headers = { authorization: `Bearer ${id}.${secret}`, 'content-type': 'application/json' }
        const made = await fetch(`${way.issuer}/ssf/streams`, { method: 'POST', headers, body: '{}' })
        assert.equal(made.status, 201)
        const { stream_id: stream } = (await made.json()) as { stream_id: string }
        const at = (issuer: string) => `${issuer}/ssf/streams?stream_id=${stream}`
        assert.equal((await fetch(at(way.otherIssuer), { headers })).status, 404)
        assert.equal((await fetch(at(way.issuer), { headers, method: 'DELETE' })).status, 204)
      }),
  },
  {
    section: 'RFC 8414 §2',
    level: 'MUST',
    says: 'lists at the front issuer each grant type that it knows',
    ask: async (target) => {
      const metadata = await fetch(`${target.front}/.well-known/oauth-authorization-server`)
      const { grant_types_supported: offered } = (await metadata.json()) as { grant_types_supported: unknown }
      for (const grantType of ['authorization_code', 'refresh_token', 'client_credentials', ...Object.keys(goodForms)]) {
        assert.ok(Array.isArray(offered) && offered.includes(grantType), grantType)
        const { json } = await post(`${target.front}/token`, {
          grant_type: grantType,
          client_id: target.client.id,
          ...goodForms[grantType],
        })
        assert.notEqual(json['error'], 'unsupported_grant_type', grantType)
      }
    },
  },
  {
    section: 'RFC 6749 §4.4.2',
    level: 'MUST',
    says: 'issues at the front issuer a token of its own to a client for the tenant that the request names, and that gave it access',
    ask: async (target) => {
      const { status, json } = await post(`${target.front}/token`, machineForm(target, { tenant: slugOf(target.issuer) }))
      assert.equal(status, 200)
      const { iss, tenant, client_id: client } = claimsOf(String(json['access_token']))
      assert.deepEqual([iss, tenant, client], [target.front, slugOf(target.issuer), target.frontMachine.id])
      assert.equal(json['refresh_token'], undefined)
    },
  },
  {
    section: 'RFC 9068 §5',
    level: 'MUST NOT',
    says: 'names at the front issuer a client of two tenants by one subject: the tenant is a part of it',
    ask: async (target) => {
      const { json } = await post(`${target.front}/token`, machineForm(target, { tenant: slugOf(target.issuer) }))
      assert.equal(claimsOf(String(json['access_token']))['sub'], `${slugOf(target.issuer)}.${target.frontMachine.id}`)
    },
  },
  {
    section,
    level: 'MUST NOT',
    says: 'gives a client of the front issuer anything in its own name at a tenant that gave it nothing',
    ask: async (target) =>
      refusedWith(await post(`${target.front}/token`, machineForm(target, { tenant: slugOf(target.otherIssuer) })), [
        'unauthorized_client',
      ]),
  },
  {
    section,
    level: 'MUST',
    says: 'refuses at the front issuer a request that says nowhere for which tenant it is, or names none that is there',
    ask: async (target) => {
      for (const change of [{}, { tenant: '' }, { tenant: 'nobody-is-called-so' }])
        refusedWith(await post(`${target.front}/token`, machineForm(target, change)), ['invalid_request'])
    },
  },
  {
    section: 'RFC 8628 §3.2',
    level: 'MUST',
    says: 'gives at the front issuer a device code before anybody has said whose the person is, and has the device wait',
    ask: async (target) =>
      refusedWith(await pollAt(target.front, target, await deviceCodeAt(target.front, target)), ['authorization_pending']),
  },
  {
    section,
    level: 'MUST NOT',
    says: 'takes at the front issuer a device code of a tenant’s own, or the other way round',
    ask: (target) =>
      bothWays(target, async (way) =>
        refusedWith(await pollAt(way.otherIssuer, target, await deviceCodeAt(way.issuer, target)), ['invalid_grant']),
      ),
  },
  {
    section,
    level: 'MUST NOT',
    says: 'lets a device at the front issuer name a tenant that is not there',
    ask: async ({ front, device, resource }) =>
      refusedWith(await post(`${front}/device_authorization`, { client_id: device.id, resource, tenant: 'nobody-is-called-so' }), [
        'invalid_request',
      ]),
  },
  {
    section,
    level: 'MUST NOT',
    says: 'takes a credential of one tenant for the tenant that the parameter names, at the front issuer or at a tenant’s own',
    ask: (target) =>
      bothWays(target, async (way) => {
        const { refreshToken } = await someTokens(way)
        const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: way.client.id }
        refusedWith(await post(`${way.issuer}/token`, { ...form, tenant: 'nobody-is-called-so' }), ['invalid_request'])
        assert.equal((await post(`${way.issuer}/token`, { ...form, tenant: slugOf(target.issuer) })).status, 200)
      }),
  },
]
