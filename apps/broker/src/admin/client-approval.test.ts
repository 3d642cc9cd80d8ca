/** An approval holds for the document that the admin saw: OAuth CIMD §6. Through the resolver, the admin API and real PostgreSQL. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveClient } from '../clients/resolve-client.js'
import type { ResolvedTenant } from '../http/tenant.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const published = new Map<string, object>()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url) => {
      const document = published.get(url)
      if (document === undefined) return err({ reason: 'unreachable' })
      return ok({
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify({ client_id: url, ...document })),
      })
    },
  })
  call = anAdmin(broker)
  await call('POST', '/tenants/acme/contacts', { name: 'Peter', email: 'it@acme.example' })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const first = { client_name: 'Tools', redirect_uris: ['https://tools.example/a', 'https://tools.example/b'] }
const pathOf = (url: string) => `/tenants/acme/clients/${encodeURIComponent(url)}`
const show = async (url: string) => (await call('GET', pathOf(url))).body
const resolve = async (url: string) =>
  resolveClient(broker.deps, (await broker.deps.configuration.find('acme')) as ResolvedTenant, url, 'authorize')
/** What it says from now on, when the copy of before has lapsed. */
const publish = async (url: string, document: object) => {
  published.set(url, document)
  now = addSeconds(now, 90_000)
  return resolve(url)
}
const approve = (url: string, body: object = {}) => call('PATCH', pathOf(url), { preApproved: true, ...body })
const anApproved = async (name: string) => {
  const url = `https://${name}.example/client.json`
  await publish(url, first)
  expect((await approve(url)).body).toMatchObject({ preApproved: true, approvalLost: null })
  return url
}
const lostOf = (url: string) =>
  asOwner<{ detail: unknown }>(fixture.ownerUrl, "SELECT detail FROM audit_events WHERE kind = 'client.approval_lost' AND client_id = $1", [
    url,
  ])

it('is taken away by a document that says something else, at the fetch that brings it', async () => {
  const url = await anApproved('changed')
  const fetched = await publish(url, { ...first, client_name: 'Tools 2', redirect_uris: ['https://tools.example/evil'] })
  expect(fetched.ok && fetched.value.preApproved).toBe(false)
  expect(await show(url)).toMatchObject({
    preApproved: false,
    name: 'Tools 2',
    approvalLost: {
      changed: ['name', 'redirectUris'],
      before: { name: 'Tools', redirectUris: first.redirect_uris, backchannelLogoutUri: null },
    },
  })
  expect(await lostOf(url)).toEqual([{ detail: { changed: ['name', 'redirectUris'] } }])
  const told = await asOwner<{ acts: { kind: string; about: string }[] }>(
    fixture.ownerUrl,
    'SELECT acts FROM announcements WHERE tenant_id = $1',
    [acme.tenantId],
  )
  expect(told.flatMap(({ acts }) => acts)).toContainEqual(expect.objectContaining({ kind: 'client.approval_lost', about: url }))
})

it('does not come back by itself when the document says again what it said', async () => {
  const url = await anApproved('back')
  await publish(url, { ...first, client_name: 'Other' })
  await publish(url, first)
  expect(await show(url)).toMatchObject({ preApproved: false, approvalLost: { changed: ['name'] } })
  expect(await lostOf(url)).toHaveLength(1)
})

it('is given again by one call, for what the admin saw and nothing else', async () => {
  const url = await anApproved('again')
  await publish(url, { ...first, client_name: 'Seen' })
  const { documentDigest } = await show(url)
  await publish(url, { ...first, client_name: 'Not seen' })
  const refused = await approve(url, { documentDigest })
  expect(refused).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:client_document_changed' } })
  expect((await show(url)).preApproved).toBe(false)
  const given = await approve(url, { documentDigest: (await show(url)).documentDigest })
  expect(given).toMatchObject({ status: 200, body: { preApproved: true, approvalLost: null } })
  const still = await publish(url, { ...first, client_name: 'Not seen' })
  expect(still.ok && still.value.preApproved).toBe(true)
})

it('lives on where only formatting, order or what nobody knows has changed', async () => {
  const url = await anApproved('same')
  await publish(url, { unknown: [1], redirect_uris: first.redirect_uris.toReversed(), client_name: first.client_name })
  expect(await show(url)).toMatchObject({ preApproved: true, approvalLost: null })
  expect(await lostOf(url)).toEqual([])
})

it('ends once and is told once, though many fetch at the same moment', async () => {
  const url = await anApproved('crowd')
  published.set(url, { ...first, client_name: 'Other' })
  now = addSeconds(now, 90_000)
  await Promise.all(Array.from({ length: 6 }, () => resolve(url)))
  expect(await lostOf(url)).toHaveLength(1)
  expect((await show(url)).preApproved).toBe(false)
})

it('of before there were digests holds for what stands in the row', async () => {
  const url = await anApproved('older')
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET document_digests = NULL, approved_digests = NULL WHERE client_id = $1', [url])
  await publish(url, first)
  expect((await show(url)).preApproved).toBe(true)
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET document_digests = NULL, approved_digests = NULL WHERE client_id = $1', [url])
  await publish(url, { ...first, redirect_uris: ['https://tools.example/evil'] })
  expect(await show(url)).toMatchObject({ preApproved: false, approvalLost: { changed: ['redirectUris'] } })
})

describe('by a version that judged other members', () => {
  /** As it would have been written: without one member that we judge, with one that we do not know, and another digest of the whole. */
  const byAnother = (url: string) =>
    asOwner(
      fixture.ownerUrl,
      `UPDATE clients SET approved_digests = approved_digests - 'postLogoutRedirectUris' || '{"document": "another", "ofTheFuture": "x"}'
       WHERE client_id = $1`,
      [url],
    )
  const withMore = { ...first, post_logout_redirect_uris: ['https://tools.example/bye'] }

  it('holds as long as the document says nothing that it did not know', async () => {
    const url = await anApproved('silent')
    await byAnother(url)
    await publish(url, first)
    expect(await show(url)).toMatchObject({ preApproved: true, approvalLost: null })
    expect(await lostOf(url)).toEqual([])
  })

  it('is taken away by what the document says where it saw nothing, also if that has stood in the row', async () => {
    const url = await anApproved('more')
    await publish(url, withMore)
    await approve(url)
    await byAnother(url)
    await publish(url, withMore)
    expect(await show(url)).toMatchObject({ preApproved: false, approvalLost: { changed: ['postLogoutRedirectUris'] } })
  })

  it('is taken away by another name, as ever', async () => {
    const url = await anApproved('renamed')
    await byAnother(url)
    await publish(url, { ...first, client_name: 'Other' })
    expect(await show(url)).toMatchObject({ preApproved: false, approvalLost: { changed: ['name'] } })
  })
})

it('is taken away although a version that knew no digests had written the change', async () => {
  const url = await anApproved('between')
  await asOwner(fixture.ownerUrl, "UPDATE clients SET redirect_uris = '{https://tools.example/evil}' WHERE client_id = $1", [url])
  await publish(url, { ...first, redirect_uris: ['https://tools.example/evil'] })
  expect((await show(url)).preApproved).toBe(false)
})

it('takes a client nothing that the admin said beside it: a ceiling and a block stay', async () => {
  const url = await anApproved('ceiling')
  await call('PATCH', pathOf(url), { scopeCeiling: ['read'], blocked: true })
  await publish(url, { ...first, client_name: 'Other' })
  const shown = await show(url)
  expect(shown).toMatchObject({ preApproved: false, scopeCeiling: ['read'] })
  expect(shown.blockedAt).not.toBeNull()
})
