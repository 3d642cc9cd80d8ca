/**
 * Every write of the admin API, found in the table of endpoints, is done once, and stands in the trail of the tenant that it touches.
 * A new write endpoint fails here until it has a line.
 */
import { randomUUID } from 'node:crypto'
import { ok } from '@drawbridge/core/result'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aKeyedConnection } from '@drawbridge/testkit/a-connection-key'
import { aConsent } from '@drawbridge/testkit/a-consent'
import { aPng } from '@drawbridge/testkit/a-picture'
import { aRecordedLogin } from '@drawbridge/testkit/a-recorded-login'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { anEventStream } from '@drawbridge/testkit/an-event-stream'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminEndpoints } from './admin-endpoints.js'
import { type AdminWrite, later, made } from './fixtures/admin-write.js'
import { adminWrites, certificate, readsOnly } from './fixtures/admin-writes.js'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const fetchSafely = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  broker = await aBroker(fixture.database, {
    fetchSafely: async (url, options) =>
      url === aLogo.uri ? ok({ status: 200, headers: {}, body: aLogo.picture }) : fetchSafely(url, options),
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
  made['ownConnection'] = acme.connectionId
  made['subject'] = acme.subjectId
  made['grant'] = row?.id ?? ''
  made['consent'] = await aConsent(fixture, acme)
  const ada =
    "INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, gen_random_uuid(), 'Ada', 'ada@acme.example', now())"
  await asOwner(fixture.ownerUrl, ada, [acme.tenantId])
  await aFailedMail()
  await aDeadDelivery()
  await aDeadDeliveryOfVendor()
  await aDeadLetter()
  await aWatchedConnection()
  for (const name of ['waitingDraft', 'unwantedDraft']) await aWaitingDraft(name)
  await aThrownDraft()
  await anUnmatchedSignal()
  made['scimUser'] = await aScimUser(fixture, acme, 'ada@acme.example')
  made['recordedLogin'] = await aRecordedLogin(fixture, acme, broker.deps)
  made['keyed'] = await aKeyedConnection(fixture, acme, 'first')
  await aTokenKey(fixture, broker, acme, 'notices')
  await twoEventStreams()
  await aClientWithLogo()
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

/** One of a resource of the tenant's own, and one of a resource of the vendor's, which carries the tenant's events. */
async function twoEventStreams(): Promise<void> {
  const [vendors, credential] = [randomUUID(), randomUUID()]
  const resource =
    "INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, 'https://streams.vendor.example', 'x', now())"
  await asOwner(fixture.ownerUrl, resource, [vendorTenantId, vendors])
  const proof = `INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, '', now())`
  await asOwner(fixture.ownerUrl, proof, [vendorTenantId, credential, vendors])
  made['ownResource'] = acme.resourceId
  made['vendorResource'] = vendors
  made['stream'] = await anEventStream(fixture, acme, {
    tenantId: acme.tenantId,
    resourceId: acme.resourceId,
    credentialId: acme.credentialId,
  })
  made['vendorStream'] = await anEventStream(fixture, acme, { tenantId: vendorTenantId, resourceId: vendors, credentialId: credential })
}

const aLogo = { uri: 'https://client.example/logo.png', picture: aPng() }

/** One that describes itself. */
async function aClientWithLogo(): Promise<void> {
  made['clientWithLogo'] = 'client-with-logo'
  made['logoDigest'] = sha256Base64url(aLogo.picture)
  const client = `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, logo_uri)
    VALUES ($1, $2, $3, 'metadata_document', 'x', '{}', '{}', 'none', '{}', now(), $4)`
  await asOwner(fixture.ownerUrl, client, [acme.tenantId, acme.issuerId, made['clientWithLogo'], aLogo.uri])
}

/** To somebody who is a contact no more. */
async function aFailedMail(): Promise<void> {
  made['failedMail'] = randomUUID()
  const mail = `INSERT INTO announcements (tenant_id, id, recipient_name, recipient_email, acts, act_count, is_open, state, attempts, trouble, opened_at, try_at, ended_at, expires_at)
    VALUES ($1, $2, 'Cleo', 'cleo@acme.example', '[]', 1, false, 'failed', 1, 'refused', now(), now(), now(), '2099-01-01')`
  await asOwner(fixture.ownerUrl, mail, [acme.tenantId, made['failedMail']])
}

async function aDeadDeliveryOfVendor(): Promise<void> {
  made['deadDeliveryOfVendor'] = randomUUID()
  const endpoint = `INSERT INTO webhook_endpoints (tenant_id, id, name, url, events, sealed_secret, created_at) VALUES ($1, $2, 'x', 'https://x.example', '{}', '', now())`
  await asOwner(fixture.ownerUrl, endpoint, [vendorTenantId, made['deadDeliveryOfVendor']])
  const destination = `INSERT INTO delivery_destinations (tenant_id, id, kind, endpoint_id, origin) VALUES ($1, $2, 'webhook', $2, '')`
  await asOwner(fixture.ownerUrl, destination, [vendorTenantId, made['deadDeliveryOfVendor']])
  const dead = `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, attempts, due_at, created_at, begun_at, dead_at, expires_at)
    VALUES ($1, $2, $2, 'x', 1, $2, '', '{}', 9, now(), now(), now(), now(), '2099-01-01')`
  await asOwner(fixture.ownerUrl, dead, [vendorTenantId, made['deadDeliveryOfVendor']])
}

async function aDeadDelivery(): Promise<void> {
  made['deadDelivery'] = randomUUID()
  const destination = `INSERT INTO delivery_destinations (tenant_id, id, kind, issuer_id, client_id, origin) VALUES ($1, $2, 'backchannel_logout', $3, $4, '')`
  await asOwner(fixture.ownerUrl, destination, [acme.tenantId, made['deadDelivery'], acme.issuerId, acme.clientId])
  const dead = `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, attempts, due_at, created_at, begun_at, dead_at, reason, expires_at)
    VALUES ($1, $2, $2, 'x', 1, $2, '', '{}', 9, now(), now(), now(), now(), 'answered 400', '2099-01-01')`
  await asOwner(fixture.ownerUrl, dead, [acme.tenantId, made['deadDelivery']])
}

async function aDeadLetter(): Promise<void> {
  const letter = `INSERT INTO outbox (tenant_id, kind, payload, created_at, due_at, attempts, dead_at, dead_reason)
    VALUES ($1, 'revoke', '{}', now(), 'infinity', 12, now(), 'a test')`
  await asOwner(fixture.ownerUrl, letter, [acme.tenantId])
}

/** A SAML connection whose metadata has an address. */
async function aWatchedConnection(): Promise<void> {
  made['saml'] = randomUUID()
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate] })
  const connection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'IdP', $3, now())`
  await asOwner(fixture.ownerUrl, connection, [acme.tenantId, made['saml'], configuration])
  const source = `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, created_at) VALUES ($1, $2, 'https://idp.example', '{}', now())`
  await asOwner(fixture.ownerUrl, source, [acme.tenantId, made['saml']])
}

/** What a company's IT described by a set-up link, and asked approval for. */
async function aWaitingDraft(name: string): Promise<void> {
  made[name] = randomUUID()
  const link = `INSERT INTO setup_links (tenant_id, id, token_hash, note, created_at, expires_at) VALUES ($1, $2, $3, 'IT', now(), '2099-01-01')`
  await asOwner(fixture.ownerUrl, link, [acme.tenantId, made[name], Buffer.from(name)])
  const draft = `INSERT INTO connection_drafts (tenant_id, id, setup_link_id, state, kind, name, configuration, revision, created_at, changed_at, expires_at)
    VALUES ($1, $2, $2, 'waiting', 'oidc', 'IdP', '{"issuer": "https://idp.example", "clientId": "x"}', 1, now(), now(), '2099-01-01')`
  await asOwner(fixture.ownerUrl, draft, [acme.tenantId, made[name]])
}

/** An IdP has disabled somebody who was never here. */
async function anUnmatchedSignal(): Promise<void> {
  made['unmatchedSignal'] = randomUUID()
  const signal = `INSERT INTO unmatched_signals (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at)
    VALUES ($1, $2, $3, unmatched_name('eve'), 'eve', 'account-disabled', true, now())`
  await asOwner(fixture.ownerUrl, signal, [acme.tenantId, made['unmatchedSignal'], acme.connectionId])
}

async function aThrownDraft(): Promise<void> {
  made['thrownDraft'] = randomUUID()
  const draft = `INSERT INTO policy_drafts (tenant_id, id, base_version, document, cases, author, note, revision, created_at, changed_at, expires_at)
    VALUES ($1, $2, 0, 'version: 1', '', 'x', '', 1, now(), now(), '2099-01-01')`
  await asOwner(fixture.ownerUrl, draft, [acme.tenantId, made['thrownDraft']])
}

it('knows every write of the table of endpoints', () => {
  const writes = adminEndpoints
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path.replace('/admin/v1', '')}`)
  expect([...adminWrites.map(({ write }) => write), ...readsOnly].sort()).toEqual(writes.sort())
})

