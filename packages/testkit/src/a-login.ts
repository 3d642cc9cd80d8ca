/**
 * A company whose people sign in: a tenant with a policy, an IdP behind the port that always answers, and browsers that follow nothing
 * by themselves. For tests of the browser flow; the real connectors are tested in upstream and end to end.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { IdToken } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import type { Connector, StartLogin, StartLogout } from '@drawbridge/upstream/connector'
import { aChallenge } from './a-grant.js'
import { type ATenant, aTenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export const aCompanyPolicy = (scopes: readonly string[]): string =>
  `version: 1\nrules: [{name: staff, effect: grant, scopes: ${JSON.stringify(scopes)}, groups: [staff]}]\n`

/** Its client is vouched for and has an https redirect URI, so that neither gate is shown; its scopes are read and write. */
export const aWebRedirectUri = 'https://client.example/callback'

export async function aCompany(fixture: TestDatabase, slug: string, now: Instant, publicUrl?: string): Promise<ATenant> {
  const tenant = await aTenant(fixture, { slug, ...(publicUrl !== undefined && { publicUrl }) })
  const owner = (sql: string, ...parameters: unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  await owner('UPDATE connections SET configuration = $2 WHERE tenant_id = $1', tenant.tenantId, anIdpConfiguration)
  await owner('UPDATE clients SET pre_approved = true, redirect_uris = $2 WHERE tenant_id = $1', tenant.tenantId, [aWebRedirectUri])
  const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $3, $4)`
  for (const name of ['read', 'write']) await owner(scope, tenant.tenantId, tenant.resourceId, name, name === 'read')
  await publish(fixture, tenant, now, aCompanyPolicy(['read', 'write']))
  return tenant
}

const anIdpConfiguration = JSON.stringify({ issuer: 'https://idp.example', clientId: 'drawbridge' })

export const publish = (fixture: TestDatabase, { tenantId }: ATenant, now: Instant, document: string): Promise<unknown> =>
  inTenant(fixture.database, tenantId, (db) => publishPolicy(db, tenantId, { document, author: 'test', now }))

/** Another connection of the tenant, with a verified e-mail domain of its own where one is given. */
export async function anotherConnection(fixture: TestDatabase, tenant: ATenant, name: string, domain?: string): Promise<ConnectionId> {
  const id = randomUUID() as ConnectionId
  const owner = (sql: string, ...parameters: unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  await owner(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', $3, $4, now())`,
    ...[tenant.tenantId, id, name, anIdpConfiguration],
  )
  if (domain !== undefined) await aDomain(fixture, tenant, { connectionId: id, domain, verified: true })
  return id
}

export const aDomain = (
  fixture: TestDatabase,
  { tenantId }: ATenant,
  given: { connectionId: ConnectionId; domain: string; verified: boolean },
): Promise<unknown> =>
  asOwner(
    fixture.ownerUrl,
    'INSERT INTO domains (tenant_id, domain, connection_id, verified_at, created_at) VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END, now())',
    [tenantId, given.domain, given.connectionId, given.verified],
  )

export type AnIdp = {
  /** For `connectorFor` of the broker's dependencies. */
  readonly connectorFor: (tenant: unknown, connection: { readonly id: ConnectionId }) => Connector
  /** Every trip that was begun, with the connection it was begun at. */
  readonly started: (StartLogin & { readonly connectionId: ConnectionId })[]
  /** Every sign-out that was begun there. */
  readonly left: StartLogout[]
  offersLogout: boolean
  /** Whom it names next. */
  says: {
    readonly sub: string
    readonly sid?: string
    readonly groups: readonly string[]
    readonly amr: readonly string[]
    readonly acr?: string
    readonly email?: string
    /** When she signed in there. Not a member: just now; undefined: it does not say. */
    readonly signedInAt?: Instant | undefined
    /** When it ends its session. */
    readonly sessionEndsAt?: Instant
  }
}

/** An IdP that knows no logout. */
export const withoutLogout: Pick<Connector, 'startLogout' | 'finishLogout'> = {
  startLogout: async () => ok('not_offered'),
  finishLogout: async () => ok('ended'),
}

