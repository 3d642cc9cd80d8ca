/** Tiles of a company's portal, over both protocols: each begins a login that the application asks for, and none is believed itself. */
import { createServer, type Server } from 'node:http'
import type { Page } from '@drawbridge/simulator/browser'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import {
  aPersonsBrowser as aPerson,
  bothCompanies,
  type Company,
  type TwoCompanies,
  theirRedirectUri,
  twoCompanies,
} from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let two: TwoCompanies
let documents: Server
let application: string

beforeAll(async () => {
  two = await twoCompanies()
  documents = await theApplication()
})
afterAll(async () => {
  documents?.close()
  await two?.close()
})
const listed = () => [{ name: 'Documents', relayState: 'documents', initiateLoginUri: application }]
beforeEach(async () => {
  for (const company of bothCompanies) await optIn(company, listed())
})

/** An application that knows third-party initiated login: it asks for a code at the issuer that it is told, if that is one of its own. */
async function theApplication(): Promise<Server> {
  const server = createServer((request, response) => {
    const asked = new URL(request.url ?? '/', application).searchParams
    const slug = bothCompanies.find((each) => asked.get('iss') === `${two.publicUrl}/t/${each}`)
    if (slug === undefined) return void response.writeHead(400).end('an issuer of somebody else')
    const change = {
      state: 'of the application',
      login_hint: asked.get('login_hint') ?? `ada@${slug}.example`,
      connection: asked.get('connection') ?? '',
    }
    response.writeHead(303, { location: two.authorizeUrl(slug, change) }).end()
  })
  const port = await freePort()
  application = `http://127.0.0.1:${port}/login`
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

/** By the admin API, as an admin would. */
async function optIn(slug: Company, targets: readonly Readonly<Record<string, string>>[] | undefined) {
  expect((await two.configure(slug, targets && { idpInitiated: { targets } })).status).toBe(200)
}

type Person = ReturnType<typeof aPerson>
const openTile = (slug: Company, relayState: string, browser: Person = aPerson()): Promise<Page> =>
  browser.post(`${two.portal}/${slug}/tile`, { person: `${slug}-ada`, relayState })
const countOf = async (table: string) => Number((await asOwner(two.fixture.ownerUrl, `SELECT count(*)::int AS n FROM ${table}`))[0]?.['n'])
const kept = async () => ({
  sessions: await countOf('browser_sessions'),
  grants: await countOf('grants'),
  subjects: await countOf('subjects'),
  replays: await countOf('replays'),
  parked: await countOf('parked_messages'),
  trips: await countOf('login_requests WHERE consumed_at IS NOT NULL'),
  requests: await countOf('authorization_requests'),
})
const acs = () => `${two.connectionUrl('acme')}/acs`

/** What the portal hands to a browser for it to post: the thing that is stolen, or planted. */
async function aTileResponse(): Promise<string> {
  const carrying = await openTile('acme', 'documents', aPerson({ submitsSamlForms: false }))
  return carrying.form('SAMLResponse').fields['SAMLResponse'] ?? ''
}
const issuedTo = (page: Page) => Object.fromEntries(new URL(page.url).searchParams)

describe.each(bothCompanies)('a tile of %s', (slug) => {
  it('leads through the application and its own login to a code, without a question', async () => {
    const consent = await openTile(slug, 'documents')
    expect(consent.trail.filter((url) => url.startsWith(application))).toEqual([
      `${application}?${new URLSearchParams({
        iss: `${two.publicUrl}/t/${slug}`,
        ...(slug === 'globex' && { login_hint: 'ada@globex.example' }),
        connection: two.of(slug).connectionId,
      })}`,
    ])
    const done = await consent.form().submit({ answer: 'allow' })
    expect(issuedTo(done)).toEqual({ code: expect.stringMatching(/^dbc_/), state: 'of the application', iss: `${two.publicUrl}/t/${slug}` })
  })

  it.each([
    '',
    'Documents',
    'documents#x',
    'https://evil.example/',
    'javascript:alert(1)',
    '//evil.example',
    'https://docs.example.evil.example',
    'x'.repeat(3000),
    'http://127.0.0.1/t/another/authorize',
  ])('that says %j leads to a page of the places that are listed', async (relayState) => {
    const before = await kept()
    const asked = await openTile(slug, relayState)
    expect([asked.status, asked.url.startsWith(two.publicUrl)]).toEqual([200, true])
    const links = [...asked.html.matchAll(/<a href="([^"]+)"/g)].map(([, href]) => href ?? '')
    expect(links.map((href) => [href.startsWith(`${application}?iss=`), href.includes('evil')])).toEqual([[true, false]])
    expect(asked.text).toContain('Documents')
    expect(await kept()).toEqual(before)
  })

  it('that says nothing known leads to the default where there is one, and tells it what page was meant', async () => {
    const targetLinkUri = 'https://docs.example/inbox?page=1'
    await optIn(slug, [{ name: 'Documents', initiateLoginUri: application, targetLinkUri }])
    for (const relayState of ['', 'https://evil.example/']) {
      const consent = await openTile(slug, relayState)
      const asked = new URL(consent.trail.find((url) => url.startsWith(application)) ?? '')
      expect(asked.searchParams.get('target_link_uri')).toBe(targetLinkUri)
      expect(consent.form().action).toContain('/authorize/consent')
    }
  })

  it('of a company that has not opted in is refused, with what helps, and the trail says so once an hour', async () => {
    await optIn(slug, undefined)
    const before = await kept()
    for (const relayState of ['documents', '', 'x']) {
      const refused = await openTile(slug, relayState)
      expect([refused.status, refused.text.includes('start from the application')]).toEqual([400, true])
    }
    expect(await kept()).toEqual(before)
    const text = `SELECT connection_id, subject_id, detail FROM audit_events WHERE tenant_id = $1 AND kind = 'login_unsolicited'`
    expect(await asOwner(two.fixture.ownerUrl, text, [two.of(slug).tenantId])).toEqual([
      { connection_id: two.of(slug).connectionId, subject_id: null, detail: {} },
    ])
  })

  it('is opened, changed and closed in lines of the trail of their own', async () => {
    await optIn(slug, undefined)
    const { body } = await two.call('GET', `/tenants/${slug}/audit-events?kind=connection.idp_initiated_changed`)
    const [closed, opened] = body.auditEvents as { detail: { from: unknown; to: unknown } }[]
    expect(closed?.detail).toMatchObject({ from: { targets: listed() }, to: null })
    expect(opened?.detail).toMatchObject({ to: { targets: listed() } })
  })

  it('cannot be made to lead where no address may lead', async () => {
    for (const initiateLoginUri of ['javascript:alert(1)', 'http://docs.example/login', 'https://a@evil.example/']) {
      expect(await two.configure(slug, { idpInitiated: { targets: [{ name: 'x', initiateLoginUri }] } })).toMatchObject({
        status: 400,
        body: { type: 'urn:drawbridge:error:connection_invalid' },
      })
    }
  })
})

describe('what comes with a tile of SAML', () => {
  it('signs nobody in: a stolen response leads its thief to sign in herself', async () => {
    const stolen = await aTileResponse()
    const before = await kept()
    const thief = aPerson({ stopAt: [theirRedirectUri, application] })
    const sent = await thief.post(acs(), { SAMLResponse: stolen, RelayState: 'documents' }, 'https://evil.example/')
    expect([sent.isStopped, sent.url.startsWith(application)]).toEqual([true, true])
    expect([...thief.cookies(`${two.publicUrl}/t/acme/authorize`).keys()]).toEqual([])
    expect(await kept()).toEqual(before)
  })

  it('leaves a pending login of this browser alone, which is then answered by its own response', async () => {
    const planted = await aTileResponse()
    const person = aPerson({ submitsSamlForms: false, stopAt: [theirRedirectUri, application] })
    const hers = await person.open(two.authorizeUrl('acme', { login_hint: 'ada@acme.example' }))
    const before = await kept()
    const elsewhere = await person.post(acs(), { SAMLResponse: planted }, 'https://evil.example/')
    expect(elsewhere.text).toContain('Where do you want to go?')
    expect(await kept()).toEqual(before)
    const own = hers.form('SAMLResponse')
    const consent = await person.post(acs(), own.fields)
    expect(consent.text).toContain('Allow Client?')
  })

  it('that names a pending login without its RelayState is an answer gone astray, and consumes nothing', async () => {
    const person = aPerson({ submitsSamlForms: false })
    const hers = (await person.open(two.authorizeUrl('acme', { login_hint: 'ada@acme.example' }))).form('SAMLResponse')
    const before = await kept()
    for (const relayState of [undefined, '', 'documents']) {
      const fields = { SAMLResponse: hers.fields['SAMLResponse'] ?? '', ...(relayState !== undefined && { RelayState: relayState }) }
      const astray = await person.post(acs(), fields)
      expect([astray.status, astray.text.includes('relay_state_lost')]).toEqual([400, true])
    }
    expect(await kept()).toEqual(before)
    expect((await person.post(acs(), hers.fields)).text).toContain('Allow Client?')
  })

  it('is not an answer to a pending login, whose RelayState somebody put beside it', async () => {
    const planted = await aTileResponse()
    const person = aPerson({ submitsSamlForms: false })
    const hers = (await person.open(two.authorizeUrl('acme', { login_hint: 'ada@acme.example' }))).form('SAMLResponse')
    const relayState = hers.fields['RelayState'] ?? ''
    const sessions = await countOf('browser_sessions')
    const refused = await person.post(acs(), { SAMLResponse: planted, RelayState: relayState })
    expect(refused.text).toContain('saml_in_response_to')
    expect(await countOf('browser_sessions')).toBe(sessions)
    expect((await person.post(acs(), hers.fields)).text).toContain('Allow Client?')
  })

  it.each([
    { what: 'no XML', message: Buffer.from('hello').toString('base64') },
    { what: 'no base64', message: '<samlp:Response/>' },
    {
      what: 'no response',
      message: Buffer.from('<x:LogoutRequest xmlns:x="urn:oasis:names:tc:SAML:2.0:protocol"/>').toString('base64'),
    },
    { what: 'an entity bomb', message: Buffer.from('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>').toString('base64') },
  ])('is refused as what it is: $what', async ({ message }) => {
    const refused = await aPerson().post(acs(), { SAMLResponse: message, RelayState: 'documents' })
    expect([refused.status, refused.text.includes('cause saml_') || refused.html.includes('cause <code>saml_')]).toEqual([400, true])
  })
})

describe('the address that a tile of OpenID Connect calls', () => {
  const initiate = () => `${two.connectionUrl('globex')}/initiate`
  const stopping = () => aPerson({ stopAt: application })
  it('takes GET and POST, with an issuer that is the connection’s or with none', async () => {
    const issuer = two.simulator.oidcIssuer('globex')
    const query = new URLSearchParams({ iss: issuer, target_link_uri: 'documents' })
    expect((await stopping().open(`${initiate()}?${query}`)).isStopped).toBe(true)
    expect((await stopping().post(initiate(), Object.fromEntries(query), two.portal)).isStopped).toBe(true)
    expect((await stopping().open(`${initiate()}?target_link_uri=documents`)).isStopped).toBe(true)
  })
  it.each(['https://evil.example', '', `http://127.0.0.1/globex`])('refuses another issuer: %j', async (issuer) => {
    const refused = await stopping().open(`${initiate()}?${new URLSearchParams({ iss: issuer, target_link_uri: 'documents' })}`)
    expect([refused.status, refused.text.includes('initiation_of_another_issuer')]).toEqual([400, true])
  })
  it('refuses what it reads twice, and what is no connection of the tenant', async () => {
    const twice = await stopping().open(`${initiate()}?target_link_uri=documents&target_link_uri=x`)
    expect([twice.status, twice.text.includes('initiation_malformed')]).toEqual([400, true])
    for (const foreign of [
      `/t/globex/oidc/${two.of('acme').connectionId}/initiate`,
      `/t/acme/oidc/${two.of('acme').connectionId}/initiate`,
    ])
      expect((await stopping().open(`${two.publicUrl}${foreign}`)).text).toContain('connection_unknown')
  })
  it('hands on a hint, but none that is no text', async () => {
    const hinted = async (hint: string) => {
      const { url } = await stopping().open(`${initiate()}?${new URLSearchParams({ target_link_uri: 'documents', login_hint: hint })}`)
      return new URL(url).searchParams.get('login_hint')
    }
    expect(await hinted('clark@globex.example')).toBe('clark@globex.example')
    expect(await hinted('clark\u0007@globex.example')).toBeNull()
    expect(await hinted('c'.repeat(321))).toBeNull()
  })
})

it('an answer of an OpenID provider that nobody asked for is refused in any browser', async () => {
  const refused = await aPerson().open(`${two.connectionUrl('globex')}/callback?code=x`)
  expect([refused.status, refused.text.includes('login_unsolicited')]).toEqual([400, true])
})
