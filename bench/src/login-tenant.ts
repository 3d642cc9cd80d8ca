/** Tenants whose people sign in at the simulator, with a client that nobody must be asked about: redirects all the way. */
import type { Simulator } from '@drawbridge/simulator/simulator'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aChallenge } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { giveIssuerKeys, type KeyMaking } from './issuer-keys.js'

const scopes = ['read', 'write']
const policy = 'version: 1\nrules: [{name: staff, effect: grant, scopes: ["read", "write"], groups: [staff]}]\n'
const scopeRow =
  'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $3, false)'

export type LoginTenant = ATenant & {
  readonly issuer: string
  readonly redirectUri: string
  readonly authorizePath: string
  /** Where the IdP sends the browser with its answer. */
  readonly callbackUrl: string
}

export type Arranged = {
  readonly fixture: TestDatabase
  readonly making: KeyMaking
  readonly simulator: Simulator
  readonly publicUrl: string
}

/** The simulator's SAML company plays its IdP. */
export async function aLoginTenant(arranged: Arranged): Promise<LoginTenant> {
  const { fixture, simulator } = arranged
  const tenant = await aTenantWithPeople(arranged, { slug: 'login', company: 'acme', callback: (id) => `saml/${id}/acs` })
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'saml', configuration = $2 WHERE id = $1", [
    tenant.connectionId,
    JSON.stringify(configurationFrom(simulator.metadataXml('acme'))),
  ])
  simulator.connect('acme', { acsUrl: tenant.callbackUrl, spEntityId: `${tenant.issuer}/saml/${tenant.connectionId}/metadata` })
  return tenant
}

/** The simulator's OpenID provider plays its IdP. */
export async function anOpenIdTenant(arranged: Arranged): Promise<LoginTenant> {
  const { fixture, making, simulator } = arranged
  const tenant = await aTenantWithPeople(arranged, { slug: 'openid', company: 'globex', callback: (id) => `oidc/${id}/callback` })
  const { clientId, clientSecret } = simulator.oidcClient('globex')
  const sealed = making.sealer.seal(Buffer.from(clientSecret), {
    installation: making.installationId,
    tenant: tenant.tenantId,
    table: 'connections',
    column: 'sealed_secret',
    row: tenant.connectionId,
  })
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'oidc', configuration = $2, sealed_secret = $3 WHERE id = $1", [
    tenant.connectionId,
    JSON.stringify({ issuer: simulator.oidcIssuer('globex'), clientId }),
    sealed,
  ])
  simulator.connect('globex', { oidcRedirectUri: tenant.callbackUrl })
  return tenant
}

export async function aTenantWithPeople(
  { fixture, making, publicUrl }: Omit<Arranged, 'simulator'>,
  given: { readonly slug: string; readonly company: string; readonly callback: (connectionId: string) => string },
): Promise<LoginTenant> {
  const { slug, company } = given
  const tenant = await aTenant(fixture, { slug, publicUrl })
  const issuer = `${publicUrl}/t/${slug}`
  const redirectUri = `https://client.${slug}.example/callback`
  await giveIssuerKeys(making, tenant)
  for (const name of scopes) await asOwner(fixture.ownerUrl, scopeRow, [tenant.tenantId, tenant.resourceId, name])
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET pre_approved = true, redirect_uris = $2 WHERE client_id = $1', [
    tenant.clientId,
    [redirectUri],
  ])
  await inTenant(fixture.database, tenant.tenantId, (db) =>
    publishPolicy(db, tenant.tenantId, { document: policy, author: 'bench', now: making.now }),
  )
  const query = new URLSearchParams({
    client_id: tenant.clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: aChallenge,
    code_challenge_method: 'S256',
    resource: tenant.resource,
    scope: scopes.join(' '),
    state: 'xyz',
    login_hint: `ada@${company}.example`,
  })
  const callbackUrl = `${issuer}/${given.callback(tenant.connectionId)}`
  return { ...tenant, issuer, redirectUri, callbackUrl, authorizePath: `/t/${slug}/authorize?${query}` }
}

/** The simulator's own metadata, well-formed and ours. */
function configurationFrom(metadata: string): Readonly<Record<string, unknown>> {
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(metadata)?.[1]
    if (found === undefined) throw new Error('the simulator’s metadata have another shape than expected')
    return found.replaceAll('&amp;', '&')
  }
  return {
    idpEntityId: find(/entityID="([^"]+)"/),
    ssoUrl: find(/SingleSignOnService[^>]*HTTP-Redirect"[^>]*Location="([^"]+)"/),
    certificates: [find(/X509Certificate>([^<]+)</).replace(/\s/g, '')],
    loginHintParameter: 'login_hint',
  }
}
