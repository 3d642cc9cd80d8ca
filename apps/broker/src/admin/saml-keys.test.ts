/** Keys of ours before SAML IdPs, from the admin API to what an IdP sees: made when first needed, known before they sign, gone when condemned. */
import { X509Certificate } from 'node:crypto'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { afterAll, beforeAll, expect, it } from 'vitest'

const idp = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [aFixtureKey().certificate] }
let db: TestDatabase
let broker: TestBroker
let call: Call
beforeAll(async () => {
  db = await testDatabase()
  broker = await aBroker(db.database)
  call = anAdmin(broker)
  for (const slug of ['acme', 'globex']) await call('POST', '/tenants', { slug, name: slug })
})
afterAll(async () => {
  await broker?.close()
  await db?.close()
})

type Shown = { readonly id: string; readonly purpose: string; readonly state: string; readonly certificate: string | null }
const keysOf = async (slug: string): Promise<readonly Shown[]> =>
  (await call('GET', `/tenants/${slug}/signing-keys`)).body.signingKeys.filter(({ purpose }: Shown) => purpose === 'saml')
const inState = (keys: readonly Shown[], state: string) => keys.filter((key) => key.state === state)
const certificateIn = async (slug: string, state: string): Promise<string> => bare(inState(await keysOf(slug), state)[0]?.certificate ?? '')
const bare = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '')
const connect = async (slug: string, more: Record<string, unknown>): Promise<string> => {
  const made = await call('POST', `/tenants/${slug}/connections`, { kind: 'saml', name: 'IdP', configuration: { ...idp, ...more } })
  expect(made.status).toBe(201)
  return made.body.id
}
const certificatesAt = async (slug: string, connection: string): Promise<readonly string[]> => {
  broker.deps.configuration.invalidate()
  const metadata = await (await fetch(`${broker.url}/t/${slug}/saml/${connection}/metadata`)).text()
  return [...metadata.matchAll(/<ds:X509Certificate>([^<]+)</g)].map(([, certificate]) => certificate ?? '')
}

it('a tenant has none until a connection signs or decrypts, and then one that works and one that waits', async () => {
  const plain = await connect('globex', {})
  expect(await keysOf('globex')).toEqual([])
  expect(await certificatesAt('globex', plain)).toEqual([])
  await call('PUT', `/tenants/globex/connections/${plain}`, {
    kind: 'saml',
    name: 'IdP',
    configuration: { ...idp, encryption: 'accepted' },
  })
  const keys = await keysOf('globex')
  expect([keys.length, inState(keys, 'active').length, inState(keys, 'next').length]).toEqual([2, 1, 1])
  expect(await certificatesAt('globex', plain)).toEqual([await certificateIn('globex', 'active'), await certificateIn('globex', 'next')])
  await connect('globex', { signRequests: true })
  expect(await keysOf('globex')).toHaveLength(2)
}, 60_000)

it('each is RSA of 2048 bits in a certificate of its own key, which names the issuer and lasts', async () => {
  for (const { id, certificate } of await keysOf('globex')) {
    const parsed = new X509Certificate(certificate ?? '')
    expect(parsed.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(parsed.verify(parsed.publicKey)).toBe(true)
    expect(parsed.subject).toBe('CN=localhost:4400/t/globex')
    expect([parsed.ca, parsed.serialNumber.length <= 40]).toEqual([false, true])
    expect(Date.parse(parsed.validTo) - Date.now()).toBeGreaterThan(9 * 365 * 86_400_000)
    expect(id).toMatch(/^[\w-]{43}$/)
  }
})

it('a rotation makes the waiting key the working one, and a condemned one leaves the metadata at once', async () => {
  const connection = await connect('acme', { signRequests: true })
  const [first, second] = [await certificateIn('acme', 'active'), await certificateIn('acme', 'next')]
  expect(await call('POST', '/tenants/acme/signing-keys/rotate', { purpose: 'saml' })).toMatchObject({ status: 200 })
  const third = await certificateIn('acme', 'next')
  expect(await certificatesAt('acme', connection)).toEqual([second, third])
  expect(await certificateIn('acme', 'retired')).toBe(first)
  const { id } = inState(await keysOf('acme'), 'active')[0] as Shown
  expect((await call('POST', `/tenants/acme/signing-keys/${id}/compromised`)).status).toBe(200)
  expect(await certificatesAt('acme', connection)).toEqual([third, await certificateIn('acme', 'next')])
  expect(await certificateIn('acme', 'next')).not.toBe('')
}, 60_000)

it('is sealed at rest, and no key of a tenant is in the metadata of another', async () => {
  const rows = await asOwner<{ sealed: Buffer }>(
    db.ownerUrl,
    `SELECT sealed_private_key AS sealed FROM signing_keys WHERE purpose = 'saml'`,
  )
  expect(rows.length).toBeGreaterThan(4)
  // PKCS #8 begins with a SEQUENCE; what is sealed begins with the number of its format.
  expect(rows.every(({ sealed }) => sealed[0] === 1)).toBe(true)
  const acme = await keysOf('acme')
  for (const { certificate } of await keysOf('globex')) expect(acme.map((key) => key.certificate)).not.toContain(certificate)
})

it('the exception for SHA-1 stands beside the configuration, is bounded, and says until when', async () => {
  const id = await connect('acme', {})
  const at = `/tenants/acme/connections/${id}`
  for (const days of [0, 91, 1.5]) expect(await call('POST', `${at}/sha1-exception`, { days, reason: 'r' })).toMatchObject({ status: 400 })
  expect((await call('POST', `${at}/sha1-exception`, { days: 1 })).status).toBe(400)
  const allowed = await call('POST', `${at}/sha1-exception`, { days: 30, reason: 'their change window is in three weeks' })
  const until = Date.parse(allowed.body.sha1Until) - Date.now()
  expect([until > 29.9 * 86_400_000, until <= 30 * 86_400_000]).toEqual([true, true])
  expect((await call('PUT', at, { kind: 'saml', name: 'IdP', configuration: idp })).body.sha1Until).toBe(allowed.body.sha1Until)
  broker.deps.configuration.invalidate()
  const resolved = await broker.deps.configuration.find('acme')
  expect(resolved?.connection(id)?.serviceProvider.sha1Until).toBe(Date.parse(allowed.body.sha1Until))
  expect((await call('DELETE', `${at}/sha1-exception`)).status).toBe(204)
  expect((await call('GET', at)).body.sha1Until).toBeNull()
  const trail = (await call('GET', '/tenants/acme/audit-events?kind=connection.sha1_allowed')).body.auditEvents
  expect(trail[0]).toMatchObject({
    connectionId: id,
    detail: { until: allowed.body.sha1Until, reason: 'their change window is in three weeks' },
  })
})

it('an OpenID connection has no such exception', async () => {
  const oidc = { kind: 'oidc', name: 'OP', configuration: { issuer: 'https://op.example', clientId: 'c' } }
  const { body } = await call('POST', '/tenants/acme/connections', oidc)
  expect((await call('POST', `/tenants/acme/connections/${body.id}/sha1-exception`, { days: 1, reason: 'r' })).status).toBe(404)
  expect((await call('DELETE', `/tenants/acme/connections/${body.id}/sha1-exception`)).status).toBe(404)
})
