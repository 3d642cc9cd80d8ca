/** A company whose MCP server goes on to others for the person who called it: three resources, two of which act as clients, and who may exchange what. */
import { randomUUID } from 'node:crypto'
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { accessTokenUrn, tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { aVerifier, hashOf } from './a-grant.js'
import { anAuthorizeUrl, aWebRedirectUri } from './a-login.js'
import { aSigningIn } from './a-signing-in.js'
import { asOwner } from './database.js'
import { type ToldRefusals, toldRefusals } from './told-refusals.js'

export type AResourceServer = {
  /** Its identifier. */
  readonly resource: string
  /** As a client: it exchanges what it is sent. */
  readonly clientId: string
  readonly secret: string
  /** For introspection. */
  readonly credential: readonly [id: string, secret: string]
}
type Json = Readonly<Record<string, unknown>>
export type ExchangeAnswer = {
  readonly status: number
  readonly body: Json & { readonly access_token: string; readonly error?: string; readonly scope?: string }
}
export type AnExchangeCompany = Awaited<ReturnType<typeof anExchangeCompany>>

export const basicOf = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })

export async function anExchangeCompany(change: Partial<BrokerDeps> = {}) {
  const told: ToldRefusals = toldRefusals()
  let now: Instant = instant(Date.now())
  const at = await aSigningIn(() => now, { metrics: told.metrics, ...change })
  const { fixture, acme, broker } = at
  const owner = (sql: string, ...more: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, [acme.tenantId, ...more])
  const named = async (name: string, resource: string, id: string): Promise<AResourceServer> => {
    const credential = [randomUUID(), `dbx_${name}`] as const
    await owner(
      'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, now())',
      ...[credential[0], id, hashOf(credential[1])],
    )
    await owner(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
       VALUES ($1, $2, $3, 'preregistered', $3, '{}', $4, 'client_secret_basic', $5, '{}', now())`,
      ...[acme.issuerId, name, [tokenExchangeGrantType], hashOf(`dbk_${name}`)],
    )
    return { resource, clientId: name, secret: `dbk_${name}`, credential }
  }
  const another = async (name: string): Promise<AResourceServer> => {
    const [id, resource] = [randomUUID(), `https://${name}.acme.example/mcp`]
    await owner('INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $3, now())', id, resource)
    await owner(
      'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)',
      id,
      acme.issuerId,
    )
    for (const scope of ['read', 'write', 'admin'])
      await owner(
        'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $3, false)',
        ...[id, scope],
      )
    return named(name, resource, id)
  }
  const gateway = await named('gateway', acme.resource, acme.resourceId)
  const [files, archive] = [await another('files'), await another('archive')]
  const permit = async (...permissions: readonly Json[]): Promise<void> => {
    await owner('UPDATE tenants SET token_exchange = $2 WHERE id = $1', JSON.stringify({ permissions }))
    broker.deps.configuration.invalidate()
  }
  const post = async (
    path: string,
    form: Record<string, string>,
    headers: Record<string, string>,
    url = broker.url,
  ): Promise<ExchangeAnswer> => {
    const answer = await fetch(`${url}/t/acme/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
    return { status: answer.status, body: (await answer.json()) as ExchangeAnswer['body'] }
  }
  const exchange = (
    by: AResourceServer,
    token: string,
    form: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
    url = broker.url,
  ): Promise<ExchangeAnswer> => {
    const asked = {
      grant_type: tokenExchangeGrantType,
      subject_token: token,
      subject_token_type: accessTokenUrn,
      resource: files.resource,
      ...form,
    }
    const kept = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ''))
    return post('token', kept, { ...basicOf(by.clientId, by.secret), ...headers }, url)
  }
  return {
    ...{ at, told, owner, gateway, files, archive, permit, post, exchange },
    now: () => now,
    wait: (seconds: number): void => {
      now = addSeconds(now, seconds)
    },
    /** As if nothing had been: a new time, no refusal told, and the gateway may exchange what it is sent for a token of the files, and those for the archive. */
    begin: async (): Promise<void> => {
      now = addSeconds(now, 100_000)
      at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
      await permit(
        { client: 'gateway', from: acme.resource, to: files.resource, scopes: ['read', 'write', 'admin'] },
        { client: 'files', from: files.resource, to: archive.resource, scopes: ['read'] },
      )
      told.take()
    },
    /** The person signs in at her client; what that gets. */
    signIn: async (scope = 'read write', form: Readonly<Record<string, string>> = {}, headers: Record<string, string> = {}) => {
      const browser = at.browser()
      const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, acme, { scope })), acme.connectionId)
      const code = new URL(home.location).searchParams.get('code') ?? ''
      const redeemed = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
      const { body } = await post('token', { ...redeemed, client_id: acme.clientId, resource: acme.resource, ...form }, headers)
      return body as Json & { readonly access_token: string; readonly refresh_token: string; readonly id_token?: string }
    },
    introspect: async (by: AResourceServer, token: string): Promise<Json> =>
      (await post('introspect', { token }, basicOf(...by.credential))).body,
    /** The trail of exchanges, the oldest first. */
    audited: () =>
      owner(
        `SELECT kind, reason, client_id, grant_id, subject_id, scopes, detail FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'token_exchange%' ORDER BY id`,
      ),
  }
}
