/** At the front issuer: tokens that are exchanged and assertions that are brought, each of the one tenant that permits it and for which it was made. */
import assert from 'node:assert/strict'
import {
  type Answered,
  basic,
  claimsOf,
  type Parameters,
  post,
  type Requirement,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const urn = (name: string) => `urn:ietf:params:oauth:${name}`
const ours = 'front issuer (ours)'
const slugOf = (issuer: string): string => issuer.slice(issuer.lastIndexOf('/') + 1)
const atFront = (target: Target): Target => ({ ...target, issuer: target.front })

const exchange = ({ front, frontGateway: by }: Target, token: string, change: Parameters = {}): Promise<Answered> =>
  post(
    `${front}/token`,
    {
      ...{ grant_type: urn('grant-type:token-exchange'), subject_token: token, subject_token_type: urn('token-type:access_token') },
      ...{ resource: by.target, ...change },
    },
    basic(by),
  )
const bring = ({ front, frontAgent: by }: Target, assertion: string, change: Parameters = {}): Promise<Answered> =>
  post(`${front}/token`, { grant_type: urn('grant-type:jwt-bearer'), assertion, ...change }, basic(by))
const bringSaml = ({ front, frontAgent: by, agent, resource, issuer }: Target, assertion: string): Promise<Answered> =>
  post(
    `${front}/token`,
    { grant_type: urn('grant-type:saml2-bearer'), assertion, resource, scope: agent.scope, tenant: slugOf(issuer) },
    basic(by),
  )
const isOfTenant = ({ front, issuer }: Target, { status, json }: Answered): void => {
  assert.equal(status, 200)
  const { iss, tenant } = claimsOf(String(json['access_token']))
  assert.deepEqual([iss, tenant, json['refresh_token']], [front, slugOf(issuer), undefined])
}

export const frontAgentRequirements: readonly Requirement[] = [
  {
    section: 'RFC 8693 §2.2.1',
    level: 'MUST',
    says: 'exchanges at the front issuer a token of the front for one of the same tenant, which says who acts',
    ask: async (target) => {
      const exchanged = await exchange(target, (await someTokens(atFront(target))).accessToken)
      isOfTenant(target, exchanged)
      assert.deepEqual(claimsOf(String(exchanged.json['access_token']))['act'], {
        sub: `${slugOf(target.issuer)}.${target.frontGateway.id}`,
      })
    },
  },
  {
    section: ours,
    level: 'MUST NOT',
    says: 'exchanges at the front issuer a token of a tenant’s own, or the other way round',
    ask: async (target) => {
      refusedWith(await exchange(target, (await someTokens(target)).accessToken, { tenant: slugOf(target.issuer) }), ['invalid_request'])
      const { accessToken: token } = await someTokens(atFront(target))
      refusedWith(await exchange({ ...target, front: target.issuer, frontGateway: target.gateway }, token), ['invalid_request'])
    },
  },
  {
    section: 'ID-JAG draft',
    level: 'MUST',
    says: 'takes at the front issuer an assertion for it that names one of its tenants, and says in the token whose it is',
    ask: async (target) => isOfTenant(target, await bring(target, await target.frontAgent.assert({}))),
  },
  {
    section: 'ID-JAG draft',
    level: 'MUST NOT',
    says: 'takes at the front issuer an assertion that names no tenant, or for another than it names',
    ask: async (target) => {
      const [own, other] = [slugOf(target.issuer), slugOf(target.otherIssuer)]
      const nameless = await target.frontAgent.assert({ claims: { aud_tenant: undefined } })
      for (const tenant of [undefined, own, other])
        refusedWith(await bring(target, nameless, { tenant }), ['invalid_request', 'invalid_grant'])
      refusedWith(await bring(target, await target.frontAgent.assert({}), { tenant: other }), ['invalid_request', 'invalid_grant'])
      refusedWith(await bring(target, await target.frontAgent.assert({ claims: { aud_tenant: other } })), [
        'invalid_grant',
        'invalid_client',
      ])
    },
  },
  {
    section: 'RFC 7523 §3',
    level: 'MUST NOT',
    says: 'takes at the front issuer an assertion for a tenant’s own, or the other way round, or one twice',
    ask: async (target) => {
      const own = await target.assert({ claims: { aud_tenant: slugOf(target.issuer) } })
      refusedWith(await bring(target, own), ['invalid_grant'])
      const assertion = await target.frontAgent.assert({})
      refusedWith(await bring({ ...target, front: target.issuer, frontAgent: { ...target.frontAgent, ...target.agent } }, assertion), [
        'invalid_grant',
      ])
      assert.equal((await bring(target, assertion)).status, 200)
      refusedWith(await bring(target, assertion), ['invalid_grant'])
    },
  },
  {
    section: 'RFC 7522 §3 (2)',
    level: 'MUST',
    says: 'takes at the front issuer a SAML assertion for its token endpoint whose audience is the tenant, and none for the front as such',
    ask: async (target) => {
      isOfTenant(target, await bringSaml(target, await target.frontAgent.assertSaml({})))
      for (const audience of [target.front, target.otherIssuer, `${target.front}/token`])
        refusedWith(await bringSaml(target, await target.frontAgent.assertSaml({ audience })), ['invalid_grant'])
      refusedWith(await bringSaml(target, await target.assertSaml({})), ['invalid_grant'])
    },
  },
]
