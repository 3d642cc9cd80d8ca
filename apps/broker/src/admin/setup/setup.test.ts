/** A company's IT connects its IdP with a link, over HTTP as a browser does; and what a stolen, old, foreign or repeated link is worth. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { createSimulator } from '@drawbridge/simulator/simulator'
import { mostRevisionsOfDraft } from '@drawbridge/store/connection-drafts'
import { insertConnection } from '@drawbridge/store/connections'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../../http/rate-limit.js'
import { keepDraftSeconds } from './activate-draft.js'

const start = instant(Date.UTC(2026, 10, 28))
let now: Instant = start
let fixture: TestDatabase
let broker: TestBroker
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
  call = anAdmin(broker)
  await call('POST', '/tenants', { slug: 'initech', name: 'Initech' })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 3600)
  await asOwner(fixture.ownerUrl, 'DELETE FROM setup_links')
  await asOwner(fixture.ownerUrl, "DELETE FROM metadata_sources WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'initech')")
  await asOwner(fixture.ownerUrl, "DELETE FROM connections WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'initech')")
})

type Page = { readonly status: number; readonly text: string; readonly proof: string; readonly policy: string }
/** As little of a browser as the pages need: a jar, and forms that are posted as shown. */
function aBrowser(slug = 'initech') {
  const jar = new Map<string, string>()
  const ask = async (path: string, form?: Record<string, string>): Promise<Page> => {
    const answer = await fetch(`${broker.url}/t/${slug}/setup${path}`, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';', 1)[0] ?? '').split('=')
      jar.set(name, value)
      expect(cookie).toMatch(/; HttpOnly; SameSite=Strict/)
    }
    if (answer.status === 303) return ask('')
    const text = await answer.text()
    const proof = /name="proof" value="([^"]+)"/.exec(text)?.[1] ?? ''
    return { status: answer.status, text, proof, policy: answer.headers.get('content-security-policy') ?? '' }
  }
  return { jar, ask, open: (token: string) => ask('/open', { token }) }
}

