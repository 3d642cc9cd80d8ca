/**
 * Every write of the admin API, found in the table of endpoints, is done once, and stands in the trail of the tenant that it touches.
 * A new write endpoint fails here until it has a line.
 */
import { randomUUID } from 'node:crypto'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aKeyedConnection } from '@drawbridge/testkit/a-connection-key'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { digestOfDocument } from '@drawbridge/upstream/saml/metadata-document'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { adminEndpoints } from './admin-endpoints.js'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const made: Record<string, string> = {}

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    resolveTxt: async () => ({
      kind: 'found',
      records: (
        await asOwner<{ record: string }>(
          fixture.ownerUrl,
          "SELECT 'drawbridge-domain-verification=' || challenge AS record FROM domains",
          [],
        )
      ).map(({ record }) => record),
    }),
  })
  call = anAdmin(broker)
  const grant = `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
      policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
    VALUES ($1, gen_random_uuid(), $2, $3, $1, $4, 'x', '{}', 1, 1, 0, '{}', 60, '2099-01-01', '[]', '2026-01-01') RETURNING id`
  const [row] = await asOwner<{ id: string }>(fixture.ownerUrl, grant, [acme.tenantId, acme.issuerId, acme.clientId, acme.resourceId])
  made['grant'] = row?.id ?? ''
  await aWatchedConnection()
  made['scimUser'] = await aScimUser(fixture, acme, 'ada@acme.example')
  made['keyed'] = await aKeyedConnection(fixture, acme, 'first')
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const { certificate } = aKey()
const metadataXml = plainMetadata({ certificates: [certificate] })

