/** SCIM as directories speak it, over HTTP to the real broker on a real PostgreSQL. */
import { randomUUID } from 'node:crypto'
import { markScimTokenRevoked } from '@drawbridge/store/scim-tokens'
import { inTenant } from '@drawbridge/store/transaction'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
let fixture: TestDatabase
let origin: string

beforeAll(async () => {
  broker = await aScimBroker()
  ;({ fixture, origin } = broker)
})
afterAll(() => broker.close())
const aDirectory = (): Promise<Directory> => broker.aDirectory()

const ada = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
  userName: 'Ada@acme.example',
  externalId: 'ada',
  name: { givenName: 'Ada' },
  password: 'secret',
  groups: [],
}
const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })
const subjectOf = async ({ tenant }: Directory) =>
  (
    await asOwner<{ epoch: number; deactivated_at: unknown }>(
      fixture.ownerUrl,
      'SELECT epoch, deactivated_at FROM subjects WHERE tenant_id = $1 AND stable_id = $2',
      [tenant.tenantId, 'ada'],
    )
  )[0]

describe('create, read, find', () => {
  test('201 with Location; the password is never kept nor shown; a repeat is 409', async () => {
    const directory = await aDirectory()
    const created = await directory.call('POST', '/Users', ada)
    expect(created).toMatchObject({
      status: 201,
      body: { userName: 'Ada@acme.example', active: true, name: { givenName: 'Ada' }, meta: { resourceType: 'User' } },
    })
    expect(created.headers.get('content-type')).toBe('application/scim+json; charset=utf-8')
    expect(created.headers.get('location')).toBe((created.body['meta'] as { location: string }).location)
    expect(JSON.stringify(created.body)).not.toContain('secret')
    expect(await directory.call('POST', '/Users', { ...ada, userName: 'ADA@ACME.example', externalId: 'other' })).toMatchObject({
      status: 409,
      body: { status: '409', scimType: 'uniqueness' },
    })
    expect(await directory.call('GET', `/Users/${created.body['id']}`)).toMatchObject({ status: 200, body: { id: created.body['id'] } })
  })

  test.each([
    ['userName eq "ada@ACME.example"', 1],
    ['externalId eq "ada"', 1],
    ['externalId eq "ADA"', 0],
    ['userName eq "nobody"', 0],
    ['userName eq "ada@acme.example" and externalId eq "ada"', 1],
  ])('the filter %s finds %i', async (filter, total) => {
    const directory = await aDirectory()
    await directory.call('POST', '/Users', ada)
    expect(await directory.call('GET', `/Users?filter=${encodeURIComponent(filter)}&startIndex=1&count=100`)).toMatchObject({
      status: 200,
      body: { totalResults: total },
    })
  })

  test('count=0 gives the total only', async () => {
    const directory = await aDirectory()
    await directory.call('POST', '/Users', ada)
    expect(await directory.call('GET', '/Users?count=0')).toMatchObject({ status: 200, body: { totalResults: 1, Resources: [] } })
  })
})

