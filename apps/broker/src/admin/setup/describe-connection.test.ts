/** The ways in which a company's IT says what its SAML IdP says: a file beside address and text, and what is read of it. */

import { type SetUpPages, type ShownPage, setUpPages } from '@drawbridge/testkit/set-up-pages'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let pages: SetUpPages
beforeAll(async () => {
  pages = await setUpPages()
})
afterAll(() => pages?.close())
beforeEach(() => pages.owner('DELETE FROM setup_links'))

const metadataXml = plainMetadata({ certificates: [aKey().certificate] })
const listing = (...formats: readonly string[]) =>
  metadataXml.replace(/(<(\w+:)?SingleSignOnService)/, `${formats.map((each) => `<$2NameIDFormat>${each}</$2NameIDFormat>`).join('')}$1`)
const saml2 = 'urn:oasis:names:tc:SAML:2.0:nameid-format:'

/** As a browser sends the form with a file. */
function withFile(page: ShownPage, octets: string | Uint8Array<ArrayBuffer>, more: Readonly<Record<string, string>> = {}): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries({ proof: page.proof, kind: 'saml', metadataUrl: '', metadataXml: '', ...more }))
    form.set(name, value)
  form.set('metadataFile', new Blob([octets], { type: 'text/xml' }), 'federation metadata.xml')
  return form
}

describe('metadata as a file', () => {
  it('is read as the pasted document is, with the mark that some products put before it', async () => {
    const { browser, page } = await pages.opened()
    for (const document of [metadataXml, `\uFEFF${metadataXml}`]) {
      const described = await browser.ask('/draft', withFile({ ...page, proof: (await browser.ask('')).proof }, document))
      expect([described.status, described.text.includes('What was understood')]).toEqual([200, true])
    }
  })

  it('is the one thing that is given: beside an address or text, and without any of the three, nothing is read', async () => {
    const { browser, page } = await pages.opened()
    const forms = [
      withFile(page, metadataXml, { metadataXml }),
      withFile(page, metadataXml, { metadataUrl: 'https://idp.example/metadata' }),
      withFile(page, ''),
    ]
    for (const form of forms) {
      const { status, text } = await browser.ask('/draft', form)
      expect([status, text.includes('one of them')]).toEqual([400, true])
    }
    expect((await browser.ask('/draft', withFile(page, '', { metadataXml }))).status).toBe(200)
  })

  it('that is no UTF-8, no XML, or hides what XML may not hold, is told in words', async () => {
    const { browser, page } = await pages.opened()
    const utf16 = Uint8Array.from(Buffer.from(`\uFEFF${metadataXml}`, 'utf16le'))
    expect((await browser.ask('/draft', withFile(page, utf16))).text).toContain('not in UTF-8')
    for (const file of ['PK\u0003\u0004', `${metadataXml}\0`, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', '-----BEGIN CERTIFICATE-----'])
      expect((await browser.ask('/draft', withFile(page, file))).status).toBe(400)
  })

  it('larger than metadata of one IdP is refused before it is read', async () => {
    const { browser, page } = await pages.opened()
    expect((await browser.ask('/draft', withFile(page, metadataXml + ' '.repeat(512 * 1024)))).status).toBe(413)
  })

  it('with a proof that is missing, of another link, or was sent before, changes nothing', async () => {
    const { browser, page } = await pages.opened()
    const other = await pages.opened('acme')
    for (const proof of ['', other.page.proof])
      expect((await browser.ask('/draft', withFile({ ...page, proof }, metadataXml))).text).toContain('setup_form_invalid')
    expect((await browser.ask('/draft', withFile(page, metadataXml))).status).toBe(200)
    expect((await browser.ask('/draft', withFile(page, metadataXml))).text).toContain('setup_form_invalid')
  })

  it('is a form at the one address that takes files, and nowhere else', async () => {
    const { browser, page } = await pages.opened()
    const described = await browser.ask('/draft', withFile(page, metadataXml))
    expect((await browser.ask('/activate', withFile(described, ''))).text).toContain('setup_form_invalid')
    const broken = await browser.ask('/draft', withFile(described, metadataXml, { proof: 'x'.repeat(10) }))
    expect(broken.status).toBe(403)
  })
})

describe('the NameID formats', () => {
  it('that the metadata lists are shown, with what they mean, now and when she comes back', async () => {
    const { browser, page } = await pages.opened()
    const document = listing(`${saml2}persistent`, `${saml2}transient`, 'urn:example:&lt;b>')
    const described = await browser.ask('/draft', withFile(page, document))
    for (const { text } of [described, await browser.ask('')]) {
      expect(text).toContain('persistent: stays with the person')
      expect(text).toContain('transient: another one at each sign-in')
      expect(text).toContain('<code>urn:example:&lt;b&gt;</code>')
    }
  })

  it('are cut where somebody lists very many or very long ones, and a letter is never halved by it', async () => {
    const { browser, page } = await pages.opened()
    const long = `urn:${'x'.repeat(195)}\u{1F511}${'y'.repeat(100)}`
    const { status, text } = await browser.ask(
      '/draft',
      withFile(page, listing(long, ...Array.from({ length: 40 }, (_, n) => `urn:n${n}`))),
    )
    expect([status, text.includes(`x\u{1F511}</code>`), text.includes('urn:n10<'), text.includes('urn:n11<')]).toEqual([
      200,
      true,
      true,
      false,
    ])
  })

  it('are none where the metadata names none', async () => {
    const { browser, page } = await pages.opened()
    expect(
      (await browser.ask('/draft', withFile(page, metadataXml.replace(/<(\w+:)?NameIDFormat>[^<]*<\/(\w+:)?NameIDFormat>/g, '')))).text,
    ).toContain('no format is named')
  })
})
