/** A set-up link that is clicked again in its mail: its own browser goes on where it was, and nobody else gains by it. */
import { type SetUpPages, setUpPages } from '@drawbridge/testkit/set-up-pages'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let pages: SetUpPages
beforeAll(async () => {
  pages = await setUpPages()
})
afterAll(() => pages?.close())
beforeEach(() => pages.owner('DELETE FROM setup_links'))

const metadataXml = plainMetadata({ certificates: [aKey().certificate] })

it('goes on in the browser that opened it: no new cookie, no line of the trail, and the draft as it was', async () => {
  const { link, browser, page } = await pages.opened()
  await browser.ask('/draft', { proof: page.proof, kind: 'saml', metadataXml })
  const cookies = new Map(browser.jar)
  // From a mail program's page the cookie does not come along, so the code is asked for; the form that sends it is of this site.
  const again = await browser.ask('/open', { token: link.token })
  expect(again).toMatchObject({ status: 200, text: expect.stringContaining('What was understood') })
  expect(browser.jar).toEqual(cookies)
  const { body } = await pages.call('GET', '/tenants/initech/audit-events')
  const kinds = body.auditEvents.map(({ kind }: { kind: string }) => kind)
  expect(kinds.slice(0, 3)).toEqual(['connection_draft.saved', 'setup_link.opened', 'setup_link.created'])
  expect((await browser.ask('/activate', { proof: again.proof })).text).toContain('It is active')
})

it('is refused in the browser that has opened another link since, and once it was taken back: setup_link_unusable', async () => {
  const { link, browser } = await pages.opened()
  const other = await pages.aLink()
  await browser.ask('/open', { token: other.token })
  expect((await browser.ask('/open', { token: link.token })).text).toContain('setup_link_unusable')
  expect((await pages.call('DELETE', `/tenants/initech/setup-links/${other.id}`)).status).toBe(204)
  expect((await browser.ask('/open', { token: other.token })).text).toContain('setup_link_unusable')
})
