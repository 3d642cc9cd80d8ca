/** A public client of a tenant, and its resource server, at the token endpoints of a broker: what they post, and what they are answered. */
import type { TestBroker } from './a-broker.js'
import { aRedirectUri, aVerifier } from './a-grant.js'
import type { ATenant } from './a-tenant.js'

/** Where the answer is a refusal, `error` alone is there. `active`: at introspection. */
export type TokenAnswer = {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
  readonly error?: string
  readonly active?: boolean
}

export type TokenClient = {
  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<TokenAnswer>
  redeem(code: string): Promise<TokenAnswer>
  refresh(token: string): Promise<TokenAnswer>
  /** As the tenant's resource server. */
  introspect(token: string): Promise<TokenAnswer>
}

export function aTokenClient({ url }: Pick<TestBroker, 'url'>, tenant: ATenant): TokenClient {
  const { slug, clientId, credentialId, credentialSecret } = tenant
  const post: TokenClient['post'] = async (path, form, headers = {}) => {
    const answer = await fetch(`${url}/t/${slug}/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
    return (await answer.json()) as TokenAnswer
  }
  const authorization = `Basic ${Buffer.from(`${credentialId}:${credentialSecret}`).toString('base64')}`
  return {
    post,
    redeem: (code) =>
      post('token', { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: clientId }),
    refresh: (token) => post('token', { grant_type: 'refresh_token', refresh_token: token, client_id: clientId }),
    introspect: (token) => post('introspect', { token }, { authorization }),
  }
}