/** A SAML connection whose metadata has an address. */
async function aWatchedConnection(): Promise<void> {
  made['saml'] = randomUUID()
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate] })
  const connection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'IdP', $3, now())`
  await asOwner(fixture.ownerUrl, connection, [acme.tenantId, made['saml'], configuration])
  const source = `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, created_at) VALUES ($1, $2, 'https://idp.example', '{}', now())`
  await asOwner(fixture.ownerUrl, source, [acme.tenantId, made['saml']])
}

const keysPath = '/tenants/:tenant/connections/:id/keys'
const clientKeysAt = (end = '') => `/tenants/acme/connections/${made['keyed']}/keys${end}`
/** The answer lists all keys; the one that waits is the one just made. */
const waitingKey = () => (made['clientKeys'] as unknown as { id: string; state: string }[]).find(({ state }) => state === 'next')?.id

const reason = { reason: 'a test' }
const subjectPath = '/tenants/:tenant/subjects/:id'
const subjectAt = (verb: string) => () => `/tenants/acme/subjects/${acme.subjectId}/${verb}`
const linked = {
  ...reason,
  get scimUserId() {
    return made['scimUser']
  },
}
const oidc = { kind: 'oidc', name: 'IdP', configuration: { issuer: 'https://idp.example', clientId: 'x' } }
const scopes = [{ name: 'read', description: 'Read', tier: 'read' }]
const later = '2099-01-01T00:00:00Z'

type Line = {
  readonly write: string
  /** The path, with what earlier lines made. */
  readonly at?: () => string
  readonly body?: unknown
  readonly kinds: readonly string[]
  /** Whose trail; default acme's. */
  readonly trail?: 'vendor' | 'fresh'
  readonly keep?: readonly [name: string, member: string]
}
/** In an order in which each finds what it needs. */
const lines: readonly Line[] = [
  { write: 'POST /tenants', body: { slug: 'fresh', name: 'Fresh' }, kinds: ['tenant.created'], trail: 'fresh' },
  { write: 'PATCH /tenants/:tenant', body: { name: 'Acme again' }, kinds: ['tenant.renamed'] },
  { write: 'POST /tenants/:tenant/connections', body: oidc, kinds: ['connection.created'], keep: ['connection', 'id'] },
  {
    write: 'PUT /tenants/:tenant/connections/:id',
    at: () => `/tenants/acme/connections/${made['connection']}`,
    body: oidc,
    kinds: ['connection.updated'],
  },
  { write: `POST ${keysPath}`, at: clientKeysAt, body: {}, kinds: ['connection.key_created'], keep: ['clientKeys', 'keys'] },
  { write: `POST ${keysPath}/:kid/activate`, at: () => clientKeysAt(`/${waitingKey()}/activate`), kinds: ['connection.key_activated'] },
  { write: `DELETE ${keysPath}/:kid`, at: () => clientKeysAt('/first'), kinds: ['connection.key_removed'] },
  {
    write: 'POST /tenants/:tenant/connections/:id/kill',
    at: () => `/tenants/acme/connections/${made['connection']}/kill`,
    body: reason,
    kinds: ['admin.killed', 'connection.deprovisioned'],
  },
  {
    write: 'POST /tenants/:tenant/connections/:id/enable',
    at: () => `/tenants/acme/connections/${made['connection']}/enable`,
    kinds: ['connection.enabled'],
  },
  {
    write: 'POST /tenants/:tenant/connections/:id/metadata/refetch',
    at: () => `/tenants/acme/connections/${made['saml']}/metadata/refetch`,
    kinds: ['connection.metadata_demanded'],
  },
  {
    write: 'POST /tenants/:tenant/connections/:id/metadata/apply',
    at: () => `/tenants/acme/connections/${made['saml']}/metadata/apply`,
    body: { metadataXml, digest: digestOfDocument(metadataXml) },
    kinds: ['connection.metadata_applied'],
  },
  {
    write: 'DELETE /tenants/:tenant/connections/:id/metadata',
    at: () => `/tenants/acme/connections/${made['saml']}/metadata`,
    kinds: ['connection.metadata_source_removed'],
  },
  {
    write: 'POST /tenants/:tenant/connections/:id/sha1-exception',
    at: () => `/tenants/acme/connections/${made['saml']}/sha1-exception`,
    body: { days: 30, reason: 'their change window' },
    kinds: ['connection.sha1_allowed'],
  },
  {
    write: 'DELETE /tenants/:tenant/connections/:id/sha1-exception',
    at: () => `/tenants/acme/connections/${made['saml']}/sha1-exception`,
    kinds: ['connection.sha1_ended'],
  },
  { write: 'PUT /tenants/:tenant/connection-choice', body: { rules: [] }, kinds: ['tenant.connection_choice_changed'] },
  { write: 'PUT /tenants/:tenant/logout', body: { grantsOutliveLogout: true }, kinds: ['tenant.logout_changed'] },
  { write: 'PUT /tenants/:tenant/login-tracing', body: { recordClaims: true }, kinds: ['tenant.login_tracing_changed'] },
  { write: 'PUT /tenants/:tenant/provisioning', body: { mode: 'invited_only' }, kinds: ['tenant.provisioning_changed'] },
  {
    write: 'POST /tenants/:tenant/invitations',
    at: () => '/tenants/acme/invitations',
    body: {
      get connectionId() {
        return acme.connectionId
      },
      namedBy: 'link_key',
      value: 'u-1',
    },
    kinds: ['invitation.created'],
    keep: ['invitation', 'id'],
  },
  {
    write: 'DELETE /tenants/:tenant/invitations/:id',
    at: () => `/tenants/acme/invitations/${made['invitation']}`,
    kinds: ['invitation.revoked'],
  },
  { write: 'POST /tenants/:tenant/domains', body: { domain: 'acme.example', verified: true }, kinds: ['domain.added'] },
  {
    write: 'PATCH /tenants/:tenant/domains/:domain',
    at: () => '/tenants/acme/domains/acme.example',
    body: { connectionId: null, verified: false },
    kinds: ['domain.changed'],
  },
  {
    write: 'POST /tenants/:tenant/domains/:domain/verify',
    at: () => '/tenants/acme/domains/acme.example/verify',
    kinds: ['domain.proven'],
  },
  { write: 'DELETE /tenants/:tenant/domains/:domain', at: () => '/tenants/acme/domains/acme.example', kinds: ['domain.removed'] },
  {
    write: 'DELETE /tenants/:tenant/connections/:id',
    at: () => `/tenants/acme/connections/${made['connection']}`,
    kinds: ['connection.removed'],
  },
  {
    write: 'POST /tenants/:tenant/resources',
    body: { identifier: 'https://mcp.example/', name: 'MCP', scopes },
    kinds: ['resource.created'],
    keep: ['resource', 'id'],
  },
  {
    write: 'PATCH /tenants/:tenant/resources/:id',
    at: () => `/tenants/acme/resources/${made['resource']}`,
    body: { name: 'Tools', accessTokenTtlSeconds: 60 },
    kinds: ['resource.updated'],
  },
  {
    write: 'PUT /tenants/:tenant/resources/:id/scopes',
    at: () => `/tenants/acme/resources/${made['resource']}/scopes`,
    body: { scopes },
    kinds: ['resource.scopes_replaced'],
  },
  {
    write: 'POST /tenants/:tenant/resources/:id/credentials',
    at: () => `/tenants/acme/resources/${made['resource']}/credentials`,
    body: {},
    kinds: ['resource.credential_created'],
    keep: ['credential', 'id'],
  },
  {
    write: 'DELETE /tenants/:tenant/resources/:id/credentials/:credential',
    at: () => `/tenants/acme/resources/${made['resource']}/credentials/${made['credential']}`,
    kinds: ['resource.credential_revoked'],
  },
  {
    write: 'DELETE /tenants/:tenant/resources/:id',
    at: () => `/tenants/acme/resources/${made['resource']}`,
    kinds: ['resource.withdrawn', 'resource.grants_ended'],
  },
  {
    write: 'POST /tenants/:tenant/resources/:id/restore',
    at: () => `/tenants/acme/resources/${made['resource']}/restore`,
    kinds: ['resource.shared'],
  },
  {
    write: 'POST /shared-resources',
    body: { identifier: 'https://vendor.example/', name: 'Shared', scopes },
    kinds: ['resource.created'],
    trail: 'vendor',
    keep: ['shared', 'id'],
  },
  {
    write: 'PATCH /shared-resources/:id',
    at: () => `/shared-resources/${made['shared']}`,
    body: { name: 'For all' },
    kinds: ['resource.updated'],
    trail: 'vendor',
  },
  {
    write: 'PUT /shared-resources/:id/scopes',
    at: () => `/shared-resources/${made['shared']}/scopes`,
    body: { scopes },
    kinds: ['resource.scopes_replaced'],
    trail: 'vendor',
  },
  {
    write: 'POST /shared-resources/:id/credentials',
    at: () => `/shared-resources/${made['shared']}/credentials`,
    body: {},
    kinds: ['resource.credential_created'],
    trail: 'vendor',
    keep: ['credential', 'id'],
  },
  {
    write: 'DELETE /shared-resources/:id/credentials/:credential',
    at: () => `/shared-resources/${made['shared']}/credentials/${made['credential']}`,
    kinds: ['resource.credential_revoked'],
    trail: 'vendor',
  },
  {
    write: 'POST /tenants/:tenant/shared-resources/:id',
    at: () => `/tenants/acme/shared-resources/${made['shared']}`,
    kinds: ['resource.shared'],
  },
  {
    write: 'DELETE /tenants/:tenant/shared-resources/:id',
    at: () => `/tenants/acme/shared-resources/${made['shared']}`,
    kinds: ['resource.grants_ended'],
  },
  {
    write: 'POST /tenants/:tenant/clients',
    body: { clientId: 'agent', name: 'Agent', redirectUris: ['http://127.0.0.1/cb'], tokenEndpointAuthMethod: 'client_secret_basic' },
    kinds: ['client.created'],
  },
  {
    write: 'PATCH /tenants/:tenant/clients/:client',
    at: () => '/tenants/acme/clients/agent',
    body: { preApproved: true },
    kinds: ['client.governed'],
  },
  {
    write: 'PATCH /tenants/:tenant/clients/:client/registration',
    at: () => '/tenants/acme/clients/agent/registration',
    body: { name: 'Agent 2' },
    kinds: ['client.updated'],
  },
  {
    write: 'POST /tenants/:tenant/clients/:client/secret',
    at: () => '/tenants/acme/clients/agent/secret',
    kinds: ['client.secret_replaced'],
  },
  {
    write: 'POST /tenants/:tenant/clients/:client/kill',
    at: () => '/tenants/acme/clients/agent/kill',
    body: reason,
    kinds: ['admin.killed', 'client.deprovisioned'],
  },
  { write: 'DELETE /tenants/:tenant/clients/:client', at: () => '/tenants/acme/clients/agent', kinds: ['client.removed'] },
  { write: 'POST /tenants/:tenant/policies', body: { document: 'version: 1\nrules: []\n' }, kinds: ['policy.published'] },
  {
    write: 'POST /tenants/:tenant/policies/:version/republish',
    at: () => '/tenants/acme/policies/1/republish',
    kinds: ['policy.published'],
  },
  {
    write: 'POST /tenants/:tenant/grants/:id/revoke',
    at: () => `/tenants/acme/grants/${made['grant']}/revoke`,
    body: reason,
    kinds: ['admin.killed', 'grant.deprovisioned'],
  },
  { write: `POST ${subjectPath}/kill`, at: subjectAt('kill'), body: reason, kinds: ['admin.killed', 'subject.deprovisioned'] },
  { write: `POST ${subjectPath}/reinstate`, at: subjectAt('reinstate'), body: reason, kinds: ['admin.reinstated', 'subject.reinstated'] },
  { write: `POST ${subjectPath}/link`, at: subjectAt('link'), body: linked, kinds: ['subject.linked', 'subject.deprovisioned'] },
  { write: `POST ${subjectPath}/unlink`, at: subjectAt('unlink'), body: reason, kinds: ['subject.unlinked', 'subject.deprovisioned'] },
  {
    write: 'POST /tenants/:tenant/signing-keys/rotate',
    at: () => '/tenants/fresh/signing-keys/rotate',
    body: { purpose: 'tokens' },
    kinds: ['signing_key.rotated'],
    trail: 'fresh',
  },
  {
    write: 'POST /tenants/:tenant/signing-keys/:kid/compromised',
    at: () => `/tenants/fresh/signing-keys/${made['kid']}/compromised`,
    kinds: ['signing_key.compromised'],
    trail: 'fresh',
  },
  {
    write: 'POST /tenants/:tenant/scim-tokens',
    body: {
      get connectionId() {
        return acme.connectionId
      },
      name: 'IdP',
    },
    kinds: ['scim_token.created'],
    keep: ['token', 'id'],
  },
  {
    write: 'DELETE /tenants/:tenant/scim-tokens/:id',
    at: () => `/tenants/acme/scim-tokens/${made['token']}`,
    kinds: ['scim_token.revoked'],
  },
  {
    write: 'POST /admin-keys',
    body: { name: 'acme', permissions: ['configuration:read'], expiresAt: later, tenant: 'acme' },
    kinds: ['admin_key.created'],
    keep: ['key', 'id'],
  },
  { write: 'DELETE /tenants/:tenant/admin-keys/:id', at: () => `/tenants/acme/admin-keys/${made['key']}`, kinds: ['admin_key.revoked'] },
  { write: 'DELETE /admin-keys/:id', at: () => `/admin-keys/${made['own']}`, kinds: ['admin_key.revoked'], trail: 'vendor' },
  { write: 'PUT /tenants/:tenant/lab/rate-limits', body: {}, kinds: ['lab.rate_limits_set'] },
  { write: 'POST /lab/job-runs', kinds: ['lab.jobs_requested'], trail: 'vendor' },
  { write: 'PUT /lab/clock', body: { offsetSeconds: 0 }, kinds: ['lab.clock_moved'], trail: 'vendor' },
  { write: 'POST /tenants/:tenant/kill', body: reason, kinds: ['admin.killed', 'tenant.deprovisioned'] },
  { write: 'POST /tenants/:tenant/reinstate', kinds: ['tenant.reinstated'] },
]
/** Writes nothing. */
const readsOnly = [
  'POST /tenants/:tenant/policies/check',
  'POST /tenants/:tenant/connections/diagnose-oidc',
  'POST /tenants/:tenant/connections/diagnose-metadata',
  'POST /tenants/:tenant/connections/:id/metadata/preview',
]

it('knows every write of the table of endpoints', () => {
  const writes = adminEndpoints
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path.replace('/admin/v1', '')}`)
  expect([...lines.map(({ write }) => write), ...readsOnly].sort()).toEqual(writes.sort())
})