const aLink = async (slug = 'initech') => {
  const { status, body } = await call('POST', `/tenants/${slug}/setup-links`, { note: 'Peter of IT' })
  expect(status).toBe(201)
  const [address = '', token = ''] = String(body.url).split('#')
  return { id: String(body.id), draftId: String(body.draftId), address, token }
}
/** Until a statement waits for the lock of another transaction. */
async function somebodyWaits(): Promise<void> {
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
  while ((await asOwner(fixture.ownerUrl, waiting, [])).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
}
const { certificate } = aKey()
const metadataXml = plainMetadata({ certificates: [certificate] })
const connectionsOf = async (slug = 'initech') =>
  (await call('GET', `/tenants/${slug}/connections`)).body.connections as { id: string; kind: string }[]
const draftsOf = async (slug = 'initech') =>
  (await call('GET', `/tenants/${slug}/connection-drafts`)).body.connectionDrafts as { id: string; state: string; revision: number }[]

async function opened(slug = 'initech') {
  const link = await aLink(slug)
  const browser = aBrowser(slug)
  const page = await browser.open(link.token)
  expect(page.status).toBe(200)
  return { link, browser, page }
}
const saml = (page: Page) => ({ proof: page.proof, kind: 'saml', metadataXml })

describe('with a link', () => {
  it('IT enters what we say, describes its IdP, reads what is wrong, and the first connection is active', async () => {
    const { link, browser, page } = await opened()
    expect(page.text).toContain(`/t/initech/saml/${link.draftId}/acs`)
    const mistaken = await browser.ask('/draft', { proof: page.proof, kind: 'saml', metadataXml: '<nonsense/>' })
    expect(mistaken.status).toBe(400)
    expect(mistaken.text).toContain('role="alert"')
    const described = await browser.ask('/draft', saml(page))
    expect(described.status).toBe(200)
    expect(described.text).toContain('What was understood')
    expect(await connectionsOf()).toEqual([])
    const active = await browser.ask('/activate', { proof: described.proof })
    expect(active.text).toContain('It is active')
    expect(await connectionsOf()).toMatchObject([{ id: link.draftId, kind: 'saml' }])
    const { body } = await call('GET', '/tenants/initech/audit-events')
    const kinds = body.auditEvents.map(({ kind }: { kind: string }) => kind)
    expect(kinds.slice(0, 4)).toEqual(['connection.created', 'connection_draft.saved', 'setup_link.opened', 'setup_link.created'])
  })

  it('IT chooses its product and reads that product’s words; of an unknown one, those that fit any', async () => {
    const { link, browser } = await opened()
    const okta = await browser.ask('?vendor=okta')
    expect(okta.text).toContain('Audience URI (SP Entity ID)')
    expect(okta.text).toContain('<option value="okta" selected>')
    expect(okta.text).toContain(`/t/initech/saml/${link.draftId}/acs`)
    for (const vendor of ['__proto__', 'constructor', '%3Cscript%3E', '']) {
      const general = await browser.ask(`?vendor=${vendor}`)
      expect(general.status).toBe(200)
      expect(general.text).toContain('Make an application for SAML 2.0 or for OpenID Connect')
    }
    const mistaken = await browser.ask('/draft', { ...saml(okta), vendor: 'okta', metadataXml: '<nonsense/>' })
    expect(mistaken.text).toContain('<option value="okta" selected>')
  })

  it('IT reads whose certificate it is, how long it lasts, and whether sign-out is offered', async () => {
    const { browser, page } = await opened()
    const { text } = await browser.ask('/draft', saml(page))
    expect(text).toMatch(/<dt>Certificate<\/dt><dd>[^<]*CN=[^<]+: \d+ days left/)
    expect(text).toContain('<dt>Sign-out</dt>')
    expect(text).toContain('<details>')
    expect((await browser.ask('?vendor=okta')).text).not.toContain('<details>')
  })

  it('a link has us fetch so often and no more; another link at the same address is not slowed by it', async () => {
    const { browser, page } = await opened()
    const wrong = { ...saml(page), metadataXml: '<nonsense/>' }
    for (let index = 0; index < rateLimits.setup.burst; index += 1) expect((await browser.ask('/draft', wrong)).status).toBe(400)
    expect((await browser.ask('/draft', wrong)).status).toBe(429)
    const other = await opened()
    expect((await other.browser.ask('/draft', saml(other.page))).status).toBe(200)
    now = addSeconds(now, 61)
    expect((await browser.ask('/draft', wrong)).status).toBe(400)
  })

  it('the contacts of the tenant are told of each act, and whose link it was', async () => {
    await call('POST', '/tenants/initech/contacts', { name: 'Bill', email: 'bill@initech.example' })
    const { browser, page } = await opened()
    await browser.ask('/draft', saml(page))
    const { body } = await call('GET', '/tenants/initech/announcements')
    expect(body.announcements[0].acts.map(({ kind }: { kind: string }) => kind)).toEqual(
      expect.arrayContaining(['setup_link.created', 'setup_link.opened', 'connection_draft.saved']),
    )
    const by = { keyName: 'set-up link: Peter of IT', isVendor: false, isLink: true }
    expect(body.announcements[0].acts).toContainEqual(expect.objectContaining({ by: expect.objectContaining(by) }))
  })

  it('a tenant that has a connection is asked for approval, and gets a second one by it, once, as it was seen', async () => {
    const { link, browser, page } = await opened('acme')
    const described = await browser.ask('/draft', saml(page))
    expect((await browser.ask('/activate', { proof: described.proof })).text).toContain('It waits for approval')
    const before = await connectionsOf('acme')
    expect(before.map(({ id }) => id)).not.toContain(link.draftId)
    const [draft] = await draftsOf('acme')
    expect(draft).toMatchObject({ id: link.draftId, state: 'waiting' })
    const decide = (verb: string, revision: number) => call('POST', `/tenants/acme/connection-drafts/${link.draftId}/${verb}`, { revision })
    expect(await decide('approve', 99)).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:draft_moved' } })
    expect((await browser.ask('/draft', { ...saml(page), proof: described.proof })).status).toBe(403)
    expect((await decide('approve', draft?.revision ?? 0)).status).toBe(204)
    expect((await connectionsOf('acme')).map(({ id }) => id)).toContain(link.draftId)
    expect((await decide('decline', draft?.revision ?? 0)).status).toBe(409)
  })

  it('whoever approves reads from where the certificates will be fetched from then on, and so does IT', async () => {
    const { link, browser, page } = await opened('acme')
    const described = await browser.ask('/draft', saml(page))
    await browser.ask('/activate', { proof: described.proof })
    const source = JSON.stringify({ url: 'https://elsewhere.example/metadata', pinnedCertificates: [], digest: 'x' })
    expect(await draftsOf('acme')).toContainEqual(expect.objectContaining({ id: link.draftId, metadataUrl: null }))
    await asOwner(fixture.ownerUrl, 'UPDATE connection_drafts SET source = $2 WHERE id = $1', [link.draftId, source])
    expect(await draftsOf('acme')).toContainEqual(
      expect.objectContaining({ id: link.draftId, metadataUrl: 'https://elsewhere.example/metadata' }),
    )
    expect((await browser.ask('')).text).toContain('https://elsewhere.example/metadata')
  })

  it('an OpenID provider is looked at, and its secret rests sealed to the draft, then to the connection', async () => {
    const simulator = createSimulator({ port: 0, host: '127.0.0.1' })
    const { url } = await simulator.start()
    try {
      const { clientId, clientSecret } = simulator.oidcClient('globex')
      const { link, browser, page } = await opened()
      const form = { proof: page.proof, kind: 'oidc', issuer: `${url}/globex`, clientId, clientSecret }
      const described = await browser.ask('/draft', form)
      expect([described.status, described.text.includes('kept, sealed'), described.text.includes(clientSecret)]).toEqual([200, true, false])
      const sealedIn = async (table: 'connection_drafts' | 'connections') =>
        (
          await asOwner<{ sealed_secret: Buffer | null }>(fixture.ownerUrl, `SELECT sealed_secret FROM ${table} WHERE id = $1`, [
            link.draftId,
          ])
        )[0]?.sealed_secret
      const draftSecret = await sealedIn('connection_drafts')
      expect((await browser.ask('/activate', { proof: described.proof })).text).toContain('It is active')
      expect(await sealedIn('connection_drafts')).toBeNull()
      const [{ id: tenant = '' } = {}] = await asOwner<{ id: string }>(
        fixture.ownerUrl,
        "SELECT id FROM tenants WHERE slug = 'initech'",
        [],
      )
      const place = { installation: broker.deps.installation.id, tenant: tenant as TenantId, column: 'sealed_secret', row: link.draftId }
      const opens = (sealed: Buffer | null | undefined, table: string) => {
        const result = broker.deps.sealer.open(sealed ?? Buffer.alloc(0), { ...place, table })
        return result.ok ? result.value.toString('utf8') : undefined
      }
      expect([opens(draftSecret, 'connection_drafts'), opens(draftSecret, 'connections')]).toEqual([clientSecret, undefined])
      expect(opens(await sealedIn('connections'), 'connections')).toBe(clientSecret)
    } finally {
      await simulator.close()
    }
  })

  it('a provider that cannot be reached is no draft, and a decline forgets the secret of one', async () => {
    const { link, browser, page } = await opened('acme')
    const form = { proof: page.proof, kind: 'oidc', issuer: 'https://idp.example', clientId: 'x', clientSecret: 'hunter22' }
    expect((await browser.ask('/draft', form)).status).toBe(400)
    expect(await draftsOf('acme')).toEqual([])
    const say = `UPDATE connection_drafts SET state = 'waiting', kind = 'oidc', name = 'x', configuration = '{}', sealed_secret = $2 WHERE id = $1`
    await asOwner(fixture.ownerUrl, say, [link.draftId, Buffer.from('sealed')])
    expect((await call('POST', `/tenants/acme/connection-drafts/${link.draftId}/decline`, { revision: 0 })).status).toBe(204)
    const read = 'SELECT sealed_secret FROM connection_drafts WHERE id = $1'
    expect((await asOwner<{ sealed_secret: Buffer | null }>(fixture.ownerUrl, read, [link.draftId]))[0]?.sealed_secret).toBeNull()
  })
})

describe('a link is worth nothing', () => {
  it('to whoever only opens its address, and in a query', async () => {
    const { token } = await aLink()
    const scanner = aBrowser()
    for (const path of ['', `?token=${token}`, `?${token}`]) {
      const page = await scanner.ask(path)
      expect([page.status, page.text.includes('id="token"'), page.text.includes(token)]).toEqual([200, true, false])
    }
    expect(scanner.jar.size).toBe(0)
    expect((await aBrowser().open(token)).text).toContain('At your identity provider')
  })
  it('a second time, in another browser', async () => {
    const { link } = await opened()
    expect((await aBrowser().open(link.token)).text).toContain('setup_link_unusable')
  })
  it('when two browsers open it at once, but to one', async () => {
    const { token } = await aLink()
    const pages = await Promise.all(Array.from({ length: 6 }, () => aBrowser().open(token)))
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403, 403])
  })
  it('when it has run out, opened or not', async () => {
    const { token } = await aLink()
    const { browser, page } = await opened()
    now = addSeconds(now, 8 * 86_400)
    expect((await aBrowser().open(token)).status).toBe(403)
    expect((await browser.ask('/draft', saml(page))).text).toContain('setup_link_unusable')
    expect((await browser.ask('')).text).toContain('id="token"')
  })
  it('once it is taken back, though it is open in a browser', async () => {
    const { link, browser, page } = await opened()
    const described = await browser.ask('/draft', saml(page))
    expect((await call('DELETE', `/tenants/initech/setup-links/${link.id}`)).status).toBe(204)
    expect((await browser.ask('/activate', { proof: described.proof })).status).toBe(403)
    expect(await connectionsOf()).toEqual([])
    expect((await call('DELETE', `/tenants/initech/setup-links/${link.id}`)).status).toBe(404)
  })
  it('at another company, and so is its cookie', async () => {
    const { token } = await aLink()
    expect((await aBrowser('globex').open(token)).status).toBe(403)
    const { browser } = await opened()
    const other = aBrowser('globex')
    const [value] = [...browser.jar.values()]
    other.jar.set('drawbridge-setup-globex', value ?? '')
    expect((await other.ask('')).text).toContain('id="token"')
  })
  it('and guesses meet the limit of every page', async () => {
    expect((await aBrowser().open('x'.repeat(43))).status).toBe(403)
    expect((await aBrowser().open('no token')).status).toBe(403)
  })
})

