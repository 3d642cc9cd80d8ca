/** A broker whose set-up pages are asked over HTTP as a browser asks them: links, a jar, and forms that are posted as they were shown. */
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { aBroker, type TestBroker } from './a-broker.js'
import { aTenant } from './a-tenant.js'
import { anAdmin, type Call } from './an-admin.js'
import { asOwner, type TestDatabase, testDatabase } from './database.js'

export type ShownPage = { readonly status: number; readonly text: string; readonly proof: string; readonly location: string }
export type SetUpLink = { readonly id: string; readonly draftId: string; readonly token: string }
type Filled = Readonly<Record<string, string>> | FormData

export type SetUpBrowser = {
  readonly jar: Map<string, string>
  /** Below the tenant's set-up page. A redirect back to it is followed, any other is answered with its `location`. */
  readonly ask: (path: string, form?: Filled) => Promise<ShownPage>
}

export type SetUpPages = {
  readonly fixture: TestDatabase
  readonly broker: TestBroker
  readonly call: Call
  owner<Row>(text: string, ...parameters: unknown[]): Promise<Row[]>
  aBrowser(slug?: string): SetUpBrowser
  aLink(slug?: string): Promise<SetUpLink>
  opened(slug?: string): Promise<{ link: SetUpLink; browser: SetUpBrowser; page: ShownPage }>
  close(): Promise<void>
}

/** initech has no connection, acme and globex have one each. */
export async function setUpPages(change: Partial<BrokerDeps> = {}): Promise<SetUpPages> {
  const fixture = await testDatabase()
  for (const slug of ['acme', 'globex']) await aTenant(fixture, { slug })
  const broker = await aBroker(fixture.database, change)
  const call = anAdmin(broker)
  await call('POST', '/tenants', { slug: 'initech', name: 'Initech' })
  const aBrowser: SetUpPages['aBrowser'] = (slug = 'initech') => aSetUpBrowser(`${broker.url}/t/${slug}/setup`)
  const aLink: SetUpPages['aLink'] = async (slug = 'initech') => {
    const { status, body } = await call('POST', `/tenants/${slug}/setup-links`, { note: 'Peter of IT' })
    if (status !== 201) throw new Error(`no link: ${JSON.stringify(body)}`)
    return { id: String(body.id), draftId: String(body.draftId), token: String(body.url).split('#')[1] ?? '' }
  }
  return {
    ...{ fixture, broker, call, aBrowser, aLink },
    owner: (text, ...parameters) => asOwner(fixture.ownerUrl, text, parameters),
    opened: async (slug) => {
      const link = await aLink(slug)
      const browser = aBrowser(slug)
      const page = await browser.ask('/open', { token: link.token })
      if (page.status !== 200) throw new Error(`the link does not open: ${page.text}`)
      return { link, browser, page }
    },
    close: async () => {
      await broker.close()
      await fixture.close()
    },
  }
}

function aSetUpBrowser(base: string): SetUpBrowser {
  const jar = new Map<string, string>()
  const ask: SetUpBrowser['ask'] = async (path, form) => {
    const answer = await fetch(`${base}${path}`, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form instanceof FormData ? form : new URLSearchParams(form) }),
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';', 1)[0] ?? '').split('=')
      jar.set(name, value)
    }
    const location = answer.headers.get('location') ?? ''
    if (location.endsWith('/setup')) return ask('')
    const text = await answer.text()
    return { status: answer.status, text, proof: /name="proof" value="([^"]+)"/.exec(text)?.[1] ?? '', location }
  }
  return { jar, ask }
}
