/** Where the installation is public, nobody writes an upstream that leads to this machine: neither an admin of a tenant nor its IT with a set-up link. */
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker } from '@drawbridge/testkit/a-broker'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { type SetUpPages, setUpPages } from '@drawbridge/testkit/set-up-pages'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { digestOfDocument } from '@drawbridge/upstream/saml/metadata-document'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const { certificate } = aKey()
const key = anAssertionKey()
let pages: SetUpPages
let call: Call
beforeAll(async () => {
  pages = await setUpPages({ settings: readEnv({ DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com' }) })
  call = pages.call
})
afterAll(() => pages?.close())

const connections = '/tenants/initech/connections'
const trusts = '/tenants/initech/assertion-trusts'
const saml = { idpEntityId: 'https://idp.example', ssoUrl: 'https://idp.example/sso', certificates: [certificate] }
const oidc = { issuer: 'https://idp.example', clientId: 'x' }
const entra = { tenantIds: ['11111111-2222-4333-8444-555555555555'] }
const metadata = (ssoUrl: string) => plainMetadata({ certificates: [certificate] }).replaceAll(/Location="[^"]*"/g, `Location="${ssoUrl}"`)
const draft = (kind: string, configuration: object) => ({ kind, name: 'IdP', configuration })
const refusedAt = (path: string) => ({
  status: 400,
  body: { type: 'urn:drawbridge:error:connection_invalid', errors: [{ path, message: 'connection_url_loopback' }] },
})
const made = async (kind: string, configuration: object): Promise<string> =>
  (await call('POST', connections, draft(kind, configuration))).body.id

const loopback = [
  { kind: 'saml', member: 'ssoUrl', of: { ...saml, ssoUrl: 'https://localhost/sso' } },
  { kind: 'saml', member: 'sloUrl', of: { ...saml, sloUrl: 'http://127.0.0.1:4410/slo' } },
  {
    kind: 'saml',
    member: 'sloResponseUrl',
    of: { ...saml, sloUrl: 'https://idp.example/slo', sloResponseUrl: 'https://idp.localhost/slo' },
  },
  { kind: 'saml', member: 'ssf.issuer', of: { ...saml, ssf: { issuer: 'https://127.9.9.9' } } },
  { kind: 'oidc', member: 'issuer', of: { ...oidc, issuer: 'http://[::1]:4410/globex' } },
  { kind: 'oidc', member: 'discoveryUrl', of: { ...oidc, discoveryUrl: 'https://localhost./openid' } },
  { kind: 'oidc', member: 'graph.url', of: { ...oidc, ...entra, graph: { url: 'https://localhost/v1.0' } } },
  { kind: 'oidc', member: 'graph.tokenUrl', of: { ...oidc, ...entra, graph: { tokenUrl: 'https://0.0.0.0/token' } } },
  { kind: 'oidc', member: 'signalIssuers[0]', of: { ...oidc, signalIssuers: ['https://localhost'] } },
  {
    kind: 'oidc',
    member: 'ssf.jwksUri',
    of: { ...oidc, ssf: { issuer: 'https://idp.example', jwksUri: 'https://[::ffff:127.0.0.1]/keys' } },
  },
  {
    kind: 'oidc',
    member: 'ssf.configurationUrl',
    of: { ...oidc, ssf: { issuer: 'https://idp.example', configurationUrl: 'https://localhost/c' } },
  },
]

describe('a connection', () => {
  it.each(loopback)('of $kind whose $member is this machine is neither made nor changed so: connection_url_loopback', async (row) => {
    expect(await call('POST', connections, draft(row.kind, row.of))).toMatchObject(refusedAt(`configuration.${row.member}`))
    const id = await made(row.kind, row.kind === 'saml' ? saml : oidc)
    const answer = await call('PUT', `${connections}/${id}`, draft(row.kind, row.of))
    expect(answer).toMatchObject(refusedAt(`configuration.${row.member}`))
  })

  it('may be called by a name that looks like an address of this machine: nobody goes to a name', async () => {
    expect((await call('POST', connections, draft('saml', { ...saml, idpEntityId: 'https://localhost' }))).status).toBe(201)
    const ssf = { issuer: 'https://localhost', configurationUrl: 'https://idp.example/ssf' }
    expect((await call('POST', connections, draft('oidc', { ...oidc, ssf }))).status).toBe(201)
  })

  it('that is there all the same and was killed is not enabled', async () => {
    const id = await made('saml', saml)
    await call('POST', `${connections}/${id}/kill`, { reason: 'a test' })
    await pages.owner(`UPDATE connections SET configuration = configuration || '{"ssoUrl": "https://localhost/sso"}' WHERE id = $1`, id)
    expect(await call('POST', `${connections}/${id}/enable`)).toMatchObject(refusedAt('configuration.ssoUrl'))
    await pages.owner(`UPDATE connections SET configuration = configuration || '{"ssoUrl": "https://idp.example/sso"}' WHERE id = $1`, id)
    expect((await call('POST', `${connections}/${id}/enable`)).status).toBe(204)
  })
})

describe('metadata', () => {
  it('whose sign-in address is this machine makes no connection, and its diagnosis says why: endpoint_loopback', async () => {
    const metadataXml = metadata('https://localhost/sso')
    const answer = await call('POST', connections, { kind: 'saml', name: 'IdP', metadataXml })
    expect(answer).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:metadata_invalid' } })
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml })
    expect(seen.body).toMatchObject({
      usable: false,
      findings: expect.arrayContaining([expect.objectContaining({ code: 'endpoint_loopback' })]),
    })
  })

  it('is neither shown as a change nor applied', async () => {
    const id = await made('saml', saml)
    const metadataXml = metadata('https://localhost/sso')
    expect((await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml })).body).toMatchObject({ change: null })
    const applied = await call('POST', `${connections}/${id}/metadata/apply`, { metadataXml, digest: digestOfDocument(metadataXml) })
    expect(applied).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:metadata_invalid' } })
    expect((await call('GET', `${connections}/${id}`)).body.configuration.ssoUrl).toBe('https://idp.example/sso')
  })

  it('with another address beside it is used without it: endpoint_loopback_ignored', async () => {
    const two = metadata('https://idp.example/sso').replace(
      /(<[^>]*SingleSignOnService[^>]*>)/,
      (one) => one.replace('idp.example', 'localhost') + one,
    )
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml: two })
    expect(seen.body.findings).toContainEqual(expect.objectContaining({ code: 'endpoint_loopback_ignored', severity: 'warning' }))
    const { body } = await call('POST', connections, { kind: 'saml', name: 'IdP', metadataXml: two })
    expect(body.configuration.ssoUrl).toBe('https://idp.example/sso')
  })

  it('applied to a connection that leads to this machine otherwise is refused with the member', async () => {
    const id = await made('saml', saml)
    await pages.owner(
      `UPDATE connections SET configuration = configuration || '{"ssf": {"issuer": "https://localhost"}}' WHERE id = $1`,
      id,
    )
    const metadataXml = metadata('https://idp.example/other')
    const applied = await call('POST', `${connections}/${id}/metadata/apply`, { metadataXml, digest: digestOfDocument(metadataXml) })
    expect(applied).toMatchObject(refusedAt('configuration.ssf.issuer'))
  })
})