describe('a form', () => {
  it('that was not shown by us, or for another state of the draft, does nothing', async () => {
    const { browser, page } = await opened()
    for (const proof of ['', 'x', page.proof.replace(/.$/, page.proof.endsWith('A') ? 'B' : 'A')])
      expect((await browser.ask('/draft', { ...saml(page), proof })).text).toContain('setup_form_invalid')
    const described = await browser.ask('/draft', saml(page))
    expect((await browser.ask('/activate', { proof: page.proof })).status).toBe(403)
    expect((await browser.ask('/activate', { proof: described.proof })).status).toBe(200)
  })
  it('of another link does nothing', async () => {
    const one = await opened()
    const other = await opened()
    expect((await one.browser.ask('/draft', saml(other.page))).status).toBe(403)
  })
  it('larger than any IdP’s metadata is refused, and so is an address inside', async () => {
    const { browser, page } = await opened()
    expect((await browser.ask('/draft', { ...saml(page), metadataXml: 'x'.repeat(600_000) })).status).toBe(413)
    const inside = await browser.ask('/draft', { proof: page.proof, kind: 'saml', metadataUrl: 'https://169.254.169.254/metadata' })
    expect(inside.status).toBe(400)
    expect(inside.text).toContain('url_not_public')
  })
  it('with markup in the metadata shows it as text', async () => {
    const { browser, page } = await opened()
    const described = await browser.ask('/draft', {
      ...saml(page),
      metadataXml: metadataXml.replace(/entityID="[^"]*"/, 'entityID="urn:x&lt;script>alert(1)&lt;/script>"'),
    })
    expect(described.text).not.toContain('<script>alert')
  })
})

