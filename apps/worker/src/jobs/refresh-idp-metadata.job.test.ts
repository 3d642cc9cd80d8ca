/** Metadata keeps itself fresh: over a real server and a real database, with nothing used that an admin would have to see first. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { findConnection, insertConnection } from '@drawbridge/store/connections'
import {
  askForMetadata,
  claimDueMetadataAcrossTenants,
  findMetadataSource,
  putMetadataSource,
  type StoredMetadataSource,
} from '@drawbridge/store/metadata-sources'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { aKey, plainMetadata, signCarrying, signMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { fingerprintOf } from '@drawbridge/upstream/saml/metadata-changes'
import { rolloverOverlapSeconds } from '@drawbridge/upstream/saml/metadata-rollover'
import { askAgainSeconds, firstPauseSeconds, refreshSeconds } from '@drawbridge/upstream/saml/metadata-schedule'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aCompany, jobDeps, random } from '../../test/a-company.js'
import { failuresUntilTold } from '../look-at-metadata.js'
import { claimSize, leaseSeconds, looksAtOnce, refreshIdpMetadata } from './refresh-idp-metadata.job.js'

const start = instant(Date.UTC(2026, 10, 23))
const [old, fresh] = [aKey().certificate, aKey().certificate]
const publisher = aFixtureKey()
let fixture: TestDatabase
let server: Server
let origin: string
let answer: (request: IncomingMessage, response: ServerResponse) => void
let asked: IncomingMessage[]
let company: Awaited<ReturnType<typeof aCompany>>

beforeAll(async () => {
  fixture = await testDatabase()
  company = await aCompany(fixture, 'acme')
  server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server?.close()
  await fixture?.close()
})
beforeEach(async () => {
  asked = []
  await asOwner(fixture.ownerUrl, 'DELETE FROM metadata_sources')
})

const serve = (document: string, etag?: string) => {
  answer = (request, response) => {
    if (etag !== undefined && request.headers['if-none-match'] === etag) return response.writeHead(304).end()
    return response.writeHead(200, { 'content-type': 'application/xml', ...(etag !== undefined && { etag }) }).end(document)
  }
}
const offering = (certificates: readonly string[], parts: Partial<Parameters<typeof plainMetadata>[0]> = {}) =>
  plainMetadata({ certificates, ...parts })

type Watched = { readonly tenant: TenantId; readonly connection: ConnectionId }

/** A connection that trusts `old`, whose metadata is due now. */
async function watched(source: Partial<Parameters<typeof putMetadataSource>[3]> = {}): Promise<Watched> {
  const { tenant } = company
  const connection = random.uuid() as ConnectionId
  const configuration = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [old], groupsAttribute: 'memberOf' }
  await inTenant(fixture.database, tenant, (db) =>
    insertConnection(db, tenant, { id: connection, kind: 'saml', name: 'Corporate', configuration, now: start }),
  )
  await inTenant(fixture.database, tenant, (db) =>
    putMetadataSource(db, tenant, connection, {
      ...{
        url: `${origin}/metadata`,
        pinnedCertificates: [],
        etag: undefined,
        digest: 'before',
        withdrawn: [],
        nextFetchAt: start,
        now: start,
      },
      ...source,
    }),
  )
  return { tenant, connection }
}
const lookAt = (now: Instant) => refreshIdpMetadata({ ...jobDeps(fixture), clock: { now: () => now } })
const sourceOf = async ({ tenant, connection }: Watched) =>
  (await inTenant(fixture.database, tenant, (db) => findMetadataSource(db, tenant, connection))) as StoredMetadataSource
const configurationOf = async ({ tenant, connection }: Watched) =>
  (await inTenant(fixture.database, tenant, (db) => findConnection(db, tenant, connection)))?.configuration
const trailOf = ({ tenant, connection }: Watched) =>
  asOwner<{ kind: string; reason: string | null; detail: Record<string, unknown> }>(
    fixture.ownerUrl,
    'SELECT kind, reason, detail FROM audit_events WHERE tenant_id = $1 AND connection_id = $2 ORDER BY id',
    [tenant, connection],
  )

