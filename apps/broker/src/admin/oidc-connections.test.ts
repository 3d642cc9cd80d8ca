/** What is peculiar to OpenID connections in the admin API: the look at a provider before it is saved, and what proves a fresh sign-in. */
import { ok } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aDiscoveryDocument, aSigner } from '@drawbridge/upstream/oidc/fixtures/a-provider'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let call: Call
const issuer = 'https://accounts.google.com'
const signer = aSigner('k1')
const asked: string[] = []
const fetchSafely: FetchSafely = async (url) => {
  asked.push(url)
  const document = url.endsWith('/jwks') ? { keys: [signer.jwk] } : aDiscoveryDocument(issuer)
  return ok({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(document)) })
}

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { fetchSafely })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

it('diagnoses a provider with causes and remedies, and proposes what its vendor needs', async () => {
  const path = '/tenants/acme/connections/diagnose-oidc'
  const seen = await call('POST', path, { issuer })
  expect(seen).toMatchObject({
    status: 200,
    body: { usable: false, issuer, vendor: { id: 'google' }, preset: { promptOnForce: 'select_account' } },
  })
  expect(seen.body.findings[0]).toMatchObject({ severity: 'error', cause: expect.any(String), remedy: expect.any(String) })
  const mended = await call('POST', path, {
    issuer,
    configuration: { hostedDomains: ['acme.example'], clientAuthentication: 'client_secret_basic' },
  })
  expect(mended.body.usable).toBe(true)
  expect(asked.every((url) => url.startsWith('https://'))).toBe(true)
})

it('is asked for by those alone who may save a connection', async () => {
  const later = '2099-01-01T00:00:00Z'
  const { body } = await call('POST', '/admin-keys', {
    name: 'reader',
    permissions: ['configuration:read'],
    expiresAt: later,
    tenant: 'acme',
  })
  const refused = await call('POST', '/tenants/acme/connections/diagnose-oidc', { issuer }, body.secret)
  expect(refused).toMatchObject({ status: 403, body: { type: 'urn:drawbridge:error:permission_missing' } })
})

it.each([
  {
    what: 'the time of issue as proof',
    member: 'freshnessEvidence',
    strict: 'auth_time',
    weak: 'issued_at_after_prompt',
    kind: 'freshness_evidence_changed',
  },
  { what: 'logout tokens without a type', member: 'logoutTokens', strict: 'typed', weak: 'untyped', kind: 'logout_tokens_changed' },
])('accepting $what, and taking that back, are lines of the trail of their own', async ({ member, strict, weak, kind }) => {
  const base = { issuer: 'https://idp.example', clientId: 'x' }
  const weakened = { ...base, [member]: weak }
  const draft = (configuration: object) => ({ kind: 'oidc', name: 'IdP', configuration })
  const { body } = await call('POST', '/tenants/acme/connections', draft(base))
  for (const configuration of [weakened, { ...weakened, userinfo: false }, base])
    await call('PUT', `/tenants/acme/connections/${body.id}`, draft(configuration))
  const trail: { kind: string; detail: Record<string, unknown> }[] = (await call('GET', '/tenants/acme/audit-events')).body.auditEvents
  const changes = trail.filter((event) => event.kind === `connection.${kind}`).map(({ detail: { from, to } }) => ({ from, to }))
  expect(changes.toReversed()).toEqual([
    { from: strict, to: weak },
    { from: weak, to: strict },
  ])
})
