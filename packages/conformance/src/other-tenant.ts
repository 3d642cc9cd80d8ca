/** Every credential of one issuer is worth nothing at another of the same installation. */
import assert from 'node:assert/strict'
import {
  aCode,
  authorizeUrl,
  basic,
  codeForm,
  isActive,
  post,
  type Requirement,
  refusedOnPage,
  refusedWith,
  someTokens,
} from './requirement.js'

export const otherTenantRequirements: readonly Requirement[] = [
  {
    section: 'RFC 9700 §4.4',
    level: 'MUST NOT',
    says: 'redeems a code of another issuer',
    ask: async (target) => {
      const code = await aCode(target)
      refusedWith(await post(`${target.otherIssuer}/token`, codeForm(target, code)), ['invalid_grant'])
    },
  },
  {
    section: 'RFC 6749 §6',
    level: 'MUST NOT',
    says: 'refreshes a token of another issuer, or revokes its family for that',
    ask: async (target) => {
      const { refreshToken } = await someTokens(target)
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: target.client.id }
      refusedWith(await post(`${target.otherIssuer}/token`, form), ['invalid_grant'])
      assert.equal((await post(`${target.issuer}/token`, form)).status, 200)
    },
  },
  {
    section: 'RFC 7662 §2.2',
    level: 'MUST NOT',
    says: 'calls a token of another issuer active',
    ask: async (target) => {
      const { accessToken } = await someTokens(target)
      assert.equal(await isActive(target, target.issuer, accessToken), true)
      assert.equal(await isActive(target, target.otherIssuer, accessToken), false)
    },
  },
  {
    section: 'RFC 7009 §2.1',
    level: 'MUST NOT',
    says: 'revokes a token of another issuer',
    ask: async (target) => {
      const { accessToken, refreshToken } = await someTokens(target)
      const revokeAt = (issuer: string, token: string) => post(`${issuer}/revoke`, { token, client_id: target.client.id })
      for (const token of [accessToken, refreshToken]) await revokeAt(target.otherIssuer, token)
      assert.equal(await isActive(target, target.issuer, accessToken), true)
      assert.equal((await revokeAt(target.issuer, accessToken)).status, 200)
      assert.equal(await isActive(target, target.issuer, accessToken), false)
    },
  },
  {
    section: 'RFC 6749 §2.3',
    level: 'MUST NOT',
    says: 'believes the secret of a client of another issuer',
    ask: async ({ issuer, otherIssuer, machine, resource }) => {
      const form = { grant_type: 'client_credentials', resource }
      assert.equal((await post(`${issuer}/token`, form, basic(machine))).status, 200)
      refusedWith(await post(`${otherIssuer}/token`, form, basic(machine)), ['invalid_client'])
    },
  },
  {
    section: 'RFC 6749 §2.2',
    level: 'MUST NOT',
    says: 'knows a client that registered at another issuer',
    ask: (target) => refusedOnPage(authorizeUrl({ ...target, issuer: target.otherIssuer }, { client_id: target.otherClientId })),
  },
]