describe('what it may change by itself', () => {
  it('a new key is trusted beside the old one, the difference is in the trail, and all else of the connection stays', async () => {
    const here = await watched()
    serve(offering([old, fresh]))
    await lookAt(start)
    expect(await configurationOf(here)).toMatchObject({ certificates: [old, fresh], groupsAttribute: 'memberOf' })
    expect(await trailOf(here)).toMatchObject([
      {
        kind: 'connection.metadata_refreshed',
        detail: { change: { certificates: { added: [{ fingerprint: fingerprintOf(fresh) }], removed: [] } } },
      },
    ])
    expect(await sourceOf(here)).toMatchObject({ outcome: 'changed', failures: 0, succeededAt: start })
  })

  it('a key that is listed no more goes when its overlap has passed, even while the document stays the same', async () => {
    const here = await watched()
    serve(offering([fresh]), '"1"')
    await lookAt(start)
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh, old] })
    const later = addSeconds(start, rolloverOverlapSeconds)
    await lookAt(instant(later - 1))
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh, old] })
    await asOwner(fixture.ownerUrl, 'UPDATE metadata_sources SET next_fetch_at = $1', [new Date(later)])
    await lookAt(later)
    expect(asked.at(-1)?.headers['if-none-match']).toBe('"1"')
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh] })
    expect((await trailOf(here)).at(-1)).toMatchObject({
      detail: { change: { certificates: { removed: [{ fingerprint: fingerprintOf(old) }] } } },
    })
  })

  it('an unchanged document is asked for by its etag, writes nothing in the trail and raises no version', async () => {
    const here = await watched()
    serve(offering([old]), '"2"')
    const version = () =>
      asOwner<{ v: string }>(fixture.ownerUrl, 'SELECT configuration_version AS v FROM tenants WHERE id = $1', [here.tenant])
    const before = await version()
    await lookAt(start)
    await lookAt(addSeconds(start, 2 * refreshSeconds))
    expect(asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"2"'])
    expect([await trailOf(here), await version()]).toEqual([[], before])
    expect(await sourceOf(here)).toMatchObject({ outcome: 'unchanged', etag: '"2"' })
  })

  it('a document given by hand is never fetched, and its rollover ends all the same', async () => {
    const here = await watched({
      url: undefined,
      withdrawn: [{ fingerprint: fingerprintOf(old), at: addSeconds(start, -rolloverOverlapSeconds) }],
    })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = jsonb_set(configuration, $2, $3) WHERE id = $1', [
      ...[here.connection, '{certificates}', JSON.stringify([fresh, old])],
    ])
    await lookAt(start)
    expect(asked).toEqual([])
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh] })
    expect((await sourceOf(here)).nextFetchAt).toBeUndefined()
  })
})

