/** Who a person is, over both protocols and by the directory's own calls: a stable subject, let in by the tenant's rule, gone when SCIM says so. */

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
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
  for (const company of bothCompanies) {
    const token = await two.call('POST', `/tenants/${company}/scim-tokens`, {
      connectionId: two.of(company).connectionId,
      name: 'directory',
    })
    two.simulator.connect(company, { scimBaseUrl: `${two.publicUrl}/t/${company}/scim/v2`, scimToken: token.body.secret })
  }
})
afterAll(() => two?.close())

const owner = <Row extends Record<string, unknown>>(text: string, ...parameters: unknown[]) =>
  asOwner<Row>(two.fixture.ownerUrl, text, parameters)
const mode = (company: Company, chosen: string) => two.call('PUT', `/tenants/${company}/provisioning`, { mode: chosen })
/** As on the first day: nobody has signed in, and the directory knows nobody. */
beforeEach(async () => {
  for (const table of ['authorization_requests', 'browser_sessions', 'grants', 'subjects', 'scim_users', 'invitations', 'domains'])
    await owner(`DELETE FROM ${table}`).catch(() => owner(`TRUNCATE ${table} CASCADE`))
  for (const company of bothCompanies) {
    await two.configure(company)
    await mode(company, 'just_in_time')
  }
})

type Subject = { readonly id: string; readonly stable_id: string; readonly scim_user_id: string | null; readonly deactivated: boolean }
const subjectsOf = (company: Company) =>
  owner<Subject>(
    `SELECT id, stable_id, scim_user_id, deactivated_at IS NOT NULL AS deactivated FROM subjects WHERE tenant_id = $1 ORDER BY stable_id`,
    two.of(company).tenantId,
  )
const textOf = async (company: Company, person: string) => (await two.signIn(company, person)).text
/** Evidence of the very second of a barrier is refused. */
const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)))
const address = (text: string) => ({ mapping: { claims: { email: { expression: `'${text}'` } }, groups: { from: ['groups'] } } })
const provenDomain = (company: Company, domain: string) => two.call('POST', `/tenants/${company}/domains`, { domain, verified: true })
const nativeId = (company: Company) => (protocolOf(company) === 'saml' ? 'NameID' : 'sub')

