/**
 * The second factor at identity providers that share no code with us, by SAML and by OpenID Connect: asked for in their own way, believed by what
 * they answer, asked for again for every new grant, and by what a tenant says that its own IdP means.
 */
import { inflateRawSync } from 'node:zlib'
import { instant } from '@drawbridge/core/instant'
import type { Browser, Page } from '@drawbridge/simulator/browser'
import { publish } from '@drawbridge/testkit/a-login'
import { asOwner } from '@drawbridge/testkit/database'
import {
  aPersonsBrowser,
  bothCompanies,
  type Company,
  isLetIn,
  protocolOf,
  type TwoCompanies,
  twoCompanies,
} from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
}, 60_000)
afterAll(() => two.close())

const policy = (company: Company, more: string) =>
  publish(
    two.fixture,
    two.of(company),
    instant(Date.now()),
    `version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n${more}`,
  )
const needsTwo = 'mfa: [{ name: strong, scopes: [read] }]'

/** How each trip to the IdP asked, in the words of its protocol. */
function askedOf(company: Company, { trail }: Page): readonly string[] {
  const requests = trail.map((address) => new URL(address)).filter(({ origin }) => origin === new URL(two.portal).origin)
  return requests.flatMap(({ searchParams: query }) => {
    if (protocolOf(company) === 'oidc')
      return query.has('code_challenge') ? [[query.get('acr_values'), query.get('prompt'), query.get('max_age')].map(String).join(' ')] : []
    const request = query.get('SAMLRequest')
    if (request === null) return []
    const xml = inflateRawSync(Buffer.from(request, 'base64')).toString('utf8')
    return [[/ClassRef>([^<]+)</.exec(xml)?.[1], /ForceAuthn="(\w+)"/.exec(xml)?.[1]].map(String).join(' ')]
  })
}
const refeds = 'https://refeds.org/profile/mfa'
const bySecondFactor: Readonly<Record<Company, string>> = { acme: `${refeds} true`, globex: `${refeds} login 0` }
const byWish: Readonly<Record<Company, string>> = { acme: `${refeds} undefined`, globex: `${refeds} null null` }
const byForce: Readonly<Record<Company, string>> = { acme: 'undefined true', globex: 'null login 0' }
const byNothing: Readonly<Record<Company, string>> = { acme: 'undefined undefined', globex: 'null null null' }

/** She signed in so many seconds earlier than she did. */
const age = (company: Company, seconds: number) =>
  asOwner(
    two.fixture.ownerUrl,
    'UPDATE browser_sessions SET authenticated_at = authenticated_at - make_interval(secs => $2), created_at = created_at - make_interval(secs => $2) WHERE tenant_id = $1',
    [two.of(company).tenantId, seconds],
  )