describe('what waits for an admin', () => {
  it.each([
    {
      when: 'the document is held',
      given: offering([old], { ssoUrl: 'https://evil.example/sso' }),
      status: 200,
      kinds: ['connection.metadata_held'],
    },
    { when: 'the address fails', given: '', status: 500, kinds: [] },
  ])('a withdrawn key goes in its time even while $when', async ({ given, status, kinds }) => {
    const at = addSeconds(start, -rolloverOverlapSeconds)
    const here = await watched({ withdrawn: [{ fingerprint: fingerprintOf(old), at }] })
    const certificates = JSON.stringify([fresh, old])
    const sql = "UPDATE connections SET configuration = jsonb_set(configuration, '{certificates}', $2) WHERE id = $1"
    await asOwner(fixture.ownerUrl, sql, [here.connection, certificates])
    answer = (_request, response) => void response.writeHead(status).end(given)
    await lookAt(start)
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh], ssoUrl: 'https://idp.example/sso' })
    expect((await trailOf(here)).map(({ kind }) => kind)).toEqual([...kinds, 'connection.metadata_refreshed'])
    expect((await sourceOf(here)).withdrawn).toEqual([])
  })

  const evil = 'https://evil.example/sso'
  it.each([
    { reason: 'endpoint_moved', given: () => offering([fresh], { ssoUrl: evil }), pinned: [] },
    { reason: 'entity_id_changed', given: () => offering([fresh], { entityId: 'urn:another' }), pinned: [] },
    { reason: 'metadata_outdated', given: () => offering([fresh], { attributes: ' validUntil="2026-11-01T00:00:00Z"' }), pinned: [] },
    { reason: 'metadata_unusable', given: () => offering([fresh]), pinned: [publisher.certificate] },
    { reason: 'metadata_unusable', given: () => `<!DOCTYPE x [<!ENTITY a "b">]>${offering([fresh])}`, pinned: [] },
    { reason: 'metadata_unusable', given: () => '<html>Sign in</html>', pinned: [] },
  ])('$reason: nothing is used, and it is told once', async ({ reason, given, pinned }) => {
    const here = await watched({ pinnedCertificates: pinned })
    const before = await configurationOf(here)
    serve(given())
    await lookAt(start)
    await lookAt(addSeconds(start, 2 * refreshSeconds))
    expect(asked).toHaveLength(2)
    expect(await configurationOf(here)).toEqual(before)
    expect(await trailOf(here)).toMatchObject([{ kind: 'connection.metadata_held', reason }])
    expect(await sourceOf(here)).toMatchObject({ outcome: 'held', outcomeReason: reason, digest: 'before' })
  })

  it('what the pinned certificate signed is used', async () => {
    const here = await watched({ pinnedCertificates: [publisher.certificate] })
    serve(signMetadata(offering([fresh]), publisher))
    await lookAt(start)
    expect(await configurationOf(here)).toMatchObject({ certificates: [fresh, old] })
  })
})

describe('signed, and no certificate is pinned', () => {
  it('who signed first is remembered, and what somebody else signed, or nobody, waits for an admin, told once', async () => {
    const here = await watched()
    const signedBy = fingerprintOf(publisher.certificate)
    serve(signCarrying(offering([old]), publisher))
    await lookAt(start)
    expect(await sourceOf(here)).toMatchObject({ outcome: 'unchanged', signedBy })
    const before = await configurationOf(here)
    for (const [times, given] of [offering([old, fresh]), signCarrying(offering([old, fresh]), aFixtureKey())].entries()) {
      serve(given)
      await lookAt(addSeconds(start, (2 * times + 1) * 2 * refreshSeconds))
      await lookAt(addSeconds(start, (2 * times + 2) * 2 * refreshSeconds))
      expect(await sourceOf(here)).toMatchObject({ outcome: 'held', outcomeReason: 'signer_changed', signedBy })
      expect(await configurationOf(here)).toEqual(before)
      expect(await trailOf(here)).toHaveLength(times + 1)
      expect((await trailOf(here)).at(-1)).toMatchObject({ kind: 'connection.metadata_held', reason: 'signer_changed' })
    }
    serve(signCarrying(offering([old, fresh]), publisher))
    await lookAt(addSeconds(start, 10 * refreshSeconds))
    expect(await configurationOf(here)).toMatchObject({ certificates: [old, fresh] })
    expect(await sourceOf(here)).toMatchObject({ outcome: 'changed', signedBy })
  })

  it('the same document by its etag forgets nobody, and an admin who applies another begins anew', async () => {
    const signedBy = fingerprintOf(publisher.certificate)
    const here = await watched({ signedBy, etag: '"1"' })
    serve(signCarrying(offering([old]), publisher), '"1"')
    await lookAt(start)
    expect(await sourceOf(here)).toMatchObject({ outcome: 'unchanged', signedBy })
    await inTenant(fixture.database, here.tenant, (db) =>
      putMetadataSource(db, here.tenant, here.connection, {
        ...{ url: `${origin}/metadata`, pinnedCertificates: [], etag: undefined, digest: 'applied', withdrawn: [] },
        ...{ signedBy: undefined, nextFetchAt: addSeconds(start, refreshSeconds), now: start },
      }),
    )
    serve(offering([old, fresh]))
    await lookAt(addSeconds(start, 2 * refreshSeconds))
    expect(await sourceOf(here)).toMatchObject({ outcome: 'changed', signedBy: undefined })
  })
})