describe('taking away', () => {
  test.each([
    ['Okta, path-less', 'PATCH', patchOf({ op: 'replace', value: { active: false } })],
    ['Entra, default dialect', 'PATCH', patchOf({ op: 'Replace', path: 'active', value: 'False' })],
    ['Entra, with the flag', 'PATCH', patchOf({ op: 'replace', value: { active: false, 'name.givenName': 'A' } })],
    ['Okta, whole resource', 'PUT', { ...ada, active: false }],
    ['leavers', 'DELETE', undefined],
  ])('%s', async (_, method, body) => {
    const directory = await aDirectory()
    const id = String((await directory.call('POST', '/Users', ada)).body['id'])
    expect((await directory.call(method, `/Users/${id}`, body)).status).toBe(method === 'DELETE' ? 204 : 200)
    expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivated_at: expect.anything() })
    if (method === 'DELETE') expect((await directory.call('GET', `/Users/${id}`)).status).toBe(404)
    else expect(await directory.call('GET', '/Users?filter=externalId%20eq%20%22ada%22')).toMatchObject({ body: { totalResults: 1 } })
  })

  test('an unredeemed code dies by epoch alone, without any sweep, and stays dead after reinstatement', async () => {
    const directory = await aDirectory()
    const { tenant } = directory
    const id = String((await directory.call('POST', '/Users', ada)).body['id'])
    const grant = await aGrant(fixture, tenant, { now: broker.clock.at })
    expect(grant.opened).toBe(true)
    const redeem = () =>
      fetch(`${origin}/t/${tenant.slug}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: grant.code,
          redirect_uri: aRedirectUri,
          code_verifier: aVerifier,
          client_id: tenant.clientId,
        }),
      })
    await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }))
    const first = await redeem()
    expect([first.status, ((await first.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
    await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } }))
    const later = await redeem()
    expect([later.status, ((await later.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
    const [row] = await asOwner<{ revoked_at: unknown }>(fixture.ownerUrl, 'SELECT revoked_at FROM grants WHERE id = $1', [grant.grantId])
    expect(row).toEqual({ revoked_at: null })
  })

  test('PUT without active does not revive', async () => {
    const directory = await aDirectory()
    const id = String((await directory.call('POST', '/Users', ada)).body['id'])
    await directory.call('PUT', `/Users/${id}`, { ...ada, active: false })
    expect(await directory.call('PUT', `/Users/${id}`, ada)).toMatchObject({ status: 200, body: { active: false } })
    expect(await subjectOf(directory)).toMatchObject({ deactivated_at: expect.anything() })
    expect(await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } }))).toMatchObject({
      status: 200,
      body: { active: true },
    })
    expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivated_at: null })
  })

  test('one refused operation discards them all', async () => {
    const directory = await aDirectory()
    const id = String((await directory.call('POST', '/Users', ada)).body['id'])
    const answer = await directory.call(
      'PATCH',
      `/Users/${id}`,
      patchOf({ op: 'replace', path: 'active', value: false }, { op: 'remove', path: 'userName' }),
    )
    expect(answer).toMatchObject({ status: 400, body: { scimType: 'mutability' } })
    // But what she holds ends (`refused-changes.test.ts`).
    expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivated_at: null })
  })
})

test('by the link key of the connection, a person who signed in before the directory told of her is found when it takes her away', async () => {
  const { tenant, call } = await aDirectory()
  const configuration = {
    issuer: 'https://idp.example',
    clientId: 'drawbridge',
    scimLinkKey: { attribute: 'upn', scim: 'userName' },
  }
  const claims = { claims: [['preferred_username', 'ada@acme.example']] }
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE tenant_id = $1', [tenant.tenantId, configuration])
  await asOwner(fixture.ownerUrl, "UPDATE subjects SET stable_id = 'opaque-7', claims = $2 WHERE tenant_id = $1", [tenant.tenantId, claims])
  const made = await call('POST', '/Users', { ...ada, externalId: 'hr-1' })
  const deactivation = {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'replace', value: { active: false } }],
  }
  expect((await call('PATCH', `/Users/${made.body['id']}`, deactivation)).status).toBe(200)
  const [subject] = await asOwner<{ epoch: number; deactivated_at: Date | null }>(
    fixture.ownerUrl,
    'SELECT epoch, deactivated_at FROM subjects WHERE tenant_id = $1',
    [tenant.tenantId],
  )
  expect(subject).toMatchObject({ epoch: 2, deactivated_at: expect.anything() })
})

describe('refusals', () => {
  test.each([
    ['GET', '/Users/nobody', undefined, 404, undefined],
    ['PATCH', `/Users/${randomUUID()}`, patchOf({ op: 'replace', value: { active: false } }), 404, undefined],
    ['POST', '/Users', '{', 400, 'invalidSyntax'],
    ['POST', '/Users', {}, 400, 'invalidValue'],
    ['GET', '/Users?filter=title%20like%20%22x%22', undefined, 400, 'invalidFilter'],
    // Text that PostgreSQL cannot keep: NUL and half a character, escaped where JSON is read and plain where it is not.
    ['GET', '/Users?filter=userName%20eq%20%22x%5Cu0000%22', undefined, 400, 'invalidFilter'],
    ['GET', '/Users?filter=userName%20eq%20%22%5Cud83d%22', undefined, 400, 'invalidFilter'],
    ['GET', '/Users?filter=userName%20eq%20%22x%00%22', undefined, 400, 'invalidFilter'],
    ['GET', '/Users/a%00', undefined, 400, undefined],
    ['POST', '/Users', { userName: 'x\0' }, 400, 'invalidSyntax'],
    ['PUT', `/Users/${randomUUID()}`, { userName: 'x', name: { givenName: '\ud83d' } }, 400, 'invalidSyntax'],
    ['PATCH', `/Users/${randomUUID()}`, patchOf({ op: 'replace', path: 'title', value: 'x\0' }), 400, 'invalidSyntax'],
    ['GET', '/Schemas?filter=id%20eq%20%22x%22', undefined, 403, undefined],
  ])('%s %s is %#', async (method, path, body, status, scimType) => {
    const answer = await (await aDirectory()).call(method, path, body)
    expect(answer).toMatchObject({ status, body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: String(status) } })
    expect(answer.body['scimType']).toBe(scimType)
    expect(answer.headers.get('content-type')).toBe('application/scim+json; charset=utf-8')
  })

  test.each([
    ['a body that is too large', 'POST', 'Users', '', 413],
    ['a tenant that is not there', 'GET', 'Users', 'nobody-knows', 404],
    ['a path that is not there', 'GET', 'Devices', '', 404],
    ['a method that is not there', 'DELETE', 'Schemas', '', 405],
  ])('%s is refused in the words of SCIM by the layer below', async (_what, method, path, otherTenant, status) => {
    const { tenant, token } = await aDirectory()
    const response = await fetch(`${origin}/t/${otherTenant || tenant.slug}/scim/v2/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json', accept: 'text/html' },
      ...(method === 'POST' ? { body: JSON.stringify({ userName: 'x'.repeat(300_000) }) } : {}),
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/scim+json; charset=utf-8'])
    expect(await response.json()).toMatchObject({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: String(status),
      detail: expect.any(String),
    })
  })

  test('no token, a wrong one, another tenant’s and a revoked one are 401', async () => {
    const [one, other] = [await aDirectory(), await aDirectory()]
    expect((await one.call('GET', '/Users', undefined, { authorization: '' })).status).toBe(401)
    expect((await one.call('GET', '/Users', undefined, { authorization: `Bearer dbs_${'a'.repeat(43)}` })).status).toBe(401)
    expect((await one.call('GET', '/Users', undefined, { authorization: `Bearer ${other.token}` })).status).toBe(401)
    await inTenant(fixture.database, one.tenant.tenantId, (db) =>
      markScimTokenRevoked(db, one.tenant.tenantId, one.tokenId, broker.clock.at),
    )
    const revoked = await one.call('GET', '/Users')
    expect(revoked).toMatchObject({ status: 401, body: { status: '401' } })
    expect(revoked.headers.get('www-authenticate')).toContain('Bearer')
  })
})

test('discovery tells the truth', async () => {
  const directory = await aDirectory()
  expect(await directory.call('GET', '/ServiceProviderConfig')).toMatchObject({
    status: 200,
    body: {
      patch: { supported: true },
      bulk: { supported: true, maxOperations: 1000, maxPayloadSize: 1_048_576 },
      filter: { supported: true, maxResults: 200 },
      sort: { supported: true },
      etag: { supported: true },
      changePassword: { supported: false },
      pagination: {
        cursor: true,
        index: true,
        defaultPaginationMethod: 'index',
        defaultPageSize: 100,
        maxPageSize: 200,
        cursorTimeout: 3600,
      },
    },
  })
  expect(await directory.call('GET', '/ResourceTypes/User')).toMatchObject({ status: 200, body: { endpoint: '/Users' } })
  expect(await directory.call('GET', '/Schemas')).toMatchObject({ status: 200 })
  expect((await directory.call('GET', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User')).status).toBe(200)
})