describe('a write is in the trail of whom it touches', () => {
  const trailOf = async (
    whose: AdminWrite['trail'],
  ): Promise<readonly { id: number; kind: string; detail: { adminKey?: string; vendor?: boolean } }[]> => {
    const path = whose === 'vendor' ? '/audit-events' : `/tenants/${whose ?? 'acme'}/audit-events`
    const { status, body } = await call('GET', path)
    return status === 200 ? body.auditEvents : []
  }
  const prepare = async () => {
    made['own'] ??= (await call('POST', '/admin-keys', { name: 'own', permissions: ['configuration:read'], expiresAt: later })).body.id
    const keys = await call('GET', '/tenants/fresh/signing-keys')
    made['kid'] = keys.body.signingKeys?.find((key: { state: string }) => key.state === 'active')?.id ?? ''
    const ofFront = await call('GET', '/front-issuer/signing-keys')
    made['frontKey'] = ofFront.body.signingKeys?.[0]?.id ?? ''
  }

  /** Of the contact who was there before all of them. */
  const toldTo = async () =>
    (
      await asOwner<{ count: number }>(
        fixture.ownerUrl,
        "SELECT COALESCE(sum(act_count), 0)::int AS count FROM announcements WHERE recipient_email = 'ada@acme.example'",
        [],
      )
    )[0]?.count ?? 0
  const permissionOf = (write: string) =>
    adminEndpoints.find(({ method, path }) => `${method} ${path.replace('/admin/v1', '')}` === write)?.permission

  it.each(adminWrites)('$write', async ({ write, at, body, kinds, trail, keep }) => {
    await prepare()
    const toldBefore = await toldTo()
    const [method = '', path = ''] = write.split(' ')
    const before = (await trailOf(trail))[0]?.id ?? 0
    const answered = await call(method, at?.() ?? path.replace(':tenant', 'acme'), body)
    expect(answered.status).toBeLessThan(300)
    if (keep) made[keep[0]] = answered.body[keep[1]]
    const fresh = (await trailOf(trail)).filter(({ id }) => id > before)
    expect(fresh.map(({ kind }) => kind).sort()).toEqual([...kinds].sort())
    expect(fresh.some(({ detail }) => detail.adminKey !== undefined && detail.vendor === true)).toBe(true)
    // What lets its doer become somebody is told to the contacts; nothing else is.
    expect((await toldTo()) > toldBefore).toBe(permissionOf(write) === 'impersonate' && (trail ?? 'acme') === 'acme')
  })
})