describe('a trust', () => {
  it('whose keys are at this machine is not made; one whose issuer is only called so is', async () => {
    const at = { issuer: 'https://issuer.example', jwksUri: 'https://localhost/keys' }
    expect(await call('POST', trusts, { name: 'IdP', configuration: at })).toMatchObject(refusedAt('configuration.jwksUri'))
    const named = { issuer: 'https://localhost/issuer', jwks: { keys: [key.jwk] } }
    const trust = await call('POST', trusts, { name: 'IdP', configuration: named })
    expect(trust.status).toBe(201)
    const one = `${trusts}/${trust.body.id}`
    expect(await call('PUT', one, { name: 'IdP', configuration: at })).toMatchObject(refusedAt('configuration.jwksUri'))
    await call('POST', `${one}/kill`, { reason: 'a test' })
    await pages.owner('UPDATE connections SET configuration = $2 WHERE id = $1', trust.body.id, JSON.stringify(at))
    expect(await call('POST', `${one}/enable`)).toMatchObject(refusedAt('configuration.jwksUri'))
  })
})

it('a set-up link takes no metadata that leads to this machine', async () => {
  await pages.owner(`DELETE FROM connections WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'initech')`)
  const { browser, page } = await pages.opened()
  const form = { proof: page.proof, kind: 'saml', metadataUrl: '' }
  const refused = await browser.ask('/draft', { ...form, metadataXml: metadata('https://localhost/sso') })
  expect([refused.status, refused.text.includes('leads to the machine')]).toEqual([400, true])
})

it('where the installation is on this machine, as the demonstration is, all of it is good', async () => {
  const desk = await aBroker(pages.fixture.database)
  const atDesk = anAdmin(desk)
  for (const { kind, of } of loopback) expect((await atDesk('POST', connections, draft(kind, of))).status).toBe(201)
  await desk.close()
})
