import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type Answered, anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

const call: Call = (...asked) => anAdmin(broker)(...asked)
const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const later = '2099-01-01T00:00:00Z'

describe('keys', () => {
  it('refuses a request without a key, with a wrong one, and with somebody else’s scheme', async () => {
    expect(await call('GET', `/tenants`, undefined, '')).toMatchObject(refused(401, 'key_missing'))
    expect(await call('GET', `/tenants`, undefined, `dba_${'A'.repeat(43)}`)).toMatchObject(refused(401, 'key_unknown'))
    const answer = await call('GET', `/tenants`, undefined, 'x')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
  })

  it('makes no key wider than its maker, and answers 404 for another tenant', async () => {
    await call('POST', `/tenants`, { slug: 'keys-one', name: 'One' })
    await call('POST', `/tenants`, { slug: 'keys-two', name: 'Two' })
    const made = await call('POST', `/admin-keys`, {
      name: 'one',
      permissions: ['configuration:read', 'admin-keys:write'],
      expiresAt: later,
      tenant: 'keys-one',
    })
    expect(made.status).toBe(201)
    const key = made.body.secret as string
    expect((await call('GET', `/tenants/keys-one`, undefined, key)).status).toBe(200)
    expect(await call('GET', `/tenants/keys-two`, undefined, key)).toMatchObject(refused(404, 'other_tenant'))
    expect((await call('GET', `/tenants`, undefined, key)).body.type).toBe('urn:drawbridge:error:vendor_only')
    const wider = { name: 'x', permissions: ['revoke'], expiresAt: later }
    expect((await call('POST', `/admin-keys`, wider, key)).body.type).toBe('urn:drawbridge:error:key_too_wide')
    const longer = { name: 'x', permissions: ['configuration:read'], expiresAt: '2100-01-01T00:00:00Z' }
    expect((await call('POST', `/admin-keys`, longer, key)).body.type).toBe('urn:drawbridge:error:key_too_wide')
    expect((await call('POST', `/tenants/keys-one/kill`, { reason: 'r' }, key)).body.type).toBe('urn:drawbridge:error:permission_missing')
    expect((await call('DELETE', `/admin-keys/${made.body.id}`, undefined, key)).status).toBe(204)
    expect((await call('GET', `/tenants/keys-one`, undefined, key)).status).toBe(401)
  })
})