describe('a draft', () => {
  it('signs nobody in: no address of a connection knows it, and no domain or SCIM token may name it', async () => {
    const { link, browser, page } = await opened('acme')
    await browser.ask('/draft', saml(page))
    for (const path of [`saml/${link.draftId}/metadata`, `oidc/${link.draftId}/callback?state=x`, `saml/${link.draftId}/continue?handle=x`])
      expect((await fetch(`${broker.url}/t/acme/${path}`)).status).toBeGreaterThanOrEqual(400)
    const posted = await fetch(`${broker.url}/t/acme/saml/${link.draftId}/acs`, {
      method: 'POST',
      body: new URLSearchParams({ SAMLResponse: 'eA==', RelayState: randomUUID() }),
    })
    expect(await posted.text()).toContain('connection_unknown')
    expect((await call('POST', '/tenants/acme/scim-tokens', { connectionId: link.draftId, name: 'x' })).status).toBe(409)
    expect((await call('POST', '/tenants/acme/domains', { domain: 'acme.example', connectionId: link.draftId })).status).toBe(409)
    expect(
      (await call('PUT', '/tenants/acme/connection-choice', { rules: [], fallbackConnectionId: link.draftId })).status,
    ).toBeGreaterThanOrEqual(400)
  })
  it('is written so often and no more: each time is a line of a trail that nobody sweeps', async () => {
    const { link, browser } = await opened()
    const at = (revision: number) =>
      asOwner(fixture.ownerUrl, 'UPDATE connection_drafts SET revision = $2 WHERE id = $1', [link.draftId, revision])
    await at(mostRevisionsOfDraft - 1)
    const last = await browser.ask('/draft', saml(await browser.ask('')))
    expect(last.status).toBe(200)
    expect((await browser.ask('/draft', saml(last))).status).toBe(403)
    expect((await browser.ask('/activate', { proof: last.proof })).text).toContain('It is active')
  })
  it('that waited longer than it is kept is approved by nobody, swept or not', async () => {
    const { link, browser, page } = await opened('acme')
    const described = await browser.ask('/draft', saml(page))
    await browser.ask('/activate', { proof: described.proof })
    now = addSeconds(now, keepDraftSeconds)
    expect((await call('POST', `/tenants/acme/connection-drafts/${link.draftId}/approve`, { revision: 1 })).status).toBe(404)
    expect((await connectionsOf('acme')).map(({ id }) => id)).not.toContain(link.draftId)
  })
  it('of two links that are used at once makes one first connection; the other waits', async () => {
    const ready = await Promise.all(
      [0, 1].map(async () => {
        const { browser, page } = await opened()
        return { browser, described: await browser.ask('/draft', saml(page)) }
      }),
    )
    const pages = await Promise.all(ready.map(({ browser, described }) => browser.ask('/activate', { proof: described.proof })))
    expect(pages.filter(({ text }) => text.includes('It is active'))).toHaveLength(1)
    expect(pages.filter(({ text }) => text.includes('It waits for approval'))).toHaveLength(1)
    expect(await connectionsOf()).toHaveLength(1)
  })
  it('that is used while an admin makes the first connection waits for approval, as a second one does', async () => {
    const { browser, page } = await opened()
    const described = await browser.ask('/draft', saml(page))
    const tenant = String((await call('GET', '/tenants/initech')).body.id) as TenantId
    const used = await inTenant(fixture.database, tenant, async (db) => {
      const configuration = { issuer: 'https://idp.example', clientId: 'x' }
      await insertConnection(db, tenant, { id: randomUUID() as ConnectionId, kind: 'oidc', name: 'By an admin', configuration, now })
      const asked = browser.ask('/activate', { proof: described.proof })
      await Promise.race([asked, somebodyWaits()])
      return { asked }
    })
    expect((await used.asked).text).toContain('It waits for approval')
    expect(await connectionsOf()).toHaveLength(1)
  })
})

it('at most five links of a tenant live at once: setup_links_full', async () => {
  for (let index = 0; index < 5; index += 1) await aLink()
  expect(await call('POST', '/tenants/initech/setup-links', { note: 'x' })).toMatchObject({
    status: 409,
    body: { type: 'urn:drawbridge:error:setup_links_full' },
  })
})

it('the page allows its one script by its hash, is framed by nobody, and only the page with the code field has one', async () => {
  const entry = await aBrowser().ask('')
  expect(entry.policy).toMatch(/script-src 'sha256-[A-Za-z0-9+/=]+';/)
  expect(entry.policy).toContain("frame-ancestors 'none'")
  const { page } = await opened()
  expect(page.policy).not.toContain('script-src')
  expect(page.text).not.toContain('<script')
})
