/** An assertion of a trusted issuer becomes one access token, for whom a login would let in and for what both name; and nothing else does. */
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let acme: AnAssertionCompany

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await anAssertionCompany(fixture)
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})

describe('an assertion of a trusted issuer', () => {
  it('becomes one access token for its resource, and no refresh token', async () => {
    const trust = await acme.begin()
    const { status, body } = await acme.redeem(await acme.assertion())
    expect([status, body]).toEqual([200, expect.objectContaining({ token_type: 'Bearer', scope: 'read write' })])
    expect(body).not.toHaveProperty('refresh_token')
    const claims = decodeJwt(body.access_token ?? '')
    expect(claims).toMatchObject({ iss: acme.issuer(), aud: acme.tenant().resource, client_id: anAgent.id, amr: ['pwd', 'otp'] })
    expect(await acme.introspect(body.access_token ?? '')).toMatchObject({ active: true, sub: claims.sub })
    const [grant] = await acme.owner('SELECT subject_id, connection_id, refresh_ttl_seconds, scopes FROM grants WHERE tenant_id = $1')
    expect(grant).toEqual({ subject_id: claims.sub, connection_id: trust, refresh_ttl_seconds: null, scopes: ['read', 'write'] })
    expect(await acme.audited()).toMatchObject([{ kind: 'assertion_redeemed', reason: null, connection_id: trust, client_id: anAgent.id }])
  })
})
