/** A company whose client gets ID-JAGs for a server of others: an agent that proves itself, and what an admin allows it. */
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { hashOf } from './a-grant.js'
import { anAdmin } from './an-admin.js'
import { anExchangeCompany, basicOf, type ExchangeAnswer } from './an-exchange-company.js'

export type AnIdJagCompany = Awaited<ReturnType<typeof anIdJagCompany>>

export const audienceThere = 'https://as.vendor.example'
export const resourceThere = 'https://api.vendor.example/mcp'
export const tokenTypeOf = (name: string): string => `urn:ietf:params:oauth:token-type:${name}`

export async function anIdJagCompany(change: Partial<BrokerDeps> = {}) {
  const acme = await anExchangeCompany(change)
  const call = anAdmin(acme.at.broker)
  const agent = acme.at.acme.clientId
  await acme.owner(
    `UPDATE clients SET token_endpoint_auth_method = 'client_secret_basic', secret_hash = $2, grant_types = $3 WHERE tenant_id = $1 AND client_id = $4`,
    ...[hashOf('dbk_agent'), ['authorization_code', 'refresh_token', tokenExchangeGrantType], agent],
  )
  const permission = (changed: object = {}) => ({
    ...{ client: agent, audience: audienceThere, clientThere: 'agent-there', resource: resourceThere },
    scopes: [
      { name: 'read', tier: 'read' },
      { name: 'write', tier: 'write' },
    ],
    ...changed,
  })
  const permit = async (...permissions: object[]): Promise<void> => {
    const { status } = await call('PUT', '/tenants/acme/id-jag-issuing', { permissions })
    if (status !== 200) throw new Error(`not permitted: ${status}`)
    acme.at.broker.deps.configuration.invalidate()
  }
  const byAgent = () => basicOf(agent, 'dbk_agent')
  /** A member of the form that is empty is left out. */
  const ask = (
    kind: 'refresh_token' | 'id_token',
    token: unknown,
    form: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = byAgent(),
    url = acme.at.broker.url,
  ): Promise<ExchangeAnswer> => {
    const asked = {
      ...{
        grant_type: tokenExchangeGrantType,
        requested_token_type: tokenTypeOf('id-jag'),
        audience: audienceThere,
        resource: resourceThere,
      },
      ...{ subject_token: String(token), subject_token_type: tokenTypeOf(kind), ...form },
    }
    return acme.post('token', Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== '')), headers, url)
  }
  return {
    ...{ acme, call, agent, permission, permit, byAgent, ask },
    /** As if nothing had been: a new time, and the agent may have what it asks for. */
    begin: async (): Promise<void> => {
      await acme.begin()
      await permit(permission())
      acme.told.take()
    },
    signIn: (scope = 'openid read') => acme.signIn(scope, {}, byAgent()),
    refresh: (token: unknown, headers: Readonly<Record<string, string>> = {}) =>
      acme.post('token', { grant_type: 'refresh_token', refresh_token: String(token) }, { ...byAgent(), ...headers }),
    /** What is said of a refusal, here and to the client. */
    refusalOf: async (asked: Promise<ExchangeAnswer>) => {
      acme.told.take()
      const { status, body } = await asked
      return { status, error: body.error, reason: acme.told.take()[0] }
    },
    /** The latest line of the trail that tells of ID-JAGs. */
    trail: () =>
      acme.owner(
        `SELECT kind, reason, client_id, grant_id, subject_id, scopes, detail FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'id_jag%' ORDER BY id DESC LIMIT 1`,
      ),
  }
}