describe.each(bothCompanies)('at %s', (company) => {
  const signIn = (person: string, browser?: Browser) => two.signIn(company, person, browser)

  it('a second grant from a live session asks again once the proof is five minutes old, and not before', async () => {
    await policy(company, needsTwo)
    const browser = aPersonsBrowser()
    const first = await signIn('ada', browser)
    expect([isLetIn(first), askedOf(company, first)]).toEqual([true, [byNothing[company], bySecondFactor[company]]])
    const second = await signIn('ada', browser)
    expect([isLetIn(second), askedOf(company, second)]).toEqual([true, []])
    await age(company, 301)
    const third = await signIn('ada', browser)
    expect([isLetIn(third), askedOf(company, third)]).toEqual([true, [bySecondFactor[company]]])
  })

  it('what is privileged is asked for anew each time, and refused when the IdP answers from its old session all the same', async () => {
    const { tenantId, resourceId } = two.of(company)
    const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'admin', 'admin', 'admin', false)`
    await asOwner(two.fixture.ownerUrl, scope, [tenantId, resourceId])
    await two.configure(company)
    await policy(company, 'bundles: [{ name: admins, groups: [staff], scopes: [admin] }]')
    const browser = aPersonsBrowser()
    const ask = () => browser.open(two.authorizeUrl(company, { scope: 'admin', login_hint: `ada@${company}.example` }))
    for (let round = 0; round < 2; round += 1) {
      const page = await ask()
      expect([isLetIn(page), askedOf(company, page)]).toEqual([true, [byForce[company]]])
    }
    two.simulator.armFault(company, 'ignores-force')
    const refused = await ask()
    two.simulator.disarmFault(company, 'ignores-force')
    expect([refused.status, askedOf(company, refused)]).toEqual([400, [byForce[company]]])
    expect(refused.text).toContain('authn_not_fresh')
  })

  it('a client that wishes several factors has the IdP asked for them, in its words and without a demand (OIDC Core §5.5.1.1)', async () => {
    await policy(company, '')
    const ask = (person: string, browser: Browser) =>
      browser.open(two.authorizeUrl(company, { acr_values: 'multi_factor', login_hint: `${person}@${company}.example` }))
    const browser = aPersonsBrowser()
    expect(isLetIn(await two.signIn(company, 'ada', browser))).toBe(true)
    const asked = await ask('ada', browser)
    expect([isLetIn(asked), askedOf(company, asked)]).toEqual([true, [byWish[company]]])
    const again = await ask('ada', browser)
    expect([isLetIn(again), askedOf(company, again)]).toEqual([true, []])
  })

  it.each([{ prompt: 'login' }, { max_age: '0' }, { max_age: '600' }] as Record<string, string>[])(
    'a client that asks for %o of an IdP that answers from its old session all the same hears login_required (OIDC Core §3.1.2.1)',
    async (asks) => {
      await policy(company, '')
      const browser = aPersonsBrowser()
      const ask = () => browser.open(two.authorizeUrl(company, { ...asks, login_hint: `ada@${company}.example` }))
      const asked = await ask()
      expect([isLetIn(asked), askedOf(company, asked)]).toEqual([true, [byForce[company]]])
      await age(company, 601)
      two.simulator.armFault(company, 'ignores-force')
      const refused = await ask()
      two.simulator.disarmFault(company, 'ignores-force')
      const { searchParams } = new URL(refused.url)
      expect([searchParams.get('error'), searchParams.has('iss'), searchParams.has('code')]).toEqual(['login_required', true, false])
      const line = `SELECT reason, client_id FROM audit_events WHERE tenant_id = $1 AND kind = 'login_refused' ORDER BY id DESC LIMIT 1`
      const reason = protocolOf(company) === 'saml' ? 'saml_authn_not_fresh' : 'oidc_authn_not_fresh'
      expect(await asOwner(two.fixture.ownerUrl, line, [two.of(company).tenantId])).toEqual([
        { reason, client_id: two.of(company).clientId },
      ])
    },
  )

  it('who has no second factor is asked once, and told what was missing', async () => {
    await policy(company, needsTwo)
    const refused = await signIn('clark')
    expect([refused.status, askedOf(company, refused)]).toEqual([403, [byNothing[company], bySecondFactor[company]]])
    expect(refused.text).toContain('multi-factor authentication, which strong demands; the identity provider proved single factor')
  })

  it('where the vendor knows no way to ask, a fresh sign-in alone is demanded', async () => {
    await policy(company, needsTwo)
    const nothingToAsk = protocolOf(company) === 'saml' ? { stepUpClassRef: null } : { stepUpAcr: null }
    expect((await two.configure(company, nothingToAsk)).status).toBe(200)
    const refused = await signIn('clark')
    await two.configure(company)
    expect([refused.status, askedOf(company, refused)]).toEqual([403, [byNothing[company], byForce[company]]])
  })

  it('what its own IdP means, the tenant says for one connection, and it holds there alone', async () => {
    await two.configure(company, { mapping: { methods: ['firstName', 'given_name', 'givenName'] } })
    const means = (connection: string) =>
      policy(company, `${needsTwo}\nstrength: [{ name: own, connection: ${connection}, amr: [Clark], means: multi_factor }]`)
    await means('6d1f0a52-0000-4000-8000-000000000000')
    expect((await signIn('clark')).status).toBe(403)
    await means(two.of(company).connectionId)
    expect(isLetIn(await signIn('clark'))).toBe(true)
    await two.configure(company)
    expect((await signIn('clark')).status).toBe(403)
  })
})
