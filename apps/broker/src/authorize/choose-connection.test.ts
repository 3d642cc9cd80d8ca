/** A company with two connections: which one a person is sent to, and who says so. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import {
  type AnIdp,
  aCompany,
  aCompanyPolicy,
  aDomain,
  anAuthorizeUrl,
  anIdp,
  anotherConnection,
  aPlainBrowser,
  hidden,
  publish,
} from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let berlin: ConnectionId
let lisbon: ConnectionId
let stranger: ConnectionId

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  berlin = acme.connectionId
  await aDomain(fixture, acme, { connectionId: berlin, domain: 'berlin.example', verified: true })
  await aDomain(fixture, acme, { connectionId: berlin, domain: 'unproven.example', verified: false })
  lisbon = await anotherConnection(fixture, acme, 'Lisbon', 'lisbon.example')
  stranger = (await aCompany(fixture, 'globex', now)).connectionId
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(() => {
  now = addSeconds(now, 5)
  idp.started.length = 0
})

const issuer = 'http://localhost:4400/t/acme'
const aBrowser = () => aPlainBrowser({ issuer, url: broker.url })
const authorize = (change?: Record<string, string>) => anAuthorizeUrl(issuer, acme, { scope: 'read', ...change })
const chosen = () => idp.started.map(({ connectionId }) => connectionId)

describe('the hint of a login', () => {
  it.each([
    { hint: 'ada@berlin.example', connection: () => berlin },
    { hint: 'ada@lisbon.example', connection: () => lisbon },
    { hint: 'ADA@LISBON.EXAMPLE', connection: () => lisbon },
  ])('$hint leads to the connection that owns its domain, without a page', async ({ hint, connection }) => {
    expect((await aBrowser().visit(authorize({ login_hint: hint }))).location).toContain('https://idp.example/login')
    expect(chosen()).toEqual([connection()])
  })
  it.each(['ada@elsewhere.example', 'ada@unproven.example', 'ada', 'ada@', '@'])(
    '%s leads to the page, because nobody owns it',
    async (hint) => {
      expect((await aBrowser().visit(authorize({ login_hint: hint }))).location).toContain('/authorize/choose-connection?request=')
      expect(chosen()).toEqual([])
    },
  )
})

describe('the page of choice', () => {
  it('is a plain form with one button for each connection, and nothing that needs a script or a mouse', async () => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    const { text } = await browser.visit(asked.location)
    const buttons = [...text.matchAll(/<button name="connection" value="([^"]+)">([^<]+)<\/button>/g)].map(([, id, name]) => ({ id, name }))
    expect(buttons).toEqual([
      { id: berlin, name: 'IdP' },
      { id: lisbon, name: 'Lisbon' },
    ])
    expect(text).toMatch(/<form method="post" action="[^"]+\/authorize\/choose-connection">/)
    expect(text).not.toMatch(/<script|onclick|tabindex/i)
    // The address comes first: what a company calls its connections is for those who know.
    const [first = '', second = ''] = text.split('</form>')
    expect([first.includes('type="email"'), first.includes('name="connection"')]).toEqual([true, false])
    expect(second).toContain('name="connection"')
  })
  it('leads to the connection that was chosen, and back from it to a code', async () => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    const left = await browser.submit(asked.location, { connection: lisbon })
    expect(chosen()).toEqual([lisbon])
    expect((await browser.comeHome(left, lisbon)).location).toContain('code=dbc_')
  })
  it('counts for its own request only: the next one asks again', async () => {
    const browser = aBrowser()
    const first = await browser.visit(authorize())
    await browser.submit(first.location, { connection: lisbon })
    const second = await browser.visit(authorize())
    expect(second.location).toContain('/authorize/choose-connection?request=')
    expect(second.location).not.toBe(first.location)
  })
  it('is no answer to a session of another connection: she signs in at the chosen one', async () => {
    const browser = aBrowser()
    const first = await browser.visit(authorize())
    await browser.comeHome(await browser.submit(first.location, { connection: lisbon }), lisbon)
    const again = await browser.visit(authorize({ prompt: 'login' }))
    expect(again.location).toContain('/authorize/choose-connection?request=')
    idp.started.length = 0
    const left = await browser.submit(again.location, { connection: berlin })
    expect(chosen()).toEqual([berlin])
    expect((await browser.comeHome(left, berlin)).location).toContain('code=dbc_')
  })
})

describe('a choice that was not offered', () => {
  it.each([
    { what: 'another tenant’s connection', connection: () => stranger as string },
    { what: 'an unknown one', connection: () => '00000000-0000-4000-8000-000000000000' },
    { what: 'no id at all', connection: () => 'lisbon' },
    { what: 'none', connection: () => '' },
  ])('is refused: $what', async ({ connection }) => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    expect((await browser.submit(asked.location, { connection: connection() })).text).toContain('connection_unknown')
    expect(chosen()).toEqual([])
  })
  it('is refused: one that has been switched off since the page was shown', async () => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    const { text } = await browser.visit(asked.location)
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE id = $1', [lisbon])
    const form = { request: hidden(text, 'request'), proof: hidden(text, 'proof'), connection: lisbon }
    const refused = await browser.visit(`${issuer}/authorize/choose-connection`, form)
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = NULL WHERE id = $1', [lisbon])
    expect(refused.text).toContain('connection_unknown')
    expect(chosen()).toEqual([])
  })
  it('is refused: without the proof of the page, and in another browser', async () => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    const { text } = await browser.visit(asked.location)
    const [request, proof] = [hidden(text, 'request'), hidden(text, 'proof')]
    const url = `${issuer}/authorize/choose-connection`
    expect((await browser.visit(url, { request, proof: `1.${'A'.repeat(43)}`, connection: lisbon })).text).toContain('step_proof_invalid')
    const other = aBrowser()
    await other.visit(authorize())
    expect((await other.visit(url, { request, proof, connection: lisbon })).text).toContain('request_expired')
    expect(chosen()).toEqual([])
  })
})

describe('the address on the page of choice', () => {
  const typed = async (email: string) => {
    const browser = aBrowser()
    const asked = await browser.visit(authorize())
    return browser.submit(asked.location, { email })
  }
  it.each([
    { email: 'ada@lisbon.example', connection: () => lisbon },
    { email: 'ADA@LISBON.EXAMPLE', connection: () => lisbon },
    { email: 'ada@unproven.example', connection: () => berlin },
    { email: 'nobody@elsewhere.example', connection: () => berlin },
  ])('$email leads away from here like any other, known or not', async ({ email, connection }) => {
    const { status, location, text } = await typed(email)
    expect([status, new URL(location).host, text]).toEqual([303, 'idp.example', ''])
    expect(chosen()).toEqual([connection()])
    expect(idp.started[0]?.loginHint).toBe(email)
  })
  it('that is none is asked for again', async () => {
    expect(await typed('ada')).toMatchObject({ status: 400, text: expect.stringContaining('not an e-mail address') })
    expect(chosen()).toEqual([])
  })
})

describe('a remembered choice', () => {
  const remembering = async (fields: Record<string, string>) => {
    const browser = aBrowser()
    await browser.submit((await browser.visit(authorize())).location, fields)
    idp.started.length = 0
    return browser
  }
  it('is taken without a page next time, until the client asks for a fresh sign-in', async () => {
    const browser = await remembering({ connection: lisbon, remember: 'yes' })
    expect((await browser.visit(authorize())).location).toContain('https://idp.example/login')
    expect(chosen()).toEqual([lisbon])
    expect((await browser.visit(authorize({ prompt: 'login' }))).location).toContain('/authorize/choose-connection?request=')
  })
  it('yields to a hint, and is forgotten by a choice that is not to be remembered', async () => {
    const browser = await remembering({ email: 'ada@lisbon.example', remember: 'yes' })
    await browser.visit(authorize({ login_hint: 'ada@berlin.example' }))
    expect(chosen()).toEqual([berlin])
    await browser.submit((await browser.visit(authorize({ prompt: 'login' }))).location, { connection: berlin })
    expect((await browser.visit(authorize())).location).toContain('/authorize/choose-connection?request=')
  })
  it('of a connection that has been switched off since chooses nothing', async () => {
    const third = await anotherConnection(fixture, acme, 'Porto')
    const browser = await remembering({ connection: third, remember: 'yes' })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE id = $1', [third])
    now = addSeconds(now, 5)
    expect((await browser.visit(authorize())).location).toContain('/authorize/choose-connection?request=')
    expect(chosen()).toEqual([])
    await asOwner(fixture.ownerUrl, 'DELETE FROM login_requests WHERE connection_id = $1', [third])
    await asOwner(fixture.ownerUrl, 'UPDATE authorization_requests SET connection_id = NULL WHERE connection_id = $1', [third])
    await asOwner(fixture.ownerUrl, 'DELETE FROM connections WHERE id = $1', [third])
  })
  it('of another tenant, or of nothing, chooses nothing', async () => {
    const browser = aBrowser()
    for (const value of [stranger, 'x', '']) {
      browser.jar.set('drawbridge-connection-acme', value)
      expect((await browser.visit(authorize())).location).toContain('/authorize/choose-connection?request=')
    }
  })
})

describe('a link to one connection', () => {
  it('leads there without a page, whatever the hint says, and back to a code', async () => {
    const browser = aBrowser()
    const left = await browser.visit(authorize({ connection: lisbon, login_hint: 'ada@berlin.example' }))
    expect(chosen()).toEqual([lisbon])
    expect((await browser.comeHome(left, lisbon)).location).toContain('code=dbc_')
  })
  it('is not answered by a session of another connection', async () => {
    const browser = aBrowser()
    await browser.comeHome(await browser.visit(authorize({ connection: berlin })), berlin)
    idp.started.length = 0
    await browser.visit(authorize({ connection: lisbon }))
    expect(chosen()).toEqual([lisbon])
  })
  it('takes nobody past the policy: it decides on the connection that was used', async () => {
    const policy = (connection: string) =>
      `version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}, {name: strong, effect: deny, scopes: ['*'], when: "subject.connection == '${connection}'"}]\n`
    await publish(fixture, acme, now, policy(lisbon))
    const browser = aBrowser()
    const denied = await browser.comeHome(await browser.visit(authorize({ connection: lisbon })), lisbon)
    await publish(fixture, acme, now, aCompanyPolicy(['read', 'write']))
    expect(denied.text).toContain('nothing_granted')
  })
  it.each([() => stranger as string, () => '00000000-0000-4000-8000-000000000000', () => 'x'])(
    'to what is none of this tenant’s is refused, %#',
    async (connection) => {
      expect(await aBrowser().visit(authorize({ connection: connection() }))).toMatchObject({
        status: 404,
        text: expect.stringContaining('connection_unknown'),
      })
      expect(chosen()).toEqual([])
    },
  )
})
