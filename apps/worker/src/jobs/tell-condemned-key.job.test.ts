/** A condemned key becomes one signed notice per resource server, signed by a key that is not condemned, however often the job runs. */
import { instant } from '@drawbridge/core/instant'
import { claimsOfNotice, kidOf } from '@drawbridge/core/signals/event-stream'
import { signingKeyCondemned } from '@drawbridge/core/signals/signing-key-condemned'
import type { IssuerId } from '@drawbridge/core/tenant/ids'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { generateSigningKey, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { condemnSigningKey, listSigningKeys } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { anEventStream } from '@drawbridge/testkit/an-event-stream'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, installationId, jobDeps, random, sealer } from '../../test/a-company.js'
import { findJob } from '../jobs.js'

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

async function condemnNoticeKey(company: Awaited<ReturnType<typeof aCompany>>): Promise<void> {
  const { tenant, noticeKey } = company
  const issuerId = company.issuerId as IssuerId
  const now = instant(Date.now())
  await inTenant(fixture.database, tenant, (db) =>
    condemnSigningKey(db, tenant, {
      issuerId,
      now,
      kid: noticeKey.kid,
      eventId: random.uuid(),
      makeKey: (purpose, state) => {
        if (purpose === 'saml') throw new Error('this company has no key for SAML')
        const { privateKey, ...key } = generateSigningKey(random, purpose)
        const context = { installation: installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
        return { ...key, issuerId, state, now, sealedPrivateKey: sealer.seal(privateKey, context) }
      },
    }),
  )
}

it('every resource server is told once, by the key that took its place', async () => {
  const company = await aCompany(fixture, 'acme')
  await condemnNoticeKey(company)
  const [entry] = await asOwner<{ id: string; kind: string; payload: unknown }>(
    fixture.ownerUrl,
    'SELECT id, kind, payload FROM outbox WHERE tenant_id = $1',
    [company.tenant],
  )
  const job = findJob(entry?.kind ?? '')
  const data = { tenant: company.tenant, entry: Number(entry?.id), payload: entry?.payload }
  await Promise.all([job?.run(jobDeps(fixture), data), job?.run(jobDeps(fixture), data)])
  await job?.run(jobDeps(fixture), data)

  const told = await asOwner<{ token: string; identifier: string; issuer_id: string }>(
    fixture.ownerUrl,
    'SELECT n.token, n.issuer_id, r.identifier FROM notices n JOIN resources r ON r.id = n.resource_id WHERE n.tenant_id = $1',
    [company.tenant],
  )
  expect(told.map(({ identifier }) => identifier).sort()).toEqual(company.resources.map(({ identifier }) => identifier).sort())
  const keys = await inTenant(fixture.database, company.tenant, (db) => listSigningKeys(db, company.tenant))
  const active = keys.filter(({ state }) => state === 'active').map(({ publicJwk }) => toVerificationKey(publicJwk))
  const kid = company.noticeKey.kid
  for (const { token, identifier, issuer_id } of told) {
    const expected = { typ: 'secevent+jwt', issuer: company.issuer, audience: identifier, now: instant(Date.now()), skewSeconds: 0 }
    expect(issuer_id).toBe(company.issuerId)
    expect(verifyJwt(token, [company.noticeKey], expected)).toEqual({ ok: false, error: 'unknown_key' })
    expect(verifyJwt(token, active, expected)).toMatchObject({
      ok: true,
      value: {
        sub_id: { format: 'uri', uri: `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${kid}` },
        events: { [signingKeyCondemned]: { kid, initiating_entity: 'admin' } },
        drawbridge: { tenant: 'acme' },
      },
    })
  }
})

it('what an event stream still owes and the condemned key had signed is signed anew, word for word', async () => {
  const company = await aCompany(fixture, 'globex')
  const [resource] = company.resources
  const credentialId = random.uuid()
  await asOwner(
    fixture.ownerUrl,
    'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, now())',
    [company.tenant, credentialId, resource?.id, Buffer.alloc(32)],
  )
  await anEventStream(
    fixture,
    { tenantId: company.tenant, issuerId: company.issuerId as IssuerId },
    { tenantId: company.tenant, resourceId: resource?.id ?? '', credentialId },
  )
  await company.kill()
  const runAll = async () => {
    const entries = await asOwner<{ id: string; kind: string; payload: unknown }>(
      fixture.ownerUrl,
      'SELECT id, kind, payload FROM outbox WHERE tenant_id = $1 AND done_at IS NULL ORDER BY id',
      [company.tenant],
    )
    for (const { id, kind, payload } of entries)
      await findJob(kind)?.run(jobDeps(fixture), { tenant: company.tenant, entry: Number(id), payload })
  }
  const first = async () =>
    (
      await asOwner<{ token: string }>(fixture.ownerUrl, 'SELECT token FROM notices WHERE resource_id = $1 ORDER BY position LIMIT 1', [
        resource?.id,
      ])
    )[0]?.token ?? ''
  await runAll()
  const [before] = [await first()]
  await condemnNoticeKey(company)
  await runAll()
  const after = await first()
  expect([kidOf(before), kidOf(after) === kidOf(before)]).toEqual([company.noticeKey.kid, false])
  expect(claimsOfNotice(after)).toEqual(claimsOfNotice(before))
  const keys = await inTenant(fixture.database, company.tenant, (db) => listSigningKeys(db, company.tenant))
  const active = keys.filter(({ state }) => state === 'active').map(({ publicJwk }) => toVerificationKey(publicJwk))
  const expected = {
    typ: 'secevent+jwt',
    issuer: company.issuer,
    audience: resource?.identifier ?? '',
    now: instant(Date.now()),
    skewSeconds: 0,
  }
  expect(verifyJwt(after, active, expected)).toMatchObject({ ok: true })
})