describe('when the address fails', () => {
  it.each([
    { code: 'url_status', given: (response: ServerResponse) => response.writeHead(500).end('x') },
    { code: 'url_status', given: (response: ServerResponse) => response.writeHead(304).end() },
    { code: 'url_redirects', given: (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end() },
    { code: 'document_too_large', given: (response: ServerResponse) => response.writeHead(200).end(Buffer.alloc(1024 * 1024 + 1, 0x20)) },
    { code: 'document_not_utf8', given: (response: ServerResponse) => response.writeHead(200).end(Buffer.from([0x3c, 0xff, 0xfe])) },
    { code: 'url_unreachable', given: (response: ServerResponse) => response.destroy() },
  ])('$code: what is configured goes on, and the pause grows', async ({ code, given }) => {
    const here = await watched()
    const before = await configurationOf(here)
    answer = (_request, response) => void given(response)
    await lookAt(start)
    const { outcome, outcomeReason, failures, nextFetchAt } = await sourceOf(here)
    expect({ outcome, outcomeReason, failures }).toEqual({ outcome: 'failed', outcomeReason: code, failures: 1 })
    expect(Number(nextFetchAt)).toBeGreaterThanOrEqual(addSeconds(start, firstPauseSeconds * 0.75))
    expect(Number(nextFetchAt)).toBeLessThanOrEqual(addSeconds(start, firstPauseSeconds * 1.25))
    expect(await configurationOf(here)).toEqual(before)
  })

  it.each([
    { code: 'url_insecure', url: 'ftp://idp.example/metadata' },
    { code: 'url_insecure', url: 'http://idp.example/metadata' },
    { code: 'url_not_public', url: 'https://10.0.0.1/metadata' },
    { code: 'url_not_public', url: 'https://169.254.169.254/latest/meta-data' },
  ])('$code: $url is not asked', async ({ code, url }) => {
    const here = await watched({ url })
    await lookAt(start)
    expect(await sourceOf(here)).toMatchObject({ outcome: 'failed', outcomeReason: code })
  })

  it('is told at the third time in a row, once', async () => {
    const here = await watched()
    answer = (_request, response) => void response.writeHead(503).end()
    for (let time = 0; time < failuresUntilTold + 2; time++) await lookAt(addSeconds(start, time * 86_400 * 2))
    expect(await trailOf(here)).toMatchObject([
      { kind: 'connection.metadata_failed', reason: 'url_status', detail: { failures: failuresUntilTold } },
    ])
    serve(offering([old]))
    await lookAt(addSeconds(start, 20 * 86_400))
    expect(await sourceOf(here)).toMatchObject({ outcome: 'unchanged', failures: 0, outcomeReason: undefined })
  })
})

describe('a signature that did not verify', () => {
  const ask = ({ tenant, connection }: Watched, now: Instant) =>
    inTenant(fixture.database, tenant, (db) =>
      askForMetadata(db, tenant, connection, { now, askedBefore: addSeconds(now, -askAgainSeconds) }),
    )

  it('brings the next look forward once in the named time, however often and from wherever it is asked', async () => {
    const here = await watched({ nextFetchAt: addSeconds(start, refreshSeconds) })
    serve(offering([old, fresh]))
    await lookAt(start)
    expect(asked).toHaveLength(0)
    const now = addSeconds(start, askAgainSeconds + 1)
    const asks = await Promise.all(Array.from({ length: 20 }, () => ask(here, now)))
    expect(asks.filter(Boolean)).toHaveLength(1)
    await lookAt(now)
    expect(await configurationOf(here)).toMatchObject({ certificates: [old, fresh] })
    expect(await ask(here, addSeconds(now, askAgainSeconds - 1))).toBe(false)
    await lookAt(addSeconds(now, askAgainSeconds - 1))
    expect(asked).toHaveLength(1)
    expect(await ask(here, addSeconds(now, askAgainSeconds + 1))).toBe(true)
  })

  it('asks for nothing where there is no address', async () => {
    const here = await watched({ url: undefined, nextFetchAt: undefined })
    expect(await ask(here, addSeconds(start, 86_400))).toBe(false)
  })
})

describe('many connections', () => {
  it('are shared between workers, each looked at once, never more at a time than the limit', async () => {
    const many = await Promise.all(Array.from({ length: claimSize + 8 }, () => watched()))
    let [underWay, most] = [0, 0]
    answer = (_request, response) => {
      most = Math.max(most, (underWay += 1))
      setTimeout(() => {
        underWay -= 1
        response.writeHead(200).end(offering([old]))
      }, 5)
    }
    await Promise.all([lookAt(start), lookAt(start)])
    await lookAt(start)
    expect(asked).toHaveLength(many.length)
    expect(most).toBeLessThanOrEqual(2 * looksAtOnce)
    const times = await Promise.all(many.map(async (each) => Number((await sourceOf(each)).nextFetchAt)))
    expect(new Set(times).size).toBeGreaterThan(many.length / 2)
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan((refreshSeconds * 1000) / 10)
  }, 60_000)

  it('what a worker leaves behind when it dies comes up again after the lease, and not before', async () => {
    await watched()
    const claim = (now: Instant) =>
      acrossTenants(fixture.database, (db) =>
        claimDueMetadataAcrossTenants(db, { now, limit: 10, leaseUntil: addSeconds(now, leaseSeconds) }),
      )
    expect(await claim(start)).toHaveLength(1)
    expect(await claim(addSeconds(start, leaseSeconds - 1))).toHaveLength(0)
    expect(await claim(addSeconds(start, leaseSeconds))).toHaveLength(1)
  })
})

it('an admin who gives another address while the old one answers is not overruled', async () => {
  const here = await watched()
  answer = (_request, response) => {
    void inTenant(fixture.database, here.tenant, (db) =>
      putMetadataSource(db, here.tenant, here.connection, {
        ...{ url: `${origin}/other`, pinnedCertificates: [], etag: undefined, digest: 'other', withdrawn: [] },
        ...{ nextFetchAt: addSeconds(start, refreshSeconds), now: start },
      }),
    ).then(() => response.writeHead(200).end(offering([fresh])))
  }
  await lookAt(start)
  expect(await configurationOf(here)).toMatchObject({ certificates: [old] })
  expect(await sourceOf(here)).toMatchObject({ url: `${origin}/other`, digest: 'other' })
})

it('a document that was fetched before an admin applied a newer one brings no stolen key back', async () => {
  const here = await watched()
  const certificates = JSON.stringify([fresh])
  answer = async (_request, response) => {
    const sql = "UPDATE connections SET configuration = jsonb_set(configuration, '{certificates}', $2) WHERE id = $1"
    await asOwner(fixture.ownerUrl, sql, [here.connection, certificates])
    const applied = { digest: 'newer', withdrawn: [], nextFetchAt: addSeconds(start, refreshSeconds), now: addSeconds(start, 1) }
    await inTenant(fixture.database, here.tenant, (db) =>
      putMetadataSource(db, here.tenant, here.connection, {
        ...{ url: `${origin}/metadata`, pinnedCertificates: [], etag: undefined },
        ...applied,
      }),
    )
    response.writeHead(200).end(offering([old]))
  }
  await lookAt(start)
  expect(await configurationOf(here)).toMatchObject({ certificates: [fresh] })
  expect(await sourceOf(here)).toMatchObject({ digest: 'newer', nextFetchAt: addSeconds(start, refreshSeconds) })
  expect(await trailOf(here)).toEqual([])
})