describe.each(bothCompanies)('a person of %s', (company) => {
  it('is who the stable id says: with one address two people stay two, and with another one she stays herself', async () => {
    await two.configure(company, address(`shared@${company}.example`))
    for (const person of ['ada', 'clark']) expect(isLetIn(await two.signIn(company, person))).toBe(true)
    const before = await subjectsOf(company)
    expect(before.map(({ stable_id }) => stable_id)).toEqual([`${company}-ada`, `${company}-clark`])
    await two.configure(company, address(`married@${company}.example`))
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
    expect((await subjectsOf(company)).map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  })

  it('comes in just in time, or only once the directory has her, or only when invited', async () => {
    await mode(company, 'scim_only')
    expect(await textOf(company, 'ada')).toContain('subject_not_in_directory')
    await two.simulator.provision(company, `${company}-ada`)
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
    await mode(company, 'invited_only')
    expect(await textOf(company, 'clark')).toContain('subject_not_invited')
    const invitation = { connectionId: two.of(company).connectionId, namedBy: 'link_key', value: `${company}-clark` }
    expect((await two.call('POST', `/tenants/${company}/invitations`, invitation)).status).toBe(201)
    expect(isLetIn(await two.signIn(company, 'clark'))).toBe(true)
    await mode(company, 'just_in_time')
    expect(isLetIn(await two.signIn(company, 'max'))).toBe(true)
    expect((await subjectsOf(company)).map(({ stable_id }) => stable_id)).toEqual([`${company}-ada`, `${company}-clark`, `${company}-max`])
  })

  it.each(['okta', 'entra-legacy', 'entra-compliant'] as const)(
    'who is deactivated by SCIM as %s does it cannot come back by signing in, until the directory takes that back',
    async (dialect) => {
      await two.simulator.provision(company, `${company}-lena`)
      expect(isLetIn(await two.signIn(company, 'lena'))).toBe(true)
      expect((await two.simulator.deactivate(company, `${company}-lena`, dialect)).isDone).toBe(true)
      await nextSecond()
      for (const chosen of ['just_in_time', 'scim_only', 'invited_only']) {
        await mode(company, chosen)
        expect(await textOf(company, 'lena')).toContain('subject_deactivated')
      }
      expect((await two.simulator.reactivate(company, `${company}-lena`, dialect)).isDone).toBe(true)
      await nextSecond()
      expect(isLetIn(await two.signIn(company, 'lena'))).toBe(true)
    },
  )

  it('whom the directory deactivated before she ever signed in does not come in', async () => {
    await two.simulator.provision(company, `${company}-lena`)
    await two.simulator.deactivate(company, `${company}-lena`)
    expect(await textOf(company, 'lena')).toContain('subject_deactivated')
    expect(await subjectsOf(company)).toEqual([])
    const { body } = await two.call('GET', `/tenants/${company}/revocations`)
    expect(body.revocations).toContainEqual(expect.objectContaining({ source: 'scim', matched: false }))
  })

  it('whom the directory deleted does not come in, by this connection or another', async () => {
    await two.simulator.provision(company, `${company}-lena`)
    expect(isLetIn(await two.signIn(company, 'lena'))).toBe(true)
    await deleteByScim(company, 'lena')
    await nextSecond()
    expect(await textOf(company, 'lena')).toContain('subject_deactivated')
    const protocol = protocolOf(company)
    const other = await two.addConnection(company, protocol)
    two.introduce(protocol, [other.url])
    const hint = { login_hint: `lena@${company}.example`, connection: other.id }
    const refused = await aPersonsBrowser().open(two.authorizeUrl(company, hint))
    two.introduce(protocol, [two.connectionUrl(company)])
    expect(refused.text).toContain('subject_deactivated')
  })

  it('is linked to her directory user by the key that the connection declares, and by no other', async () => {
    await two.simulator.provision(company, `${company}-ada`)
    const linkedBy = async (scimLinkKey: object | undefined) => {
      await owner('UPDATE subjects SET scim_user_id = NULL WHERE tenant_id = $1', two.of(company).tenantId)
      await two.configure(company, scimLinkKey && { scimLinkKey })
      expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
      return (await subjectsOf(company))[0]?.scim_user_id !== null
    }
    expect(await linkedBy({ attribute: nativeId(company), scim: 'externalId' })).toBe(true)
    expect(await linkedBy({ attribute: nativeId(company), scim: 'userName' })).toBe(false)
    expect(await linkedBy(undefined)).toBe(true)
    await provenDomain(company, `${company}.example`)
    expect(await linkedBy({ attribute: 'email', scim: 'userName' })).toBe(true)
  })

  it('is linked by an address only where the company holds a proof of its domain', async () => {
    await two.simulator.provision(company, `${company}-ada`)
    await two.configure(company, { scimLinkKey: { attribute: 'email', scim: 'userName' } })
    expect(await textOf(company, 'ada')).toContain('domain_proof_missing')
    await provenDomain(company, `${company}.example`)
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
  })

  it('claims no address in a domain that another company has proven', async () => {
    const other = company === 'acme' ? 'globex' : 'acme'
    await provenDomain(other, `${company}.example`)
    expect(await textOf(company, 'ada')).toContain('address_of_another')
    expect(await subjectsOf(company)).toEqual([])
    await two.call('DELETE', `/tenants/${other}/domains/${company}.example`)
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
  })

  it('claims none as the id by which she is known, either, where it is an address by its mapping', async () => {
    const other = company === 'acme' ? 'globex' : 'acme'
    await provenDomain(other, `${company}.example`)
    const claims = { email: { expression: "''" }, preferred_username: { expression: "''" } } // neither says it
    const mapping = { claims, groups: { from: ['groups'] }, stableId: { attribute: 'email' } }
    await two.configure(company, { mapping })
    expect(await textOf(company, 'ada')).toContain('address_of_another')
    expect(await subjectsOf(company)).toEqual([])
    await two.configure(company, { mapping: { ...mapping, stableId: undefined } })
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
    await two.call('DELETE', `/tenants/${other}/domains/${company}.example`)
    await two.configure(company, { mapping })
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
  })

  it('who is new does not come in by a domain whose proof has lapsed; who is known does', async () => {
    await provenDomain(company, `${company}.example`)
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
    await owner('UPDATE domains SET verified_at = NULL, lapsed_at = now() WHERE tenant_id = $1', two.of(company).tenantId)
    expect(await textOf(company, 'clark')).toContain('domain_proof_missing')
    expect(isLetIn(await two.signIn(company, 'ada'))).toBe(true)
  })
})

async function deleteByScim(company: Company, person: string) {
  const [user] = await owner<{ id: string }>('SELECT id FROM scim_users WHERE external_id = $1', `${company}-${person}`)
  const token = await two.call('POST', `/tenants/${company}/scim-tokens`, { connectionId: two.of(company).connectionId, name: person })
  const answer = await fetch(`${two.publicUrl}/t/${company}/scim/v2/Users/${user?.id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token.body.secret}` },
  })
  expect(answer.status).toBe(204)
  await two.call('DELETE', `/tenants/${company}/scim-tokens/${token.body.id}`)
}
