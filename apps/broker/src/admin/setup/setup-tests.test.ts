/** A company's IT tests its sign-in from the set-up page, in both protocols; who else could begin, see or repeat that test, and does not. */
import type { Browser, Page } from '@drawbridge/simulator/browser'
import { testLoginLimits } from '@drawbridge/store/test-logins'
import { asOwner } from '@drawbridge/testkit/database'
import {
  aPersonsBrowser,
  bothCompanies,
  type Company,
  protocolOf,
  type TwoCompanies,
  twoCompanies,
} from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
  for (const company of bothCompanies)
    await two.call('PUT', `/tenants/${company}/lab/rate-limits`, { login: { perSecond: 1000, burst: 1000 } })
})
afterAll(() => two?.close())
beforeEach(async () => {
  await owner('DELETE FROM test_logins')
  await owner('DELETE FROM setup_links')
})

const owner = <Row>(text: string, ...parameters: unknown[]) => asOwner<Row>(two.fixture.ownerUrl, text, parameters)
const opening = ['subjects', 'browser_sessions', 'grants', 'authorization_codes', 'authorization_requests']
const countAll = () => Promise.all(opening.map((table) => owner(`SELECT count(*) FROM ${table}`)))
const setupOf = (company: Company) => `${two.publicUrl}/t/${company}/setup`

/** The page of a link whose draft was approved and is the company's connection now. */
async function aSetUp(company: Company = 'acme', isActive = true) {
  const { body: link } = await two.call('POST', `/tenants/${company}/setup-links`, { note: 'Peter of IT' })
  const become = `UPDATE connection_drafts SET id = $2, state = $3, kind = $4, name = 'IdP', configuration = '{}' WHERE id = $1`
  if (isActive) await owner(become, link.draftId, two.of(company).connectionId, 'activated', protocolOf(company))
  const browser = aPersonsBrowser()
  const page = await (await browser.open(setupOf(company))).form('token').submit({ token: String(link.url).split('#')[1] ?? '' })
  return { id: String(link.id), browser, page }
}
type SetUp = Awaited<ReturnType<typeof aSetUp>>

const forClient = (company: Company) => ({ clientId: two.of(company).clientId, resource: two.of(company).resource })
const hinted = (company: Company) => ({ loginHint: `ada@${company}.example` })
const ask = ({ page }: SetUp, more: Readonly<Record<string, string>> = {}) => page.form('Test the sign-in').submit(more)
const resultsIn = ({ html }: Page) => [...html.matchAll(/href="([^"]+\/setup\/test-logins\/[^"]+)"/g)].map(([, url = '']) => url)
async function read(company: Company, browser: Browser): Promise<Page> {
  const [url = ''] = resultsIn(await browser.open(setupOf(company)))
  return browser.open(url)
}

describe.each(bothCompanies)('a test of %s', (company) => {
  it('shows what came, what it became, the second factor, limits and scopes with reasons, and opens nothing', async () => {
    const [set, before] = [await aSetUp(company), await countAll()]
    const asked = await ask(set, { ...hinted(company), ...forClient(company) })
    expect(asked.text).toContain('on the set-up page of this browser')
    const done = await asked.form('Start the test').submit()
    expect(done.text).toContain('read where the test was asked for')
    const { text } = await read(company, set.browser)
    for (const words of [
      ...['this application would get access', 'What your identity provider sent', `ada@${company}.example`, 'Who you are, for ever'],
      ...['would be let in', 'single_factor', 'seconds, by tier', 'read granted: granted by rule staff', 'Its signature holds yes'],
    ])
      expect(text.replaceAll(/\s+/g, ' ')).toContain(words)
    expect(await countAll()).toEqual(before)
  })

  it('without an application says who comes in; of a refused answer, why and what helps', async () => {
    const set = await aSetUp(company)
    await (await ask(set, hinted(company))).form('Start the test').submit()
    expect((await read(company, set.browser)).text).toContain('No policy was asked')
    two.simulator.armFault(company, 'wrong-audience')
    const again = { ...set, page: await set.browser.open(setupOf(company)) }
    await (await ask(again, hinted(company))).form('Start the test').submit()
    const { text } = await read(company, set.browser)
    expect(text).toContain('would be refused')
    expect(text).toMatch(/audience\s+awaited/)
  })
})

it('is in the trail and told to the contacts as the link’s, with the connection’s name', async () => {
  await two.call('POST', '/tenants/acme/contacts', { name: 'Bill', email: 'bill@acme.example' })
  const set = await aSetUp()
  await ask(set, hinted('acme'))
  const [line] = (await two.call('GET', '/tenants/acme/audit-events')).body.auditEvents
  expect(line).toMatchObject({ kind: 'connection.test_login_created', detail: { setupLink: set.id, loginHint: 'ada@acme.example' } })
  const [{ acts }] = (await two.call('GET', '/tenants/acme/announcements')).body.announcements
  expect(acts).toContainEqual(expect.objectContaining({ kind: line.kind, about: 'IdP', by: expect.objectContaining({ isLink: true }) }))
})

