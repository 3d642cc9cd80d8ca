/** Whose assertions are accepted is an admin's word, and no issuer of this installation is ever among them. */

import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { anAssertionKey, fetchedFrom } from '@drawbridge/testkit/an-assertion-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'

const idp = 'https://idp.example'
const key = anAssertionKey()
const path = '/tenants/acme/assertion-trusts'
const published = new Map<string, unknown>([[`${idp}/keys`, { keys: [key.jwk] }]])
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant
let broker: TestBroker
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { fetchSafely: fetchedFrom(published) })
  await aTokenKey(fixture, broker, globex)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})

const trust = (configuration: Record<string, unknown>, name = 'IdP') => ({ name, configuration })
const reasonOf = async (body: unknown) => String((await call('POST', path, body)).body?.type).replace('urn:drawbridge:error:', '')
const ourKey = async () => {
  const [row] = await asOwner<{ public_jwk: Record<string, unknown> }>(fixture.ownerUrl, 'SELECT public_jwk FROM signing_keys LIMIT 1', [])
  return row?.public_jwk
}

describe('a trust', () => {
  it('is made, read, changed, killed, enabled and listed, and says what the issuer has to write', async () => {
    const made = await call('POST', path, trust({ issuer: idp, jwksUri: `${idp}/keys` }))
    expect(made).toMatchObject({ status: 201, body: { addresses: { audience: 'http://localhost:4400/t/acme' }, disabledAt: null } })
    const one = `${path}/${made.body.id}`
    expect((await call('GET', one)).body).toEqual(made.body)
    const changed = trust({ issuer: idp, jwksUri: `${idp}/keys`, publicClients: true }, 'Okta')
    expect(await call('PUT', one, { ...changed, ifRevision: 'another' })).toMatchObject({ status: 409 })
    expect(await call('PUT', one, { ...changed, ifRevision: made.body.revision })).toMatchObject({ status: 200, body: { name: 'Okta' } })
    expect(await call('POST', `${one}/kill`, { reason: 'a test' })).toMatchObject({ status: 200 })
    expect((await call('GET', path)).body.assertionTrusts).toMatchObject([{ name: 'Okta', disabledAt: expect.any(String) }])
    expect((await call('POST', `${one}/enable`)).status).toBe(204)
    expect((await call('GET', '/tenants/acme/connections')).body.connections).toMatchObject([{ id: acme.connectionId }])
    expect((await call('GET', `/tenants/acme/connections/${made.body.id}`)).status).toBe(404)
    expect((await call('DELETE', `/tenants/acme/connections/${made.body.id}`)).status).toBe(404)
    expect((await call('DELETE', one)).status).toBe(204)
    const trail = await asOwner(
      fixture.ownerUrl,
      `SELECT kind, detail -> 'accepts' AS accepts FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'assertion_trust%' ORDER BY at, id`,
      [acme.tenantId],
    )
    expect(trail).toEqual([
      { kind: 'assertion_trust.created', accepts: [] },
      { kind: 'assertion_trust.updated', accepts: ['publicClients'] },
      { kind: 'assertion_trust.enabled', accepts: null },
      { kind: 'assertion_trust.removed', accepts: null },
    ])
  })

  it('of another issuer from now on ends what the old one opened', async () => {
    const { body } = await call('POST', path, trust({ issuer: idp, jwksUri: `${idp}/keys` }))
    const epoch = async () => (await asOwner(fixture.ownerUrl, 'SELECT epoch, barrier_at FROM connections WHERE id = $1', [body.id]))[0]
    await call('PUT', `${path}/${body.id}`, trust({ issuer: idp, jwks: { keys: [key.jwk] } }))
    expect(await epoch()).toEqual({ epoch: 1, barrier_at: null })
    await call('PUT', `${path}/${body.id}`, trust({ issuer: 'https://new.example', jwks: { keys: [key.jwk] } }))
    expect(await epoch()).toEqual({ epoch: 2, barrier_at: null })
    await call('DELETE', `${path}/${body.id}`)
  })

  it('keeps the connection whose people it speaks of', async () => {
    const connection = await call('POST', '/tenants/acme/connections', {
      kind: 'oidc',
      name: 'Login',
      configuration: { issuer: idp, clientId: 'x' },
    })
    const peopleOf = { connection: connection.body.id, key: 'sub' }
    const made = await call('POST', path, trust({ issuer: idp, jwksUri: `${idp}/keys`, peopleOf }))
    const at = `/tenants/acme/connections/${connection.body.id}`
    expect((await call('DELETE', at)).body.type).toBe('urn:drawbridge:error:still_in_use')
    await call('DELETE', `${path}/${made.body.id}`)
    expect((await call('DELETE', at)).status).toBe(204)
  })

  it('is one for each issuer and company', async () => {
    const made = [await call('POST', path, trust({ issuer: idp, jwksUri: `${idp}/keys`, tenant: 'a' }))]
    expect(await reasonOf(trust({ issuer: idp, jwksUri: `${idp}/keys`, tenant: 'a' }))).toBe('trust_taken')
    made.push(await call('POST', path, trust({ issuer: idp, jwksUri: `${idp}/keys`, tenant: 'b' })))
    expect(made.map(({ status }) => status)).toEqual([201, 201])
    for (const { body } of made) await call('DELETE', `${path}/${body.id}`)
  })
})

describe('no trust is made', () => {
  test.each([
    { what: 'in what cannot be read', configuration: () => ({ issuer: idp }), reason: 'connection_invalid' },
    {
      what: 'in an issuer at our own address',
      configuration: () => ({ issuer: 'http://localhost:4400/t/globex', jwks: { keys: [key.jwk] } }),
      reason: 'trust_loops',
    },
    {
      what: 'in an issuer at our own address, whatever the path',
      configuration: () => ({ issuer: 'http://localhost:4400/elsewhere', jwks: { keys: [key.jwk] } }),
      reason: 'trust_loops',
    },
    {
      what: 'in keys at our own address',
      configuration: () => ({ issuer: idp, jwksUri: 'http://localhost:4400/t/globex/jwks' }),
      reason: 'trust_loops',
    },
    {
      what: 'in keys that nobody can read',
      configuration: () => ({ issuer: idp, jwksUri: `${idp}/nowhere` }),
      reason: 'trust_keys_unreadable',
    },
    {
      what: 'in people of a connection that there is not',
      configuration: () => ({ issuer: idp, jwksUri: `${idp}/keys`, peopleOf: { connection: globex.connectionId, key: 'sub' } }),
      reason: 'reference_unknown',
    },
  ])('$what', async ({ configuration, reason }) => {
    expect(await reasonOf(trust(configuration()))).toBe(reason)
  })

  it('in a key of another tenant of this installation, given or published', async () => {
    expect(await reasonOf(trust({ issuer: idp, jwks: { keys: [await ourKey()] } }))).toBe('trust_loops')
    published.set('https://mirror.example/keys', { keys: [key.jwk, await ourKey()] })
    expect(await reasonOf(trust({ issuer: idp, jwksUri: 'https://mirror.example/keys' }))).toBe('trust_loops')
  })

  it('in an issuer that is called as one of ours, at whichever address it was', async () => {
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, gen_random_uuid(), 'https://old.example/t/globex', 'tenant', now())`,
      [globex.tenantId],
    )
    for (const issuer of ['https://old.example/t/globex', 'https://OLD.example/t/globex/'])
      expect(await reasonOf(trust({ issuer, jwks: { keys: [key.jwk] } }))).toBe('trust_loops')
  })
})
