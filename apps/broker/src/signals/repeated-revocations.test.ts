/** A Global Token Revocation that its IdP sends again, because the answer did not reach it. */
import { randomUUID } from 'node:crypto'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const idp = 'https://idp.example'
let key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
let fixture: TestDatabase
let acme: ASignallingCompany

beforeAll(async () => {
  fixture = await testDatabase()
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  key = privateKey
  const endpoints = { authorization_endpoint: `${idp}/auth`, token_endpoint: `${idp}/token`, jwks_uri: `${idp}/keys` }
  acme = await aSignallingCompany(fixture, {
    [`${idp}/.well-known/openid-configuration`]: { issuer: idp, ...endpoints },
    [`${idp}/keys`]: { keys: [{ ...(await exportJWK(publicKey)), kid: 'its', use: 'sig', alg: 'RS256' }] },
  })
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})
beforeEach(() => acme.begin())

/** What its IdP sends once, and again. */
async function aRequest(): Promise<(body: unknown) => Promise<Response>> {
  const { slug, connectionId } = acme.tenant()
  const path = `global-token-revocation/${connectionId}`
  const now = acme.seconds()
  const said = { iss: idp, sub: '0oa1', aud: `${acme.issuer()}/${path}`, jti: randomUUID(), iat: now, exp: now + 300 }
  const jwt = await new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid: 'its', typ: 'global-token-revocation+jwt' }).sign(key)
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${jwt}` }
  return (body) => fetch(`${acme.broker.url}/t/${slug}/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
}
const opaque = (id: string) => ({ sub_id: { format: 'opaque', id } })
const ada = { sub_id: { format: 'iss_sub', iss: idp, sub: 'ada' } }

describe('a Global Token Revocation', () => {
  it('that is sent again, because the answer was lost, hears that it is done, and takes nothing a second time: she who came back stays', async () => {
    const tokens = await acme.signIn()
    const send = await aRequest()
    expect((await send(ada)).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
    acme.wait(60)
    acme.idp.says = { ...acme.idp.says, signedInAt: acme.now() }
    const anew = await acme.signIn()
    const again = await send(opaque('ada'))
    expect([again.status, again.headers.get('cache-control'), await again.text()]).toEqual([204, 'no-store', ''])
    expect(await acme.isActive(anew)).toBe(true)
    expect(await acme.events()).toHaveLength(1)
  })

  it('of somebody whom nobody knows, sent again, is no success either, and no second alarm', async () => {
    const eve = opaque('eve')
    const send = await aRequest()
    expect([(await send(eve)).status, (await send(eve)).status]).toEqual([404, 404])
    expect(await acme.events()).toHaveLength(1)
  })

  it.each([
    { whom: 'somebody else', body: opaque('bob') },
    { whom: 'an address that reads like her id', body: { sub_id: { format: 'email', email: 'ada@ada.example' } } },
  ])('was for one person: with $whom in the body it is refused, whatever it did before', async ({ body }) => {
    acme.idp.says = { ...acme.idp.says, sub: 'ada@ada.example' }
    await acme.signIn()
    const send = await aRequest()
    expect((await send(opaque('ada@ada.example'))).status).toBe(204)
    const other = await send(body)
    expect([other.status, acme.told.take()]).toEqual([401, ['revocation_token_replayed']])
    expect(await acme.events()).toHaveLength(1)
  })

  it('that came twice at the same moment is done once, and both hear of it', async () => {
    await acme.signIn()
    const send = await aRequest()
    const answers = await Promise.all([1, 2, 3].map(() => send(ada)))
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204])
    expect(await acme.events()).toHaveLength(1)
  })
})
