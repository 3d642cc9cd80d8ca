/** A company whose OpenID provider can sign whatever a test wants with its own key, whose people sign in, and whose tokens can be asked about. */
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import { readEnv, type Settings } from '@drawbridge/runtime/env'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from './a-broker.js'
import { aVerifier } from './a-grant.js'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { aTokenKey } from './a-token-key.js'
import { asOwner, type TestDatabase } from './database.js'
import { type ToldRefusals, toldRefusals } from './told-refusals.js'

/** `id_token`: where `openid` was asked for. */
export type HerTokens = { readonly access_token: string; readonly refresh_token: string; readonly id_token?: string }
export type ASignallingCompany = Awaited<ReturnType<typeof aSignallingCompany>>

/** `publish`: what the world serves at which address. What is not there is not reachable. `settings`: what is otherwise than by default. */
export async function aSignallingCompany(
  fixture: TestDatabase,
  published: Readonly<Record<string, unknown>>,
  settings: Partial<Settings> = {},
) {
  const told: ToldRefusals = toldRefusals()
  let now: Instant = instant(Date.now())
  let company = undefined as unknown as ATenant
  let count = 0
  const idp: AnIdp = anIdp(() => now)
  const asked: string[] = []
  const fetchSafely: FetchSafely = async (url) => {
    asked.push(url)
    const body = published[url]
    return ok({ status: body === undefined ? 404 : 200, headers: {}, body: Buffer.from(JSON.stringify(body ?? {})) })
  }
  const clock = { now: () => now }
  const broker: TestBroker = await aBroker(fixture.database, {
    ...{ clock, connectorFor: idp.connectorFor, fetchSafely, metrics: told.metrics },
    settings: { ...readEnv({}), ...settings },
  })
  const issuer = () => `http://localhost:4400/t/${company.slug}`
  const owner = (sql: string, ...more: unknown[]) => asOwner(fixture.ownerUrl, sql, [company.tenantId, ...more])
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${broker.url}/t/${company.slug}/${path}`, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' })
  const browser = () => aPlainBrowser({ issuer: issuer(), url: broker.url })
  return {
    ...{ broker, idp, told, asked, issuer, owner, post, browser },
    tenant: () => company,
    now: () => now,
    seconds: () => toSeconds(now),
    wait: (seconds: number): void => {
      now = addSeconds(now, seconds)
    },
    begin: async (): Promise<void> => {
      now = addSeconds(now, 5)
      company = await aCompany(fixture, `signals-${(count += 1)}`, now)
      idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'], email: `ada@${company.slug}.example` }
      await aTokenKey(fixture, broker, company)
      told.take()
    },
    configure: async (configuration: Record<string, unknown>): Promise<void> => {
      await owner(
        'UPDATE connections SET configuration = $2 WHERE tenant_id = $1 AND id = $3',
        JSON.stringify(configuration),
        company.connectionId,
      )
      await owner('UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = $1')
      broker.deps.configuration.invalidate()
    },
    signIn: async (asked: Readonly<Record<string, string>> = {}): Promise<HerTokens> => {
      const hers = browser()
      const home = await hers.comeHome(await hers.visit(anAuthorizeUrl(issuer(), company, asked)), company.connectionId)
      const code = { grant_type: 'authorization_code', code: new URL(home.location).searchParams.get('code') ?? '' }
      const redeemed = { ...code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier, client_id: company.clientId }
      const answer = await post('token', redeemed)
      if (answer.status !== 200) throw new Error(await answer.text())
      return (await answer.json()) as HerTokens
    },
    isActive: async ({ access_token: token }: HerTokens): Promise<boolean> => {
      const basic = Buffer.from(`${company.credentialId}:${company.credentialSecret}`).toString('base64')
      const answer = await post('introspect', { token }, { authorization: `Basic ${basic}` })
      return ((await answer.json()) as { active: boolean }).active
    },
    refresh: async ({ refresh_token }: HerTokens): Promise<number> =>
      (await post('token', { grant_type: 'refresh_token', refresh_token, client_id: company.clientId })).status,
    events: (): Promise<readonly Record<string, unknown>[]> =>
      owner(
        'SELECT source, target, reason, matched, told_at FROM deprovisioning_events WHERE tenant_id = $1 ORDER BY received_at',
      ) as never,
  }
}