export function anIdp(clock: () => Instant): AnIdp {
  const idp: AnIdp = {
    started: [],
    left: [],
    offersLogout: true,
    says: { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] },
    connectorFor: (_tenant, connection) => ({
      start: async (request) => {
        idp.started.push({ ...request, connectionId: connection.id })
        const answer = { kind: 'redirect' as const, url: `https://idp.example/login?state=${request.relayState}` }
        const upstreamId = createHash('sha256').update(request.relayState).digest('base64url')
        return ok({ answer, upstreamId, state: new Secret('sealed') })
      },
      finish: async (_message, expected) => {
        const { sub, sid, groups, amr, acr, email, sessionEndsAt } = idp.says
        const claims = new Map<string, unknown>([
          ['sub', sub],
          ['groups', groups],
          ['nonce', expected.upstreamId],
        ])
        if (email !== undefined) claims.set('email', email)
        if (sessionEndsAt !== undefined) claims.set('session_expiry', toSeconds(sessionEndsAt))
        const [now, issuer] = [clock(), 'https://idp.example']
        const authTime = 'signedInAt' in idp.says ? idp.says.signedInAt : now
        const times = { acr, amr, authTime, sid, issuedAt: now, expiresAt: addSeconds(now, 300) }
        const logoutHint = new Secret(`id-token-of-${sub}`)
        return ok({ kind: 'oidc', connectionId: connection.id, issuer, sub, claims, ...times, logoutHint } satisfies IdToken)
      },
      startLogout: async (request) => {
        idp.left.push(request)
        const answer = { kind: 'redirect' as const, url: `https://idp.example/logout?state=${request.relayState}` }
        return ok(idp.offersLogout ? { answer, upstreamId: request.relayState, state: new Secret('sealed') } : 'not_offered')
      },
      finishLogout: async ({ parameters }, { upstreamId }) =>
        parameters.get('state') === upstreamId ? ok('ended') : err({ reason: 'oidc_state_mismatch' }),
    }),
  }
  return idp
}

export type APage = { readonly status: number; readonly location: string; readonly text: string }

/** Keeps cookies, stops at every redirect. `issuer` is what the broker calls itself, `url` where it listens. */
export function aPlainBrowser(at: {
  readonly issuer: string
  readonly url: string
  /** What a proxy adds to every request. */
  readonly headers?: Readonly<Record<string, string>>
}) {
  const jar = new Map<string, string>()
  const origin = new URL(at.issuer).origin
  const visit = async (url: string, form?: Record<string, string>): Promise<APage> => {
    const headers = { ...at.headers, cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }
    const init = { headers, redirect: 'manual' as const, ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}) }
    const response = await fetch(url.replace(origin, at.url), init)
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=')
      jar.set(name, value)
    }
    return { status: response.status, location: response.headers.get('location') ?? '', text: await response.text() }
  }
  /** Fills in the form of the page at this address, with the proof that it carries. */
  const submit = async (url: string, fields: Record<string, string>): Promise<APage> => {
    const shown = await visit(url)
    return visit(url.split('?')[0] as string, { request: hidden(shown.text, 'request'), proof: hidden(shown.text, 'proof'), ...fields })
  }
  /** Comes home from the IdP that it was sent to. */
  const comeHome = (left: APage, connectionId: ConnectionId): Promise<APage> => {
    const state = new URL(left.location).searchParams.get('state')
    return visit(`${at.issuer}/oidc/${connectionId}/callback?code=good&state=${state}`)
  }
  return { visit, submit, comeHome, jar }
}
export type APlainBrowser = ReturnType<typeof aPlainBrowser>

export const hidden = (text: string, name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? ''

export const anAuthorizeUrl = (issuer: string, tenant: ATenant, change: Readonly<Record<string, string>> = {}): string =>
  `${issuer}/authorize?${new URLSearchParams({
    client_id: tenant.clientId,
    redirect_uri: aWebRedirectUri,
    response_type: 'code',
    code_challenge: aChallenge,
    code_challenge_method: 'S256',
    resource: tenant.resource,
    scope: 'read write',
    state: 'xyz',
    ...change,
  })}`
