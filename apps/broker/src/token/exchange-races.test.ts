/** What changes while a token is exchanged: nothing is opened by what is no longer so, at whichever moment it changed. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { publish } from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type AnExchangeCompany, anExchangeCompany } from '@drawbridge/testkit/an-exchange-company'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let acme: AnExchangeCompany
let race: ARace
/** Another process, between whose statements something happens. */
let racing: TestBroker
let call: Call
let permission: { client: string; from: string; to: string; scopes: string[] }

beforeAll(async () => {
  acme = await anExchangeCompany()
  race = aRace(acme.at.fixture.database)
  racing = await aBroker(race.database, { clock: { now: acme.now }, connectorFor: acme.at.idp.connectorFor, metrics: acme.told.metrics })
  call = anAdmin(acme.at.broker)
})
beforeEach(async () => {
  await acme.begin()
  permission = { client: 'gateway', from: acme.at.acme.resource, to: acme.files.resource, scopes: ['read', 'write'] }
  racing.deps.configuration.invalidate()
})
afterAll(async () => {
  await racing.close()
  await acme.at.close()
})

const aWord = () => ({
  ...{ client: 'gateway', audience: 'https://as.example', resource: 'https://there.example/mcp' },
  scopes: [{ name: 'read', tier: 'read' }],
})
const asRacing = (token: string) => acme.exchange(acme.gateway, token, {}, {}, racing.url)
const opened = () =>
  acme.owner(
    `SELECT id FROM grants WHERE tenant_id = $1 AND ancestors <> '{}' AND created_at >= $2 AND revoked_at IS NULL`,
    new Date(acme.now()),
  )
/** Just before the statement that would open the grant. */
const beforeTheSecond = (act: () => Promise<unknown>): void => {
  let count = 0
  race.before('exchange_token', async () => ((count += 1) === 2 ? act() : undefined), 2)
}

