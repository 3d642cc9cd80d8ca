/** A company's IT claims and proves its domains on the set-up page; and what of that a stolen, ended, foreign or repeated form is worth. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { mostDomainsOfSetupLink } from '@drawbridge/store/domains'
import { type SetUpPages, type ShownPage, setUpPages } from '@drawbridge/testkit/set-up-pages'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { BrokerDeps } from '../../deps.js'
import { rateLimits } from '../../http/rate-limit.js'

const start = instant(Date.UTC(2026, 10, 28))
let now: Instant = start
let pages: SetUpPages
const zone = new Map<string, () => ReturnType<BrokerDeps['resolveTxt']>>()

beforeAll(async () => {
  pages = await setUpPages({ clock: { now: () => now }, resolveTxt: async (name) => zone.get(name)?.() ?? { kind: 'absent' } })
})
afterAll(() => pages?.close())
beforeEach(async () => {
  now = addSeconds(now, 3600)
  zone.clear()
  await pages.owner('DELETE FROM domains')
  await pages.owner('DELETE FROM setup_links')
})

type Opened = Awaited<ReturnType<SetUpPages['opened']>>
const claim = ({ browser, page }: Opened, domain: string) => browser.ask('/domains', { proof: page.proof, domain })
const check = ({ browser, page }: Opened, domain: string) => browser.ask('/domains/verify', { proof: page.proof, domain })
const recordIn = ({ text }: ShownPage) => /drawbridge-domain-verification=[A-Za-z0-9_-]+/.exec(text)?.[0] ?? ''
const publish = (domain: string, ...records: readonly string[]) =>
  zone.set(`_drawbridge-challenge.${domain}`, async () => ({ kind: 'found', records }))
const domainsOf = async (slug = 'initech') =>
  (await pages.call('GET', `/tenants/${slug}/domains`)).body.domains as Record<string, unknown>[]

describe('a domain', () => {
  it('is claimed, its record is shown, it counts once the DNS says so, and the trail and the contacts are told', async () => {
    await pages.call('POST', '/tenants/initech/contacts', { name: 'Bill', email: 'bill@initech.example' })
    const set = await pages.opened()
    const claimed = await claim(set, 'Initech.Example.')
    expect(claimed.text).toContain('_drawbridge-challenge.initech.example')
    expect(claimed.text).toContain('Not proven yet')
    expect(await domainsOf()).toMatchObject([{ domain: 'initech.example', connectionId: null, verifiedAt: null }])
    const unproven = await check(set, 'initech.example')
    expect([unproven.status, unproven.text.includes('has no TXT record')]).toEqual([400, true])
    publish('initech.example', 'something else', recordIn(claimed))
    const proven = await check(set, 'initech.example')
    expect(proven.text).toContain('Proven since 2026-11-28')
    expect(await domainsOf()).toMatchObject([{ domain: 'initech.example', proof: 'dns', verifiedAt: expect.any(String) }])
    const trail = (await pages.call('GET', '/tenants/initech/audit-events')).body.auditEvents
    expect(trail.slice(0, 2)).toMatchObject([
      { kind: 'domain.proven', detail: { domain: 'initech.example', setupLink: set.link.id } },
      { kind: 'domain.added', detail: { domain: 'initech.example', setupLink: set.link.id, verified: false } },
    ])
    const [{ acts }] = (await pages.call('GET', '/tenants/initech/announcements')).body.announcements
    const by = expect.objectContaining({ keyName: 'set-up link: Peter of IT', isLink: true })
    for (const kind of ['domain.added', 'domain.proven'])
      expect(acts).toContainEqual(expect.objectContaining({ kind, about: 'initech.example', by }))
  })

  it.each([
    { seen: { kind: 'found', records: ['drawbridge-domain-verification=of-somebody-else'] }, says: 'but not this value' },
    { seen: { kind: 'unreachable' }, says: 'name servers did not answer' },
  ] as const)('stays unproven where its DNS answers $seen.kind, and the page says which record it wants', async ({ seen, says }) => {
    const set = await pages.opened()
    const record = recordIn(await claim(set, 'initech.example'))
    zone.set('_drawbridge-challenge.initech.example', async () => seen)
    const { status, text } = await check(set, 'initech.example')
    expect([status, text.includes(says), text.includes(`publish ${record}`)]).toEqual([400, true, true])
    expect(await domainsOf()).toMatchObject([{ verifiedAt: null }])
  })

  it('whose proof fails or has lapsed is told so, and is proven again by a look', async () => {
    const set = await pages.opened()
    publish('initech.example', recordIn(await claim(set, 'initech.example')))
    await check(set, 'initech.example')
    await pages.owner('UPDATE domains SET failing_since = $1', new Date(start))
    expect((await set.browser.ask('')).text).toContain('has not said so since 2026-11-28')
    await pages.owner('UPDATE domains SET verified_at = NULL, proof = NULL, failing_since = NULL, lapsed_at = $1', new Date(start))
    expect((await set.browser.ask('')).text).toContain('no more since 2026-11-28')
    expect((await check(set, 'initech.example')).text).toContain('Proven since')
  })

  it.each(['', 'initech', 'co.uk', 'http://initech.example/', '<script>', '127.0.0.1'])(
    'that is none is refused in words: “%s”',
    async (text) => {
      const { status, text: shown } = await claim(await pages.opened(), text)
      expect([status, shown.includes('role="alert"'), shown.includes('<script>')]).toEqual([400, true, false])
      expect(await domainsOf()).toEqual([])
    },
  )
})

describe('of other companies', () => {
  it('nothing is said by a claim, whoever has the domain; and who cannot prove it gets nothing', async () => {
    await pages.call('POST', '/tenants/globex/domains', { domain: 'globex.example', verified: true })
    await pages.call('POST', '/tenants/globex/domains', { domain: 'claimed.example' })
    const set = await pages.opened()
    for (const domain of ['nobody.example', 'claimed.example', 'globex.example']) {
      const { status, text } = await claim(set, domain)
      expect([status, text.includes(`<h3>${domain}</h3><p>Not proven yet`), text.includes('role="alert"')]).toEqual([200, true, false])
    }
    expect((await check(set, 'globex.example')).text).toContain('has no TXT record')
    expect(await domainsOf('globex')).toMatchObject([{ domain: 'claimed.example' }, { domain: 'globex.example', proof: 'vouched' }])
  })

  it('a proof that holds is not taken over, though the DNS says ours, and the page names nobody', async () => {
    await pages.call('POST', '/tenants/globex/domains', { domain: 'globex.example', verified: true })
    const set = await pages.opened()
    publish('globex.example', recordIn(await claim(set, 'globex.example')))
    const { status, text } = await check(set, 'globex.example')
    expect([status, text.includes('by somebody else here'), /acme|Globex/.test(text.replaceAll('globex.example', ''))]).toEqual([
      400,
      true,
      false,
    ])
    expect(await domainsOf()).toMatchObject([{ verifiedAt: null }])
  })

  it('and of an admin, or of another link of the same company, no domain is shown, looked at or claimed again', async () => {
    await pages.call('POST', '/tenants/initech/domains', { domain: 'of-an-admin.example' })
    const [one, other] = [await pages.opened(), await pages.opened()]
    await claim(one, 'initech.example')
    const { text } = await other.browser.ask('')
    expect([text.includes('initech.example'), text.includes('of-an-admin.example')]).toEqual([false, false])
    for (const domain of ['initech.example', 'of-an-admin.example', 'nobody.example']) {
      expect((await check(other, domain)).text).toContain('setup_form_invalid')
    }
    expect((await claim(other, 'initech.example')).text).toContain('claimed for your company already')
  })
})

describe('a form', () => {
  it('sent again claims nothing twice, and without its proof, of another link or of an ended one it does nothing', async () => {
    const [set, other] = [await pages.opened(), await pages.opened('acme')]
    await claim(set, 'initech.example')
    expect((await claim(set, 'initech.example')).status).toBe(400)
    for (const proof of ['', other.page.proof])
      for (const path of ['/domains', '/domains/verify'])
        expect((await set.browser.ask(path, { proof, domain: 'x.example' })).text).toContain('setup_form_invalid')
    await pages.call('DELETE', `/tenants/initech/setup-links/${set.link.id}`)
    for (const act of [claim, check]) expect((await act(set, 'initech.example')).text).toContain('setup_link_unusable')
    now = addSeconds(now, 8 * 86_400)
    expect((await claim(other, 'acme.example')).text).toContain('setup_link_unusable')
    expect((await domainsOf('acme')).filter(({ domain }) => domain === 'acme.example')).toEqual([])
  })

  it('whose link is taken back while we look proves nothing', async () => {
    const set = await pages.opened()
    const records = [recordIn(await claim(set, 'initech.example'))]
    zone.set('_drawbridge-challenge.initech.example', async () => {
      expect((await pages.call('DELETE', `/tenants/initech/setup-links/${set.link.id}`)).status).toBe(204)
      return { kind: 'found', records }
    })
    expect((await check(set, 'initech.example')).status).toBe(403)
    expect(await domainsOf()).toMatchObject([{ verifiedAt: null }])
  })

  it(`claims at most ${mostDomainsOfSetupLink} domains by one link, and has us look so often and no more`, async () => {
    const set = await pages.opened()
    const fill = `INSERT INTO domains (tenant_id, domain, challenge, created_at, setup_link_id)
      SELECT tenant_id, 'd' || n || '.example', 'c', now(), id FROM setup_links, generate_series(1, $1::int) AS n`
    await pages.owner(fill, mostDomainsOfSetupLink)
    const full = await claim(set, 'one-more.example')
    expect([full.status, full.text.includes('at most 20 domains'), full.text.includes('id="domain"')]).toEqual([400, true, false])
    for (let index = 1; index < rateLimits.setup.burst; index += 1) expect((await check(set, 'd1.example')).status).toBe(400)
    expect((await check(set, 'd1.example')).status).toBe(429)
  })

  it('of a link whose draft was declined is no way in any more', async () => {
    const set = await pages.opened()
    await pages.owner(
      "UPDATE connection_drafts SET state = 'declined', kind = 'saml', name = 'x', configuration = '{}' WHERE id = $1",
      set.link.draftId,
    )
    const page = await set.browser.ask('')
    expect(page.text).not.toContain('Your domains')
    expect((await claim(set, 'initech.example')).text).toContain('setup_form_invalid')
  })
})

it('a link that is swept leaves the domain with the tenant', async () => {
  const set = await pages.opened()
  await claim(set, 'initech.example')
  await pages.owner('DELETE FROM setup_links')
  expect(await domainsOf()).toMatchObject([{ domain: 'initech.example' }])
})