describe('configuration', () => {
  beforeAll(async () => {
    expect((await call('POST', `/tenants`, { slug: 'acme', name: 'Acme' })).status).toBe(201)
  })

  it('makes a tenant with its issuer and keys, and never the same slug twice', async () => {
    const { body } = await call('GET', `/tenants/acme`)
    expect(body.issuer).toBe('http://localhost:4400/t/acme')
    expect(await call('POST', `/tenants`, { slug: 'acme', name: 'Again' })).toMatchObject(refused(409, 'conflict'))
    const keys = (await call('GET', `/tenants/acme/signing-keys`)).body.signingKeys as { purpose: string; state: string }[]
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
    const made = await call('POST', `/tenants/acme/connections`, draft)
    expect(made.status).toBe(201)
    const listed = await call('GET', `/tenants/acme/connections`)
    expect(JSON.stringify(listed.body)).not.toContain('hush-hush')
    expect(listed.body.connections[0]).toMatchObject({ kind: 'oidc', hasSecret: true })
    const tenant = await broker.deps.configuration.find('acme')
    const known = await broker.deps.configuration.atVersion(tenant as never, Number.MAX_SAFE_INTEGER)
    expect(known.connection(made.body.id)?.secret?.reveal()).toBe('hush-hush')
    const wrong = await call('POST', `/tenants/acme/connections`, { kind: 'saml', name: 'x', configuration: { idpEntityId: 'x' } })
    expect(wrong).toMatchObject(refused(400, 'connection_invalid'))
    expect(wrong.body.errors[0].path).toContain('configuration')
    const cut = await call('POST', `/tenants/acme/connections`, { kind: 'saml', name: 'x', metadataXml: '<a' })
    expect(cut).toMatchObject(refused(400, 'metadata_invalid'))
  })

  it('adds a SAML connection from metadata, warnings shown, its own fields winning', async () => {
    const certificate = aFixtureKey().certificate.replace(/-----[A-Z ]+-----|\n/g, '')
    const metadataXml = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example/entity"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
      <KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>${certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
      <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso"/></IDPSSODescriptor></EntityDescriptor>`
    const made = await call('POST', `/tenants/acme/connections`, {
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
    const renamed = await call('PUT', `/tenants/acme/connections/${made.body.id}`, { kind: 'saml', name: 'Renamed', metadataXml })
    expect(renamed.body.name).toBe('Renamed')
    expect(
      (
        await call('PUT', `/tenants/acme/connections/${made.body.id}`, {
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
    const made = await call('POST', `/tenants/acme/resources`, draft)
    expect(made.status).toBe(201)
    expect((await call('POST', `/tenants/acme/resources`, draft)).status).toBe(409)
    const credential = await call('POST', `/tenants/acme/resources/${made.body.id}/credentials`, {})
    expect(credential.body.secret).toMatch(/^dbx_/)
    const replaced = await call('PUT', `/tenants/acme/resources/${made.body.id}/scopes`, {
      scopes: [{ name: 'files:write', description: 'Write', tier: 'write' }],
    })
    expect(replaced.body.scopes).toEqual([{ name: 'files:write', description: 'Write', tier: 'write', isDefault: false }])
    const key = (await call('POST', `/admin-keys`, { name: 'c', permissions: ['configuration:write'], expiresAt: later, tenant: 'acme' }))
      .body.secret
    const foreign = await call('POST', `/tenants/acme/resources`, { ...draft, identifier: 'https://api.bank.example/' }, key)
    expect(foreign.body.type).toBe('urn:drawbridge:error:resource_not_owned')
  })

  it('registers, approves and blocks a client', async () => {
    const made = await call('POST', `/tenants/acme/clients`, {
      clientId: 'agent',
      name: 'Agent',
      redirectUris: ['http://127.0.0.1/cb'],
      tokenEndpointAuthMethod: 'client_secret_basic',
    })
    expect(made.status).toBe(201)
    expect(made.body.clientSecret).toHaveLength(43)
    const governed = await call('PATCH', `/tenants/acme/clients/agent`, { preApproved: true, blocked: true })
    expect(governed.body).toMatchObject({ preApproved: true })
    expect(governed.body.blockedAt).not.toBeNull()
    expect((await call('PATCH', `/tenants/acme/clients/nobody`, {})).status).toBe(404)
  })

  it('does not undo a kill that commits while a client is being approved', async () => {
    await call('POST', `/tenants/acme/clients`, { clientId: 'raced', name: 'Raced', redirectUris: ['http://127.0.0.1/cb'] })
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
      approval = call('PATCH', `/tenants/acme/clients/raced`, { preApproved: true })
      await new Promise((resolve) => setTimeout(resolve, 300))
    })
    expect((await approval)?.body).toMatchObject({ preApproved: true, blockedAt: expect.any(String) })
    expect((await call('PATCH', `/tenants/acme/clients/raced`, { blocked: false })).body.blockedAt).toBeNull()
  })

  it('shows every mistake of a policy and publishes none of them', async () => {
    const wrong = await call('POST', `/tenants/acme/policies`, { document: 'rules:\n  - name: x\n    when: identity.emial ==\n' })
    expect(wrong).toMatchObject(refused(400, 'policy_invalid'))
    expect(wrong.body.errors.length).toBeGreaterThan(0)
    expect((await call('GET', `/tenants/acme/policy`)).body).toEqual({ version: 0, document: null, cases: '' })
  })

  it('makes a SCIM token for a connection that exists, and only for that', async () => {
    const { id } = (await call('GET', `/tenants/acme/connections`)).body.connections[0]
    const made = await call('POST', `/tenants/acme/scim-tokens`, { connectionId: id, name: 'Okta' })
    expect(made.body.secret).toMatch(/^dbs_/)
    const stray = await call('POST', `/tenants/acme/scim-tokens`, { connectionId: broker.deps.random.uuid(), name: 'x' })
    expect(stray.body.type).toBe('urn:drawbridge:error:reference_unknown')
  })

  it('lets two SCIM tokens of a connection live, for a change without a gap, and no third', async () => {
    const { id } = (
      await call('POST', `/tenants/acme/connections`, {
        kind: 'oidc',
        name: 'x',
        configuration: { issuer: 'https://x.example', clientId: 'y' },
      })
    ).body
    const make = () => call('POST', `/tenants/acme/scim-tokens`, { connectionId: id, name: 'IdP', expiresAt: later })
    const [first, second, third] = await Promise.all([make(), make(), make()])
    expect([first.status, second.status, third.status].sort()).toEqual([201, 201, 409])
    expect(await make()).toMatchObject(refused(409, 'scim_tokens_enough'))
    // Whoever only reads takes no place of those.
    const reading = { connectionId: id, name: 'report', scope: 'scim:read' }
    expect(await call('POST', `/tenants/acme/scim-tokens`, reading)).toMatchObject({ status: 201, body: { scope: 'scim:read' } })
    expect(await call('POST', `/tenants/acme/scim-tokens`, { ...reading, scope: 'scim:write' })).toMatchObject(refused(400, 'body_invalid'))
    const living = [first, second, third].find(({ status }) => status === 201)?.body
    expect((await call('DELETE', `/tenants/acme/scim-tokens/${living.id}`)).status).toBe(204)
    expect((await make()).status).toBe(201)
    expect(await call('DELETE', `/tenants/acme/connections/${id}`)).toMatchObject(refused(409, 'still_in_use'))
  })

  it('moves a domain between connections of its tenant and to nobody else’s, and frees it when it is given up', async () => {
    await call('POST', `/tenants`, { slug: 'globex', name: 'Globex' })
    const connectionOf = async (tenant: string) =>
      (
        await call('POST', `/tenants/${tenant}/connections`, {
          kind: 'oidc',
          name: 'x',
          configuration: { issuer: 'https://x.example', clientId: 'y' },
        })
      ).body.id
    const [one, other, foreign] = [await connectionOf('acme'), await connectionOf('acme'), await connectionOf('globex')]
    await call('POST', `/tenants/acme/domains`, { domain: 'moved.example', connectionId: one, verified: true })
    const path = `/tenants/acme/domains/moved.example`
    expect((await call('PATCH', path, { connectionId: other })).body).toMatchObject({ connectionId: other, verifiedAt: expect.any(String) })
    expect(await call('PATCH', path, { connectionId: foreign })).toMatchObject(refused(409, 'reference_unknown'))
    expect(await call('POST', `/tenants/acme/domains`, { domain: 'moved.example' })).toMatchObject(refused(409, 'conflict'))
    expect(await call('PATCH', `/tenants/globex/domains/moved.example`, { connectionId: null })).toMatchObject(refused(404, 'not_found'))
    expect((await call('PATCH', path, { verified: false })).body.verifiedAt).toBeNull()
    const key = (await call('POST', `/admin-keys`, { name: 'd', permissions: ['impersonate'], expiresAt: later, tenant: 'acme' })).body
      .secret
    expect(await call('PATCH', path, { verified: true }, key)).toMatchObject(refused(403, 'vendor_only'))
    expect((await call('DELETE', path, undefined, key)).status).toBe(204)
    expect((await call('POST', `/tenants/globex/domains`, { domain: 'moved.example' })).status).toBe(201)
  })

  it('publishes an old version of the policy again, as the next one', async () => {
    const documents = ['version: 1\nrules: []\n', 'version: 1\n# the second\nrules: []\n']
    for (const document of documents) expect((await call('POST', `/tenants/globex/policies`, { document })).status).toBe(201)
    expect((await call('POST', `/tenants/globex/policies/1/republish`, {})).body.version).toBe(3)
    expect((await call('GET', `/tenants/globex/policy`)).body).toMatchObject({ version: 3, document: documents[0] })
    for (const version of ['4', '0', 'x', '9'.repeat(15)])
      expect(await call('GET', `/tenants/globex/policies/${version}`)).toMatchObject(refused(404, 'not_found'))
    expect(await call('POST', `/tenants/globex/policies/9/republish`, {})).toMatchObject(refused(404, 'not_found'))
  })

  it('takes a credential of a resource back at once, and shows no secret twice', async () => {
    const [resource] = (await call('GET', `/tenants/acme/resources`)).body.resources
    const path = `/tenants/acme/resources/${resource.id}/credentials`
    const made = (await call('POST', path, {})).body
    const introspect = async () =>
      (
        await fetch(`${broker.url}/t/acme/introspect`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`${made.id}:${made.secret}`).toString('base64')}` },
          body: new URLSearchParams({ token: 'x' }),
        })
      ).status
    expect(await introspect()).toBe(200)
    expect((await call('DELETE', `${path}/${made.id}`)).status).toBe(204)
    expect(await introspect()).toBe(401)
    expect(await call('DELETE', `${path}/${made.id}`)).toMatchObject(refused(404, 'not_found'))
    expect(JSON.stringify((await call('GET', path)).body)).not.toContain(made.secret)
    expect(await call('GET', `/tenants/globex/resources/${resource.id}/credentials`)).toMatchObject(refused(404, 'not_found'))
  })

  it('gives a client a new secret, and the old one is worth nothing', async () => {
    const made = (
      await call('POST', `/tenants/acme/clients`, {
        clientId: 'machine',
        name: 'Machine',
        grantTypes: ['client_credentials'],
        tokenEndpointAuthMethod: 'client_secret_post',
      })
    ).body
    const errorWith = async (secret: string) => {
      const form = { grant_type: 'client_credentials', client_id: 'machine', client_secret: secret, resource: 'https://nowhere.example' }
      const answer = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
      return ((await answer.json()) as { error: string }).error
    }
    const replaced = (await call('POST', `/tenants/acme/clients/machine/secret`)).body
    expect(await errorWith(made.clientSecret)).toBe('invalid_client')
    expect(await errorWith(replaced.clientSecret)).not.toBe('invalid_client')
    await call('POST', `/tenants/acme/clients`, { clientId: 'public', name: 'Public', redirectUris: ['http://127.0.0.1/cb'] })
    expect(await call('POST', `/tenants/acme/clients/public/secret`)).toMatchObject(refused(404, 'not_found'))
  })

  it('lets the vendor list and revoke the keys of a tenant, and a tenant those of no other', async () => {
    const make = (tenant: string) =>
      call('POST', `/admin-keys`, { name: tenant, permissions: ['admin-keys:write'], expiresAt: later, tenant })
    const [mine, theirs] = [(await make('acme')).body, (await make('globex')).body]
    expect((await call('GET', `/tenants/globex/admin-keys`)).body.adminKeys).toContainEqual(expect.objectContaining({ id: theirs.id }))
    expect(await call('GET', `/tenants/globex/admin-keys`, undefined, mine.secret)).toMatchObject(refused(404, 'other_tenant'))
    expect(await call('DELETE', `/tenants/acme/admin-keys/${theirs.id}`, undefined, mine.secret)).toMatchObject(refused(404, 'not_found'))
    expect((await call('DELETE', `/tenants/globex/admin-keys/${theirs.id}`)).status).toBe(204)
    expect(await call('GET', `/tenants/globex/admin-keys`, undefined, theirs.secret)).toMatchObject(refused(401, 'key_unknown'))
  })

  it('rotates keys, condemns one, kills a connection, and writes all of it to the trail', async () => {
    const rotated = await call('POST', `/tenants/acme/signing-keys/rotate`, { purpose: 'tokens' })
    const active = rotated.body.signingKeys.find(
      (key: { purpose: string; state: string }) => key.purpose === 'tokens' && key.state === 'active',
    )
    const condemned = await call('POST', `/tenants/acme/signing-keys/${active.id}/compromised`)
    expect(
      condemned.body.signingKeys.filter((key: { purpose: string; state: string }) => key.purpose === 'tokens' && key.state === 'active'),
    ).toHaveLength(1)
    const { id } = (await call('GET', `/tenants/acme/connections`)).body.connections[0]
    const killed = await call('POST', `/tenants/acme/connections/${id}/kill`, { reason: 'stolen IdP' })
    expect(killed.body).toMatchObject({ target: 'connection', epoch: 2 })
    expect((await call('GET', `/tenants/acme/revocations`)).body.revocations[0]).toMatchObject({
      target: 'connection',
      matched: true,
      reason: 'stolen IdP',
    })
    expect((await call('POST', `/tenants/acme/subjects/nobody/kill`, { reason: 'r' })).status).toBe(404)
    expect((await call('GET', `/tenants/acme/grants`)).body.grants).toEqual([])
    const kinds = (await call('GET', `/tenants/acme/audit-events`)).body.auditEvents.map((event: { kind: string }) => event.kind)
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
    expect((await call('PUT', `/lab/clock`, { offsetSeconds: 3600 })).status).toBe(200)
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
    const answer = await call('POST', `/tenants`, body)
    expect(answer).toMatchObject(refused(status, reason))
    expect(answer.body.instance).toBeTruthy()
  })

  it('answers 404, 405 with Allow, and 400 for a path that is not UTF-8', async () => {
    expect(await call('GET', '/nowhere')).toMatchObject({ status: 404 })
    const wrong = await call('PUT', `/tenants`)
    expect(wrong).toMatchObject(refused(405, 'method_refused'))
    expect(wrong.headers.get('allow')).toContain('POST')
    expect(await call('GET', `/tenants/%ff`)).toMatchObject(refused(400, 'path_malformed'))
    expect((await call('GET', `/tenants/none-such`)).status).toBe(404)
  })
})