describe('a write is in the trail of whom it touches', () => {
  const trailOf = async (
    whose: Line['trail'],
  ): Promise<readonly { id: number; kind: string; detail: { adminKey?: string; vendor?: boolean } }[]> => {
    const path = whose === 'vendor' ? '/audit-events' : `/tenants/${whose ?? 'acme'}/audit-events`
    const { status, body } = await call('GET', path)
    return status === 200 ? body.auditEvents : []
  }
  const prepare = async () => {
    made['own'] ??= (await call('POST', '/admin-keys', { name: 'own', permissions: ['configuration:read'], expiresAt: later })).body.id
    const keys = await call('GET', '/tenants/fresh/signing-keys')
    made['kid'] = keys.body.signingKeys?.find((key: { state: string }) => key.state === 'active')?.id ?? ''
  }

  it.each(lines)('$write', async ({ write, at, body, kinds, trail, keep }) => {
    await prepare()
    const [method = '', path = ''] = write.split(' ')
    const before = (await trailOf(trail))[0]?.id ?? 0
    const answered = await call(method, at?.() ?? path.replace(':tenant', 'acme'), body)
    expect(answered.status).toBeLessThan(300)
    if (keep) made[keep[0]] = answered.body[keep[1]]
    const fresh = (await trailOf(trail)).filter(({ id }) => id > before)
    expect(fresh.map(({ kind }) => kind).sort()).toEqual([...kinds].sort())
    expect(fresh.some(({ detail }) => detail.adminKey !== undefined && detail.vendor === true)).toBe(true)
  })
})