describe('nobody else', () => {
  it('reads it: no admin key, no other link of the company, no other company, and not this one once it has ended', async () => {
    const set = await aSetUp()
    await (await ask(set, hinted('acme'))).form('Start the test').submit()
    const [url = ''] = resultsIn(await set.browser.open(setupOf('acme')))
    const id = url.split('/').at(-1)
    expect((await two.call('GET', `/tenants/acme/test-logins/${id}`)).status).toBe(404)
    const globex = await aSetUp('globex')
    expect((await globex.browser.open(url.replace('/acme/', '/globex/'))).status).toBe(403)
    expect((await globex.browser.open(url)).status).toBe(403)
    expect((await aPersonsBrowser().open(url)).status).toBe(403)
    // Another link of the same company, by the same connection even.
    await owner('UPDATE connection_drafts SET id = gen_random_uuid() WHERE setup_link_id = $1', set.id)
    const other = await aSetUp()
    expect((await other.browser.open(url)).status).toBe(403)
    expect(resultsIn(other.page)).toEqual([])
    await owner('UPDATE setup_links SET revoked_at = now() WHERE id = $1', set.id)
    expect((await set.browser.open(url)).text).toContain('setup_link_unusable')
  })

  it('takes it on: the URL sent to a person of the company is worth nothing, nor is it once the link has ended', async () => {
    const set = await aSetUp()
    const asked = await ask(set, hinted('acme'))
    const { fields, action } = asked.form('Start the test')
    const person = aPersonsBrowser()
    expect((await person.open(asked.url)).text).toContain('test_login_over')
    expect((await person.post(action, fields)).text).toContain('test_login_over')
    expect((await set.browser.open(asked.url)).text).toContain('Nothing is opened')
    await two.call('DELETE', `/tenants/acme/setup-links/${set.id}`)
    expect((await asked.form('Start the test').submit()).text).toContain('test_login_over')
    expect(await owner('SELECT 1 FROM test_logins WHERE redeemed_at IS NOT NULL')).toEqual([])
  })

  it('reads an admin’s test on a set-up page', async () => {
    const set = await aSetUp()
    const path = `/tenants/acme/connections/${two.of('acme').connectionId}/test-logins`
    const { body } = await two.call('POST', path, {})
    expect((await set.browser.open(`${setupOf('acme')}/test-logins/${body.id}`)).status).toBe(403)
    expect(resultsIn(await set.browser.open(setupOf('acme')))).toEqual([])
  })
})

describe('a form', () => {
  it('asks for nothing without its proof, with another link’s, or once the link has ended', async () => {
    const [set, other] = [await aSetUp(), await aSetUp('globex')]
    const { fields, action } = set.page.form('Test the sign-in')
    for (const proof of ['', other.page.form('Test the sign-in').fields['proof'] ?? ''])
      expect((await set.browser.post(action, { ...fields, proof }, setupOf('acme'))).text).toContain('setup_form_invalid')
    expect((await set.browser.post(action, fields, 'https://elsewhere.example/')).text).toContain('setup_link_unusable')
    await two.call('DELETE', `/tenants/acme/setup-links/${set.id}`)
    expect((await ask(set)).text).toContain('setup_link_unusable')
    expect(await owner('SELECT 1 FROM test_logins')).toEqual([])
  })

  it('names only what the company has, and no policy', async () => {
    const set = await aSetUp()
    const { fields, action } = set.page.form('Test the sign-in')
    const send = (more: Readonly<Record<string, string>>) => set.browser.post(action, { ...fields, ...more }, setupOf('acme'))
    for (const foreign of [
      { ...forClient('acme'), resource: two.of('globex').resource },
      { ...forClient('acme'), clientId: 'nobody' },
    ])
      expect(await send(foreign)).toMatchObject({ status: 400, text: expect.stringContaining('does not have') })
    expect((await send({ ...forClient('acme'), resource: '' })).status).toBe(400)
    expect((await send({ loginHint: 'x'.repeat(400) })).text).toContain('setup_form_invalid')
    await send({ policyDocument: 'version: 1\nrules: []\n', ...forClient('acme') })
    expect(await owner("SELECT asked ->> 'policyDocument' AS draft FROM test_logins")).toEqual([{ draft: null }])
  })

  it('repeated asks for a test each time, up to the limit of a link, whatever the tenant has left', async () => {
    const set = await aSetUp()
    for (let n = 0; n < testLoginLimits.mostOfSetupLink; n += 1) expect((await ask(set)).text).toContain('Nothing is opened')
    const full = await ask(set)
    expect([full.status, full.text.includes('end within the hour') || full.text.includes('ends within the hour')]).toEqual([400, true])
    expect(full.html).not.toContain('id="loginHint"')
    const path = `/tenants/acme/connections/${two.of('acme').connectionId}/test-logins`
    expect((await two.call('POST', path, {})).status).toBe(201)
  })

  it('is not there, and does nothing, before there is a connection', async () => {
    const set = await aSetUp('acme', false)
    expect(set.page.html).not.toContain('/setup/test-logins')
    const proof = set.page.form('metadataUrl').fields['proof'] ?? ''
    expect((await set.browser.post(`${setupOf('acme')}/test-logins`, { proof }, setupOf('acme'))).text).toContain('setup_form_invalid')
  })
})