describe('between the two statements', () => {
  it.each([
    {
      what: 'her grant is revoked',
      sql: 'UPDATE grants SET revoked_at = created_at, epoch = epoch + 1 WHERE tenant_id = $1',
      reason: 'subject_token_dead',
    },
    { what: 'she is out', sql: 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1', reason: 'subject_token_dead' },
    {
      what: 'the client of hers is ended',
      sql: `UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1 AND client_id = 'client-of-acme'`,
      reason: 'subject_token_dead',
    },
    { what: 'the tenant is suspended', sql: 'UPDATE tenants SET suspended_at = created_at WHERE id = $1', reason: 'subject_token_dead' },
  ])('$what', async ({ sql, reason }) => {
    const { access_token: token } = await acme.signIn()
    acme.told.take()
    beforeTheSecond(() => acme.owner(sql))
    expect((await asRacing(token)).status).toBe(400)
    expect(acme.told.take()).toEqual([reason])
    expect(await opened()).toEqual([])
    await acme.owner('UPDATE tenants SET suspended_at = NULL WHERE id = $1')
    acme.at.broker.deps.configuration.invalidate()
  })

  it('the permission is taken away', async () => {
    const { access_token: token } = await acme.signIn()
    acme.told.take()
    beforeTheSecond(() => call('PUT', '/tenants/acme/token-exchange', { permissions: [] }))
    expect((await asRacing(token)).status).toBe(400)
    expect(acme.told.take()).toEqual(['exchange_not_allowed'])
    expect(await opened()).toEqual([])
  })

  it('her claims change: policy is asked again', async () => {
    const { access_token: token } = await acme.signIn()
    beforeTheSecond(() =>
      acme.owner(
        `UPDATE subjects SET claims_version = claims_version + 1, claims = jsonb_set(claims, '{groups}', '{"state": "known", "names": [], "ids": []}') WHERE tenant_id = $1`,
      ),
    )
    expect((await asRacing(token)).status).toBe(400)
    expect(acme.told.take().at(-1)).toBe('exchange_policy_denies')
  })

  it('a scope of hers goes: no more than what is left is granted', async () => {
    const { access_token: token } = await acme.signIn()
    beforeTheSecond(() => acme.owner(`UPDATE grants SET scopes = '{read}' WHERE tenant_id = $1 AND id = $2`, decodeJwt(token)['gid']))
    expect((await asRacing(token)).body.scope).toBe('read')
  })

  it('everything changes in every round: the client may try again', async () => {
    const { access_token: token } = await acme.signIn()
    acme.told.take()
    race.before('exchange_token', () => acme.owner('UPDATE subjects SET claims_version = claims_version + 1 WHERE tenant_id = $1'), 20)
    expect((await asRacing(token)).status).toBe(503)
    expect(acme.told.take()).toEqual(['decision_unsettled'])
    race.before('none', async () => undefined, 0)
  })
})

it('a policy that takes effect at once is asked before anything is believed, of hers and of what was exchanged', async () => {
  const { access_token: token } = await acme.signIn()
  const { body } = await acme.exchange(acme.gateway, token)
  expect(await acme.introspect(acme.files, body.access_token)).toMatchObject({ active: true, scope: 'read write' })
  await publish(
    acme.at.fixture,
    acme.at.acme,
    acme.now(),
    'version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n',
  )
  await acme.owner('UPDATE tenants SET policy_barrier = policy_version WHERE id = $1')
  acme.at.broker.deps.configuration.invalidate()
  expect(await acme.introspect(acme.files, body.access_token)).toEqual({ active: false })
  // Hers is settled by whoever meets it first: it has lost a scope, so her old token is dead, and with it what it was exchanged for.
  expect((await acme.exchange(acme.gateway, token)).body.error).toBe('invalid_request')
  expect(await acme.introspect(acme.files, body.access_token)).toEqual({ active: false })
  await publish(
    acme.at.fixture,
    acme.at.acme,
    acme.now(),
    'version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n',
  )
})

describe('a permission that is taken away', () => {
  const put = async (...permissions: object[]) => {
    const { status, body } = await call('PUT', '/tenants/acme/token-exchange', { permissions })
    expect([status, body.errors]).toEqual([200, undefined])
    return body.grantsEnded as number
  }
  const exchangedNow = async () => (await acme.exchange(acme.gateway, (await acme.signIn()).access_token)).body.access_token
  const onward = () => ({ client: 'files', from: acme.files.resource, to: acme.archive.resource, scopes: ['read'] })

  it('ends what was issued by it, at once, and nothing else', async () => {
    expect(await put(permission, onward())).toBe(0)
    const token = await exchangedNow()
    const further = (await acme.exchange(acme.files, token, { resource: acme.archive.resource })).body.access_token
    expect(await put(permission)).toBe(1)
    expect(await acme.introspect(acme.archive, further)).toEqual({ active: false })
    expect(await acme.introspect(acme.files, token)).toMatchObject({ active: true })
    expect(await put()).toBe(1)
    expect(await acme.introspect(acme.files, token)).toEqual({ active: false })
    expect(
      await acme.owner(`SELECT reason FROM audit_events WHERE tenant_id = $1 AND kind = 'grant.deprovisioned' ORDER BY id DESC LIMIT 1`),
    ).toEqual([{ reason: 'exchange_no_longer_allowed' }])
  })

  it('also where it only says less than before, and not where it says more', async () => {
    await put(permission)
    const token = await exchangedNow()
    expect(await put({ ...permission, scopes: ['read', 'write', 'admin'] })).toBe(0)
    expect(await acme.introspect(acme.files, token)).toMatchObject({ active: true })
    expect(await put({ ...permission, scopes: ['read'] })).toBe(1)
    const [again] = [await exchangedNow()]
    expect(await put({ ...permission, scopes: ['read'], ofClients: ['client-of-acme'] })).toBe(1)
    expect(await acme.introspect(acme.files, again)).toEqual({ active: false })
  })

  it('is read as it was written, and names resources that are there', async () => {
    await put({ ...permission, ofClients: ['hers'] })
    const { body } = await call('GET', '/tenants/acme/token-exchange')
    expect(body).toEqual({ permissions: [{ ...permission, ofClients: ['hers'] }], revision: expect.any(String) })
    const unknown = await call('PUT', '/tenants/acme/token-exchange', {
      permissions: [{ ...permission, to: 'https://nobody.example/mcp' }],
    })
    expect([unknown.status, unknown.body.type]).toEqual([409, 'urn:drawbridge:error:reference_unknown'])
    const twice = await call('PUT', '/tenants/acme/token-exchange', { permissions: [permission, permission] })
    expect(twice.status).toBe(400)
    const [line] = await acme.owner(
      `SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'tenant.token_exchange_changed' ORDER BY id DESC LIMIT 1`,
    )
    expect(line).toMatchObject({ detail: { permissions: [{ client: 'gateway' }], grantsEnded: expect.any(Number) } })
  })

  it.each(['token-exchange', 'id-jag-issuing'])(
    'does not come back by somebody who read it before it was taken away: %s',
    async (which) => {
      const path = `/tenants/acme/${which}`
      const { body: read } = await call('GET', path)
      const taken = await call('PUT', path, { permissions: [], ifRevision: read.revision })
      expect([taken.status, taken.body.permissions]).toEqual([200, []])
      const changed = which === 'token-exchange' ? [permission] : [aWord()]
      const first = await call('PUT', path, { permissions: changed, ifRevision: taken.body.revision })
      expect(first.status).toBe(200)
      const late = await call('PUT', path, { permissions: [], ifRevision: taken.body.revision })
      expect([late.status, late.body.type]).toEqual([409, 'urn:drawbridge:error:permissions_moved'])
      expect((await call('GET', path)).body).toMatchObject({ permissions: changed, revision: first.body.revision })
    },
  )

  it('waits for what is being opened by it, and then ends that, too', async () => {
    const { access_token: token } = await acme.signIn()
    for (let round = 0; round < 5; round += 1) {
      await put(permission)
      acme.at.broker.deps.configuration.invalidate()
      const [{ body, status }] = await Promise.all([acme.exchange(acme.gateway, token), put()])
      if (status === 200) expect(await acme.introspect(acme.files, body.access_token)).toEqual({ active: false })
    }
    expect(await opened()).toEqual([])
  })

  it('shows in the list of grants from which grant each was exchanged, and whether it lives', async () => {
    await put(permission)
    const { access_token: hers } = await acme.signIn()
    const { gid } = decodeJwt((await acme.exchange(acme.gateway, hers)).body.access_token)
    const listed = async () =>
      (
        (await call('GET', '/tenants/acme/grants?client=gateway')).body.grants as { id: string; exchangedFrom: string; living: boolean }[]
      ).find(({ id }) => id === gid)
    expect(await listed()).toMatchObject({ exchangedFrom: decodeJwt(hers)['gid'], living: true })
    await acme.owner('UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND id = $2', decodeJwt(hers)['gid'])
    expect(await listed()).toMatchObject({ living: false })
  })
})
