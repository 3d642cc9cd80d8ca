/** One IdP before several connections, of one company and of several: an answer counts at the connection that asked for it, and nowhere else. */
import { createSimulator } from '@drawbridge/simulator/simulator'
import { asOwner } from '@drawbridge/testkit/database'
import {
  type AddedConnection,
  aPersonsBrowser,
  type Company,
  isLetIn,
  type TwoCompanies,
  twoCompanies,
} from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
})
afterAll(() => two?.close())

type Browser = ReturnType<typeof aPersonsBrowser>
type Place = AddedConnection & { readonly company: Company }
const leave = (browser: Browser, { company, id }: Place, hint = 'ada@acme.example') =>
  browser.open(two.authorizeUrl(company, { connection: id, login_hint: hint }))
const subjectsNamed = (stableId: string) =>
  asOwner<{ id: string; tenant_id: string; connection_id: string }>(
    two.fixture.ownerUrl,
    'SELECT id, tenant_id, connection_id FROM subjects WHERE stable_id = $1',
    [stableId],
  )
/** What this browser gets at an address in front of which it stops: the page, or where it would be sent on to. */
async function bring(browser: Browser, url: string): Promise<string> {
  const cookie = [...browser.cookies(url)].map(([name, value]) => `${name}=${value}`).join('; ')
  const answer = await fetch(url, { headers: { cookie }, redirect: 'manual' })
  return answer.headers.get('location') ?? (await answer.text())
}
const sessions = async () => (await asOwner(two.fixture.ownerUrl, 'SELECT 1 FROM browser_sessions', [])).length

describe.each([
  { what: 'with an entity ID of its own', shared: undefined },
  { what: 'with one entity ID of ours for all', shared: 'urn:drawbridge' },
])('one SAML IdP, each connection $what', ({ shared }) => {
  const first = {} as Record<'here' | 'beside' | 'elsewhere', Place>
  beforeAll(async () => {
    const more = shared === undefined ? {} : { spEntityId: shared }
    for (const [name, company] of [
      ['here', 'acme'],
      ['beside', 'acme'],
      ['elsewhere', 'globex'],
    ] as const)
      first[name] = { company, ...(await two.addConnection(company, 'saml', more)) }
  })
  /** Registers the connection at the IdP, and begins a login there; the answer stays in the browser's hand. */
  const answerFor = async (browser: Browser, place: Place) => {
    two.introduce('saml', [place.url], shared)
    return (await leave(browser, place)).form('SAMLResponse').fields
  }
  const post = (browser: Browser, { url }: Place, fields: Readonly<Record<string, string>>) => browser.post(`${url}/acs`, fields)

  it.each(['beside', 'elsewhere'] as const)('an answer for one is none for the one %s, with either RelayState', async (name) => {
    const other = first[name]
    const browser = aPersonsBrowser({ submitsSamlForms: false })
    const here = await answerFor(browser, first.here)
    const there = await answerFor(browser, other)
    const before = await sessions()
    // Where nothing of that name is pending.
    expect((await post(browser, other, here)).text).toContain('request_not_of_browser')
    // In place of the answer that is awaited there.
    const swapped = { SAMLResponse: here['SAMLResponse'] ?? '', RelayState: there['RelayState'] ?? '' }
    expect((await post(browser, other, swapped)).text).toContain('cause saml_')
    expect(await sessions()).toBe(before)
    // Neither login was consumed.
    expect(isLetIn(await post(browser, first.here, here))).toBe(true)
    expect(isLetIn(await post(browser, other, there))).toBe(true)
  })

  it('the same NameID is another person at each connection', async () => {
    for (const place of Object.values(first)) {
      const browser = aPersonsBrowser({ submitsSamlForms: false })
      expect(isLetIn(await post(browser, place, await answerFor(browser, place)))).toBe(true)
    }
    const rows = await subjectsNamed('acme-ada')
    for (const { id } of Object.values(first)) expect(rows.filter((row) => row.connection_id === id)).toHaveLength(1)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
  })
})

it('two customers of JumpCloud typed the same IdP entity ID: the keys tell them apart', async () => {
  const stranger = createSimulator({ port: 0, host: '127.0.0.1', signInWithoutAsking: true })
  await stranger.start()
  const theirs = /X509Certificate>([^<]+)</.exec(stranger.metadataXml('acme'))?.[1]?.replace(/\s/g, '')
  const idpEntityId = two.configurationOf('acme')['idpEntityId']
  const acme: Place = { company: 'acme', ...(await two.addConnection('acme', 'saml')) }
  const globex: Place = { company: 'globex', ...(await two.addConnection('globex', 'saml', { idpEntityId, certificates: [theirs] })) }
  // Acme's IdP signs for both; what it says of globex's people counts for nothing.
  two.introduce('saml', [acme.url])
  expect(isLetIn(await leave(aPersonsBrowser(), acme))).toBe(true)
  two.introduce('saml', [globex.url])
  expect((await leave(aPersonsBrowser(), globex)).text).toContain('saml_signature_invalid')
  expect((await subjectsNamed('acme-ada')).some((row) => row.connection_id === globex.id)).toBe(false)
  await stranger.close()
})

describe('one OpenID provider and client', () => {
  const places: Place[] = []
  beforeAll(async () => {
    for (const company of ['globex', 'globex', 'acme'] as const) places.push({ company, ...(await two.addConnection(company, 'oidc')) })
    two.introduce(
      'oidc',
      places.map(({ url }) => url),
    )
  })
  const [here, beside, elsewhere] = [0, 1, 2].map((index) => () => places[index] as Place)
  const callbackOf = ({ url }: Place) => `${url}/callback`

  it.each([
    { where: 'beside', other: beside },
    { where: 'elsewhere', other: elsewhere },
  ])('an answer for one is none for the one $where, with either state', async ({ other }) => {
    const [own, foreign] = [here?.() as Place, other?.() as Place]
    const browser = aPersonsBrowser({ stopAt: [callbackOf(own), callbackOf(foreign)] })
    const atOwn = new URL((await leave(browser, own, 'clark@globex.example')).url)
    const atForeign = new URL((await leave(browser, foreign, 'clark@globex.example')).url)
    expect([atOwn.searchParams.has('code'), atForeign.searchParams.has('code')]).toEqual([true, true])
    const before = await sessions()
    const crossed = await bring(browser, `${callbackOf(foreign)}${atOwn.search}`)
    expect(crossed).toContain('request_not_of_browser')
    const swapped = new URLSearchParams(atOwn.search)
    swapped.set('state', atForeign.searchParams.get('state') ?? '')
    expect(await bring(browser, `${callbackOf(foreign)}?${swapped}`)).toMatch(/cause <code>oidc_|login_refused/)
    expect(await sessions()).toBe(before)
    expect(await bring(browser, atOwn.href)).toContain('/authorize/consent?request=')
  })

  it('the same sub is another person at each connection', async () => {
    for (const place of places) expect(isLetIn(await leave(aPersonsBrowser(), place, 'clark@globex.example'))).toBe(true)
    const rows = await subjectsNamed('globex-clark')
    for (const { id } of places) expect(rows.filter((row) => row.connection_id === id)).toHaveLength(1)
  })
})
