/** A company that accepts the assertions of an issuer: a confidential client, a trust, and whatever that issuer would sign, true or not. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { ok } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { CompactSign, importJWK } from 'jose'
import { aBroker, type TestBroker } from './a-broker.js'
import { hashOf } from './a-grant.js'
import { aCompany, anIdp, publish } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { aTokenKey } from './a-token-key.js'
import { asOwner, type TestDatabase } from './database.js'
import { type ToldRefusals, toldRefusals } from './told-refusals.js'

export const anAssertionIssuer = 'https://idp.example'
export const anAgent = { id: 'agent', secret: 'dbk_agent' } as const

type Json = Readonly<Record<string, unknown>>
export type AnAssertionKey = { readonly jwk: Json; sign(header: Json, claims: Json): Promise<string> }

/** Signed by another library than the one that verifies. */
export function anAssertionKey(kid = 'idp'): AnAssertionKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }
  return {
    jwk,
    sign: async (header, claims) =>
      new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'ES256', kid, typ: 'oauth-id-jag+jwt', ...header } as never)
        .sign((await importJWK(pair.privateKey.export({ format: 'jwk' }), 'ES256')) as never),
  }
}

/** What is published at which address; whatever else is asked for is not there. */
export const fetchedFrom =
  (published: ReadonlyMap<string, unknown>, asked: string[] = []): FetchSafely =>
  async (url) => {
    asked.push(url)
    const body = published.get(url)
    return ok({
      status: body === undefined ? 404 : 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body ?? {})),
    })
  }

export type AnAssertionCompany = Awaited<ReturnType<typeof anAssertionCompany>>
export type AssertionAnswer = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>> & { readonly access_token?: string; readonly error?: string }
}

export async function anAssertionCompany(fixture: TestDatabase) {
  const told: ToldRefusals = toldRefusals()
  const key = anAssertionKey()
  const idp = anIdp(() => now)
  let now: Instant = instant(Date.now())
  let company = undefined as unknown as ATenant
  let count = 0
  const published = new Map<string, unknown>([[`${anAssertionIssuer}/keys`, { keys: [key.jwk] }]])
  const asked: string[] = []
  const fetchSafely = fetchedFrom(published, asked)
  const broker: TestBroker = await aBroker(fixture.database, {
    ...{ clock: { now: () => now }, connectorFor: idp.connectorFor, fetchSafely, metrics: told.metrics },
  })
  const issuer = () => `http://localhost:4400/t/${company.slug}`
  const owner = (sql: string, ...more: unknown[]) => asOwner(fixture.ownerUrl, sql, [company.tenantId, ...more])
  const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}, url = broker.url) =>
    fetch(`${url}/t/${company.slug}/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
  /** As good as it can be, but for what is said otherwise; `undefined` leaves out. */
  const claimsOf = (change: Json = {}): Json => ({
    ...{ iss: anAssertionIssuer, sub: 'ada', aud: issuer(), client_id: anAgent.id, resource: company.resource },
    ...{ jti: randomUUID(), iat: toSeconds(now), exp: toSeconds(now) + 120, auth_time: toSeconds(now) - 60 },
    ...{ scope: 'read write', groups: ['staff'], amr: ['pwd', 'otp'], email: `ada@${company.slug}.example` },
    ...change,
  })
  const assertion = (change?: Json, header: Json = {}): Promise<string> => key.sign(header, claimsOf(change))
  const redeem = async (text: string, form: Record<string, string> = {}, proof = basic(anAgent.id, anAgent.secret), url = broker.url) => {
    const answer = await post('token', { grant_type: jwtBearerGrantType, assertion: text, ...form }, proof, url)
    return { status: answer.status, body: await answer.json(), headers: answer.headers } as AssertionAnswer & { readonly headers: Headers }
  }
  const trust = async (configuration: Json): Promise<ConnectionId> => {
    const id = randomUUID() as ConnectionId
    await owner(
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'assertion', $3, $4, now())`,
      ...[id, 'trust', JSON.stringify(configuration)],
    )
    broker.deps.configuration.invalidate()
    return id
  }
  return {
    ...{ broker, told, key, idp, asked, published, issuer, owner, basic, post, claimsOf, assertion, redeem, trust },
    tenant: () => company,
    now: () => now,
    seconds: () => toSeconds(now),
    wait: (seconds: number): void => {
      now = addSeconds(now, seconds)
    },
    /** Another company, so that no test sees what another left. Answers the id of its trust. */
    begin: async (configuration: Json = {}): Promise<ConnectionId> => {
      now = addSeconds(now, 5)
      company = await aCompany(fixture, `asserting-${(count += 1)}`, now)
      await aTokenKey(fixture, broker, company)
      await owner(
        `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
         VALUES ($1, $2, $3, 'preregistered', 'Agent', '{}', $4, 'client_secret_basic', $5, '{}', now())`,
        ...[company.issuerId, anAgent.id, [jwtBearerGrantType, samlBearerGrantType], hashOf(anAgent.secret)],
      )
      await owner(`UPDATE tenants SET provisioning_mode = 'just_in_time' WHERE id = $1`)
      const made = await trust({ issuer: anAssertionIssuer, jwks: { keys: [key.jwk] }, ...configuration })
      told.take()
      return made
    },
    publish: (document: string) => publish(fixture, company, now, document).then(() => broker.deps.configuration.invalidate()),
    kill: async (connection: ConnectionId): Promise<number> => {
      const headers = { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' }
      const url = `${broker.url}/admin/v1/tenants/${company.slug}/connections/${connection}/kill`
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ reason: 'a test' }) })).status
    },
    introspect: async (token: string): Promise<Json> => {
      const answer = await post('introspect', { token }, basic(company.credentialId, company.credentialSecret))
      return (await answer.json()) as Json
    },
    audited: () =>
      owner(
        `SELECT kind, reason, connection_id, client_id, grant_id, subject_id, scopes FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'assertion_r%' ORDER BY at, id`,
      ),
  }
}
