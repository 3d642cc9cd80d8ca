import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { ResolvedTenant } from '../http/tenant.js'

let db: TestDatabase
let broker: TestBroker
beforeAll(async () => {
  db = await testDatabase()
  broker = await aBroker(db.database)
})
afterAll(async () => {
  await broker?.close()
  await db?.close()
})

type Answered = { readonly status: number; readonly body: any; readonly headers: Headers } // biome-ignore lint: answers of many shapes
async function call(method: string, path: string, body?: unknown, key: string | undefined = broker.adminKey): Promise<Answered> {
  const answer = await fetch(`${broker.url}${path}`, {
    method,
    headers: {
      ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers }
}
const admin = '/admin/v1'
const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const later = '2099-01-01T00:00:00Z'

describe('keys', () => {
  it('refuses a request without a key, with a wrong one, and with somebody else’s scheme', async () => {
    expect(await call('GET', `${admin}/tenants`, undefined, '')).toMatchObject(refused(401, 'key_missing'))
    expect(await call('GET', `${admin}/tenants`, undefined, `dba_${'A'.repeat(43)}`)).toMatchObject(refused(401, 'key_unknown'))
    const answer = await call('GET', `${admin}/tenants`, undefined, 'x')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
  })

  it('makes no key wider than its maker, and answers 404 for another tenant', async () => {
    await call('POST', `${admin}/tenants`, { slug: 'keys-one', name: 'One' })
    await call('POST', `${admin}/tenants`, { slug: 'keys-two', name: 'Two' })
    const made = await call('POST', `${admin}/admin-keys`, {
      name: 'one',
      permissions: ['configuration:read', 'admin-keys:write'],
      expiresAt: later,
      tenant: 'keys-one',
    })
    expect(made.status).toBe(201)
    const key = made.body.secret as string
    expect((await call('GET', `${admin}/tenants/keys-one`, undefined, key)).status).toBe(200)
    expect(await call('GET', `${admin}/tenants/keys-two`, undefined, key)).toMatchObject(refused(404, 'other_tenant'))
    expect((await call('GET', `${admin}/tenants`, undefined, key)).body.type).toBe('urn:drawbridge:error:vendor_only')
    const wider = { name: 'x', permissions: ['revoke'], expiresAt: later }
    expect((await call('POST', `${admin}/admin-keys`, wider, key)).body.type).toBe('urn:drawbridge:error:key_too_wide')
    const longer = { name: 'x', permissions: ['configuration:read'], expiresAt: '2100-01-01T00:00:00Z' }
    expect((await call('POST', `${admin}/admin-keys`, longer, key)).body.type).toBe('urn:drawbridge:error:key_too_wide')
    expect((await call('POST', `${admin}/tenants/keys-one/kill`, { reason: 'r' }, key)).body.type).toBe(
      'urn:drawbridge:error:permission_missing',
    )
    expect((await call('DELETE', `${admin}/admin-keys/${made.body.id}`, undefined, key)).status).toBe(204)
    expect((await call('GET', `${admin}/tenants/keys-one`, undefined, key)).status).toBe(401)
  })
})

describe('configuration', () => {
  beforeAll(async () => {
    expect((await call('POST', `${admin}/tenants`, { slug: 'acme', name: 'Acme' })).status).toBe(201)
  })

  it('makes a tenant with its issuer and keys, and never the same slug twice', async () => {
    const { body } = await call('GET', `${admin}/tenants/acme`)
    expect(body.issuer).toBe('http://localhost:4400/t/acme')
    expect(await call('POST', `${admin}/tenants`, { slug: 'acme', name: 'Again' })).toMatchObject(refused(409, 'conflict'))
    const keys = (await call('GET', `${admin}/tenants/acme/signing-keys`)).body.signingKeys as { purpose: string; state: string }[]
    expect(keys.map((key) => `${key.purpose} ${key.state}`).sort()).toEqual([
      'notices active',
      'notices next',
      'tokens active',
      'tokens next',
    ])
  })

  it('adds an OIDC connection with a sealed secret that is never shown', async () => {
    const draft = {
      kind: 'oidc',
      name: 'Okta',
      configuration: { issuer: 'https://acme.okta.com', clientId: 'abc' },
      clientSecret: 'hush-hush',
    }
    const made = await call('POST', `${admin}/tenants/acme/connections`, draft)
    expect(made.status).toBe(201)
    const listed = await call('GET', `${admin}/tenants/acme/connections`)
    expect(JSON.stringify(listed.body)).not.toContain('hush-hush')
    expect(listed.body.connections[0]).toMatchObject({ kind: 'oidc', hasSecret: true })
    const tenant = await broker.deps.configuration.find('acme')
    const known = await broker.deps.configuration.atVersion(tenant as never, Number.MAX_SAFE_INTEGER)
    expect(known.connection(made.body.id)?.secret?.reveal()).toBe('hush-hush')
    const wrong = await call('POST', `${admin}/tenants/acme/connections`, { kind: 'saml', name: 'x', configuration: { idpEntityId: 'x' } })
    expect(wrong).toMatchObject(refused(400, 'connection_invalid'))
    expect(wrong.body.errors[0].path).toContain('configuration')
    const cut = await call('POST', `${admin}/tenants/acme/connections`, { kind: 'saml', name: 'x', metadataXml: '<a' })
    expect(cut).toMatchObject(refused(400, 'metadata_invalid'))
  })

  it('adds a SAML connection from metadata, warnings shown, its own fields winning', async () => {
    const certificate = aFixtureKey().certificate.replace(/-----[A-Z ]+-----|\n/g, '')
    const metadataXml = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example/entity"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
      <KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>${certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
      <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso"/></IDPSSODescriptor></EntityDescriptor>`
    const made = await call('POST', `${admin}/tenants/acme/connections`, {
      kind: 'saml',
      name: 'IdP',
      metadataXml,
      configuration: { groupsAttribute: 'memberOf' },
    })
    expect(made.status).toBe(201)
    expect(made.body.configuration).toMatchObject({
      idpEntityId: 'https://idp.example/entity',
      ssoUrl: 'https://idp.example/sso',
      groupsAttribute: 'memberOf',
    })
    const renamed = await call('PUT', `${admin}/tenants/acme/connections/${made.body.id}`, { kind: 'saml', name: 'Renamed', metadataXml })
    expect(renamed.body.name).toBe('Renamed')
    expect(
      (
        await call('PUT', `${admin}/tenants/acme/connections/${made.body.id}`, {
          kind: 'oidc',
          name: 'x',
          configuration: { issuer: 'https://a.example', clientId: 'b' },
        })
      ).status,
    ).toBe(404)
  })

  it('adds a resource with scopes and a credential, and refuses its identifier to anybody else', async () => {
    const draft = {
      identifier: 'http://127.0.0.1:4420/mcp',
      name: 'Tools',
      scopes: [{ name: 'files:read', description: 'Read files', tier: 'read', isDefault: true }],
    }
    const made = await call('POST', `${admin}/tenants/acme/resources`, draft)
    expect(made.status).toBe(201)
    expect((await call('POST', `${admin}/tenants/acme/resources`, draft)).status).toBe(409)
    const credential = await call('POST', `${admin}/tenants/acme/resources/${made.body.id}/credentials`, {})
    expect(credential.body.secret).toMatch(/^dbx_/)
    const replaced = await call('PUT', `${admin}/tenants/acme/resources/${made.body.id}/scopes`, {
      scopes: [{ name: 'files:write', description: 'Write', tier: 'write' }],
    })
    expect(replaced.body.scopes).toEqual([{ name: 'files:write', description: 'Write', tier: 'write', isDefault: false }])
    const key = (
      await call('POST', `${admin}/admin-keys`, { name: 'c', permissions: ['configuration:write'], expiresAt: later, tenant: 'acme' })
    ).body.secret
    const foreign = await call('POST', `${admin}/tenants/acme/resources`, { ...draft, identifier: 'https://api.bank.example/' }, key)
    expect(foreign.body.type).toBe('urn:drawbridge:error:resource_not_owned')
  })

  it('registers, approves and blocks a client', async () => {
    const made = await call('POST', `${admin}/tenants/acme/clients`, {
      clientId: 'agent',
      name: 'Agent',
      redirectUris: ['http://127.0.0.1/cb'],
      tokenEndpointAuthMethod: 'client_secret_basic',
    })
    expect(made.status).toBe(201)
    expect(made.body.clientSecret).toHaveLength(43)
    const governed = await call('PATCH', `${admin}/tenants/acme/clients/agent`, { preApproved: true, blocked: true })
    expect(governed.body).toMatchObject({ preApproved: true })
    expect(governed.body.blockedAt).not.toBeNull()
    expect((await call('PATCH', `${admin}/tenants/acme/clients/nobody`, {})).status).toBe(404)
  })

  it('does not undo a kill that commits while a client is being approved', async () => {
    await call('POST', `${admin}/tenants/acme/clients`, { clientId: 'raced', name: 'Raced', redirectUris: ['http://127.0.0.1/cb'] })
    const { id: tenant } = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    let approval: Promise<Answered> | undefined
    await inTenant(db.database, tenant, async (transaction) => {
      await deprovision(transaction, {
        tenant,
        eventId: broker.deps.random.uuid() as DeprovisioningEventId,
        source: 'admin',
        target: 'client',
        targetId: 'raced',
        reason: 'stolen',
        toldAt: undefined,
        now: broker.deps.clock.now(),
        requestId: undefined,
        deactivate: true,
      })
      approval = call('PATCH', `${admin}/tenants/acme/clients/raced`, { preApproved: true })
      await new Promise((resolve) => setTimeout(resolve, 300))
    })
    expect((await approval)?.body).toMatchObject({ preApproved: true, blockedAt: expect.any(String) })
    expect((await call('PATCH', `${admin}/tenants/acme/clients/raced`, { blocked: false })).body.blockedAt).toBeNull()
  })

  it('shows every mistake of a policy and publishes none of them', async () => {
    const wrong = await call('POST', `${admin}/tenants/acme/policies`, { document: 'rules:\n  - name: x\n    when: identity.emial ==\n' })
    expect(wrong).toMatchObject(refused(400, 'policy_invalid'))
    expect(wrong.body.errors.length).toBeGreaterThan(0)
    expect((await call('GET', `${admin}/tenants/acme/policy`)).body).toEqual({ version: 0, document: null })
  })

  it('makes a SCIM token for a connection that exists, and only for that', async () => {
    const { id } = (await call('GET', `${admin}/tenants/acme/connections`)).body.connections[0]
    const made = await call('POST', `${admin}/tenants/acme/scim-tokens`, { connectionId: id, name: 'Okta' })
    expect(made.body.secret).toMatch(/^dbs_/)
    const stray = await call('POST', `${admin}/tenants/acme/scim-tokens`, { connectionId: broker.deps.random.uuid(), name: 'x' })
    expect(stray.body.type).toBe('urn:drawbridge:error:reference_unknown')
  })

  it('rotates keys, condemns one, kills a connection, and writes all of it to the trail', async () => {
    const rotated = await call('POST', `${admin}/tenants/acme/signing-keys/rotate`, { purpose: 'tokens' })
    const active = rotated.body.signingKeys.find(
      (key: { purpose: string; state: string }) => key.purpose === 'tokens' && key.state === 'active',
    )
    const condemned = await call('POST', `${admin}/tenants/acme/signing-keys/${active.id}/compromised`)
    expect(
      condemned.body.signingKeys.filter((key: { purpose: string; state: string }) => key.purpose === 'tokens' && key.state === 'active'),
    ).toHaveLength(1)
    const { id } = (await call('GET', `${admin}/tenants/acme/connections`)).body.connections[0]
    const killed = await call('POST', `${admin}/tenants/acme/connections/${id}/kill`, { reason: 'stolen IdP' })
    expect(killed.body).toMatchObject({ target: 'connection', epoch: 2 })
    expect((await call('GET', `${admin}/tenants/acme/revocations`)).body.revocations[0]).toMatchObject({
      target: 'connection',
      matched: true,
      reason: 'stolen IdP',
    })
    expect((await call('POST', `${admin}/tenants/acme/subjects/nobody/kill`, { reason: 'r' })).status).toBe(404)
    expect((await call('GET', `${admin}/tenants/acme/grants`)).body.grants).toEqual([])
    const kinds = (await call('GET', `${admin}/tenants/acme/audit-events`)).body.auditEvents.map((event: { kind: string }) => event.kind)
    expect(kinds).toEqual(
      expect.arrayContaining([
        'tenant.created',
        'connection.created',
        'client.governed',
        'signing_key.rotated',
        'admin.killed',
        'connection.deprovisioned',
      ]),
    )
  })

  it('moves the clock of a lab', async () => {
    expect((await call('PUT', `${admin}/lab/clock`, { offsetSeconds: 3600 })).status).toBe(200)
  })
})

describe('bad input', () => {
  it.each([
    ['not JSON', '{', 400, 'json_malformed'],
    ['nothing', '', 400, 'json_malformed'],
    ['a NUL', '{"slug":"a\\u0000b","name":"x"}', 400, 'json_malformed'],
    ['depth', '['.repeat(5000), 400, 'json_malformed'],
    ['unknown members', '{"slug":"x","name":"x","admin":true}', 400, 'body_invalid'],
    ['size', `"${'x'.repeat(1_100_000)}"`, 413, 'body_too_large'],
  ])('answers %s with a problem document, never a 5xx', async (_what, body, status, reason) => {
    const answer = await call('POST', `${admin}/tenants`, body)
    expect(answer).toMatchObject(refused(status, reason))
    expect(answer.body.instance).toBeTruthy()
  })

  it('answers 404, 405 with Allow, and 400 for a path that is not UTF-8', async () => {
    expect(await call('GET', '/nowhere')).toMatchObject({ status: 404 })
    const wrong = await call('PUT', `${admin}/tenants`)
    expect(wrong).toMatchObject(refused(405, 'method_refused'))
    expect(wrong.headers.get('allow')).toContain('POST')
    expect(await call('GET', `${admin}/tenants/%ff`)).toMatchObject(refused(400, 'path_malformed'))
    expect((await call('GET', `${admin}/tenants/none-such`)).status).toBe(404)
  })
})
