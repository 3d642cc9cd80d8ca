/** A connection that is turned to another IdP keeps nothing that the old one said; any other change of it ends nothing. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { digestOfDocument } from '@drawbridge/upstream/saml/metadata-document'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const stateOf = async (id: string) => {
  const read = `SELECT epoch, disabled_at IS NULL AS enabled, barrier_at IS NULL AS ageless,
      (SELECT count(*)::int FROM outbox WHERE tenant_id = $1 AND payload->>'targetId' = $2::text) AS told
    FROM connections WHERE tenant_id = $1 AND id = $2::uuid`
  return (await asOwner(fixture.ownerUrl, read, [acme.tenantId, id]))[0]
}
/** Sessions, grants and trips to the IdP carry the epoch; how old a sign-in at the new IdP may be is not asked. */
const ended = { epoch: 2, enabled: true, ageless: true, told: 1 }
const untouched = { epoch: 1, enabled: true, ageless: true, told: 0 }

const oidc = { issuer: 'https://idp.example', clientId: 'x' }

it.each([
  { change: 'its client id', to: { ...oidc, clientId: 'y' }, ends: false },
  { change: 'what is asked of it', to: { ...oidc, prompt: 'login' }, ends: false },
  { change: 'its issuer', to: { ...oidc, issuer: 'https://other.example' }, ends: true },
  { change: 'where its document is', to: { ...oidc, discoveryUrl: 'https://elsewhere.example/openid' }, ends: true },
  {
    change: 'nothing, its document being said where it is by default',
    to: { ...oidc, discoveryUrl: 'https://idp.example/.well-known/openid-configuration' },
    ends: false,
  },
  { change: 'whose domains of a shared issuer', to: { ...oidc, hostedDomains: ['other.example'] }, ends: true },
])('a change of $change ends what was opened through it: $ends', async ({ to, ends }) => {
  const made = await call('POST', '/tenants/acme/connections', { kind: 'oidc', name: 'IdP', configuration: oidc })
  const changed = await call('PUT', `/tenants/acme/connections/${made.body.id}`, { kind: 'oidc', name: 'IdP', configuration: to })
  expect(changed.status).toBe(200)
  expect(await stateOf(made.body.id)).toEqual(ends ? ended : untouched)
})

it('metadata of another entity ends it; new keys of the same one do not', async () => {
  const describe = () => plainMetadata({ certificates: [aKey().certificate] })
  const made = await call('POST', '/tenants/acme/connections', { kind: 'saml', name: 'IdP', metadataXml: describe() })
  const apply = async (metadataXml: string) => {
    const body = { metadataXml, digest: digestOfDocument(metadataXml) }
    expect((await call('POST', `/tenants/acme/connections/${made.body.id}/metadata/apply`, body)).status).toBe(200)
  }
  await apply(describe())
  expect(await stateOf(made.body.id)).toEqual(untouched)
  await apply(describe().replace(/entityID="[^"]*"/, 'entityID="https://other.example/saml"'))
  expect(await stateOf(made.body.id)).toEqual(ended)
})

describe('the time of an end before the change, which says how old a sign-in may be,', () => {
  /** By the clock of a replica that is ahead of this broker's. */
  const endedAt: Instant = addSeconds(instant(Date.now()), 3600)
  const kill = (db: Db, targetId: string) =>
    deprovision(db, {
      ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source: 'admin', target: 'connection', targetId },
      ...{ reason: 'a kill', toldAt: undefined, now: endedAt, requestId: undefined },
    })
  const killed = (id: string) => inTenant(fixture.database, acme.tenantId, (db) => kill(db, id))
  const turn = (id: string) => {
    const configuration = { ...oidc, issuer: 'https://other.example' }
    return call('PUT', `/tenants/acme/connections/${id}`, { kind: 'oidc', name: 'IdP', configuration })
  }
  const aConnection = async (): Promise<string> =>
    (await call('POST', '/tenants/acme/connections', { kind: 'oidc', name: 'IdP', configuration: oidc })).body.id
  const timesOf = async (id: string) => {
    const rows = await asOwner<{ at: Date; reason: string | null }>(
      fixture.ownerUrl,
      `SELECT barrier_at AS at, NULL AS reason FROM connections WHERE tenant_id = $1 AND id = $2::uuid
       UNION ALL SELECT barrier_at, reason FROM deprovisioning_events WHERE tenant_id = $1 AND target_id = $2::text`,
      [acme.tenantId, id],
    )
    return rows.map(({ at, reason }) => [reason, at?.getTime()])
  }
  const kept = (...reasons: readonly string[]) => expect.arrayContaining([null, ...reasons].map((reason) => [reason, endedAt]))

  it('stays, and what is told of the change is dated no earlier; an end after it neither', async () => {
    const id = await aConnection()
    await killed(id)
    expect((await turn(id)).status).toBe(200)
    expect(await timesOf(id)).toEqual(kept('a kill', 'another_idp'))
    await killed(id)
    expect(await timesOf(id)).toEqual(kept('a kill', 'another_idp'))
  })

  it('stays also where that end is being written when the change comes', async () => {
    const id = await aConnection()
    const waiting = () =>
      asOwner(
        fixture.ownerUrl,
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'",
        [],
      )
    let turned: ReturnType<typeof turn> | undefined
    await inTenant(fixture.database, acme.tenantId, async (db) => {
      await kill(db, id)
      turned = turn(id)
      await expect.poll(waiting, { interval: 5 }).toHaveLength(1)
    })
    expect((await turned)?.status).toBe(200)
    expect(await timesOf(id)).toEqual(kept('a kill', 'another_idp'))
  })
})
