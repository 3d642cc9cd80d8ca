import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClientCache, createClientCache } from './client-cache.js'

let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
})
afterAll(() => fixture.close())

const nameOf = (tenant: ATenant, id: string = tenant.clientId) => ({ ...tenant, id: id as ClientId })
const read = async (cache: ClientCache, tenant = acme) => (await cache.read(nameOf(tenant))) as Client

test('what was read is remembered under its tenant, and what nobody knows is not', async () => {
  const cache = createClientCache(fixture.database)
  expect(cache.recall(nameOf(acme))).toBeUndefined()
  const client = await read(cache)
  expect(cache.recall(nameOf(acme))).toBe(client)
  expect(await cache.read(nameOf(globex, acme.clientId))).toBeUndefined()
  expect(cache.recall(nameOf(globex, acme.clientId))).toBeUndefined()
})

test('what a slow read brings late does not replace what is known', async () => {
  const cache = createClientCache(fixture.database)
  const before = await read(cache)
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET name = $2 WHERE client_id = $1', [acme.clientId, 'Renamed'])
  const after = await read(cache)
  expect(after.version).toBeGreaterThan(before.version)
  cache.keep(before)
  expect(cache.recall(nameOf(acme))).toMatchObject({ name: 'Renamed', version: after.version })
})

test('clients that got a token are not pushed out by those that are only read, and keep what is written of them', async () => {
  const cache = createClientCache(fixture.database, { atWork: 2, met: 2 })
  const client = await read(cache)
  cache.putToWork(client)
  for (const id of ['x', 'y', 'z']) cache.keep({ ...client, id: id as ClientId })
  const isKnown = (id: string) => cache.recall(nameOf(acme, id)) !== undefined
  expect(['x', 'y', 'z', acme.clientId].map(isKnown)).toEqual([false, true, true, true])
  cache.keep({ ...client, name: 'Later', version: client.version + 1 })
  cache.putToWork(client)
  expect(cache.recall(nameOf(acme))).toMatchObject({ name: 'Later' })
  for (const id of ['y', 'z']) cache.putToWork({ ...client, id: id as ClientId })
  expect(['y', 'z', acme.clientId].map(isKnown)).toEqual([true, true, false])
})

test('the longest unused is forgotten first', async () => {
  const cache = createClientCache(fixture.database, { atWork: 2, met: 2 })
  const client = await read(cache)
  await read(cache, globex)
  cache.recall(nameOf(acme))
  cache.keep({ ...client, id: 'third' as ClientId })
  expect([nameOf(acme), nameOf(globex), nameOf(acme, 'third')].map((name) => cache.recall(name) !== undefined)).toEqual([true, false, true])
})

test('a client that was deleted is forgotten when it is read again', async () => {
  const cache = createClientCache(fixture.database)
  await read(cache, globex)
  await asOwner(fixture.ownerUrl, 'DELETE FROM clients WHERE client_id = $1', [globex.clientId])
  expect(await cache.read(nameOf(globex))).toBeUndefined()
  expect(cache.recall(nameOf(globex))).toBeUndefined()
})
