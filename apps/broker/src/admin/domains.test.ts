/** Domains, and who may be let in, through the admin API: a claim owns nothing, a proof owns alone. */
import type { TxtAnswer } from '@drawbridge/runtime/txt-resolver'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
/** What the DNS says, by name. Absent: there is no such name. */
const zone = new Map<string, TxtAnswer>()
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { resolveTxt: async (name) => zone.get(name) ?? { kind: 'absent' } })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const refused = (status: number, reason: string) => ({ status, body: { type: expect.stringContaining(reason) } })
const claim = async (tenant: string, domain: string) => (await call('POST', `/tenants/${tenant}/domains`, { domain })).body
const publish = (...challenges: { name: string; value: string }[]) => {
  for (const { name } of challenges)
    zone.set(name, { kind: 'found', records: challenges.filter((one) => one.name === name).map(({ value }) => value) })
}
const verify = (tenant: string, domain: string) => call('POST', `/tenants/${tenant}/domains/${domain}/verify`)

describe('a domain', () => {
  it('is claimed by any tenant, and proven by the one whose challenge its DNS says', async () => {
    const [mine, theirs] = [await claim('acme', 'one.example'), await claim('globex', 'one.example')]
    expect(mine).toMatchObject({ verifiedAt: null, proof: null, challenge: { name: '_drawbridge-challenge.one.example', type: 'TXT' } })
    expect(mine.challenge.value).toMatch(/^drawbridge-domain-verification=[\w-]{43}$/)
    expect(mine.challenge.value).not.toBe(theirs.challenge.value)
    publish(mine.challenge)
    expect(await verify('globex', 'one.example')).toMatchObject(refused(409, 'domain_unproven'))
    expect(await verify('acme', 'one.example')).toMatchObject({ status: 200, body: { verifiedAt: expect.any(String), proof: 'dns' } })
  })

  it('has one owner: another proof is refused as long as the first holds, and good when it has lapsed', async () => {
    const [mine, theirs] = [await claim('acme', 'two.example'), await claim('globex', 'two.example')]
    publish(mine.challenge, theirs.challenge)
    await verify('acme', 'two.example')
    expect(await verify('globex', 'two.example')).toMatchObject(refused(409, 'conflict'))
    expect(await call('PATCH', '/tenants/globex/domains/two.example', { verified: true })).toMatchObject(refused(409, 'conflict'))
    const lapsed = await call('PATCH', '/tenants/acme/domains/two.example', { verified: false })
    expect(lapsed.body).toMatchObject({ verifiedAt: null, proof: null, lapsedAt: expect.any(String) })
    expect((await verify('globex', 'two.example')).status).toBe(200)
    expect(await verify('acme', 'two.example')).toMatchObject(refused(409, 'conflict'))
  })

  it('that its DNS does not prove is told the record to publish, and why it did not count', async () => {
    const { challenge } = await claim('acme', 'three.example')
    const whyNot = async () => (await verify('acme', 'three.example')).body.errors[0]
    expect(await whyNot()).toMatchObject({ path: challenge.name, message: expect.stringContaining('has no TXT record') })
    zone.set(challenge.name, { kind: 'unreachable' })
    expect((await whyNot()).message).toContain('name servers did not answer')
    zone.set(challenge.name, { kind: 'found', records: ['v=spf1 -all'] })
    expect((await whyNot()).message).toContain(challenge.value)
    expect(await verify('acme', 'unclaimed.example')).toMatchObject(refused(404, 'not_found'))
  })

  it('of the vendor’s word is not looked up, until its DNS proves it too', async () => {
    const vouched = await call('POST', '/tenants/acme/domains', { domain: 'four.example', verified: true })
    expect(vouched.body).toMatchObject({ proof: 'vouched', verifiedAt: expect.any(String) })
    publish(vouched.body.challenge)
    expect((await verify('acme', 'four.example')).body).toMatchObject({ proof: 'dns', verifiedAt: vouched.body.verifiedAt })
  })

  it('leads the vendor to its tenant and connection as long as its proof holds, and nobody else', async () => {
    const { body: proven } = await call('POST', '/tenants/acme/domains', {
      domain: 'found.example',
      connectionId: acme.connectionId,
      verified: true,
    })
    await claim('globex', 'found.example')
    const lookUp = (domain: string, key?: string) => call('GET', `/domains/${domain}`, undefined, key)
    expect(await lookUp('Found.EXAMPLE')).toMatchObject({
      status: 200,
      body: {
        domain: proven.domain,
        tenant: { slug: 'acme', suspendedAt: null, issuer: expect.stringMatching('/t/acme$') },
        connection: { id: acme.connectionId, disabledAt: null },
      },
    })
    await call('PATCH', '/tenants/acme/domains/found.example', { connectionId: null })
    expect((await lookUp('found.example')).body).toMatchObject({ tenant: { slug: 'acme' }, connection: null })
    await call('PATCH', '/tenants/acme/domains/found.example', { verified: false })
    expect(await lookUp('found.example')).toMatchObject(refused(404, 'not_found'))
    expect(await lookUp('not a domain')).toMatchObject(refused(404, 'not_found'))
    const theirs = { name: 'theirs', permissions: ['configuration:read'], expiresAt: '2099-01-01T00:00:00Z', tenant: 'acme' }
    const { secret } = (await call('POST', '/admin-keys', theirs)).body
    expect(await lookUp('found.example', secret)).toMatchObject(refused(403, 'vendor_only'))
  })

  it('is kept in A-labels, whatever script it comes in', async () => {
    expect(await claim('acme', 'BÜCHER.example')).toMatchObject({ domain: 'xn--bcher-kva.example' })
    expect(await call('POST', '/tenants/acme/domains', { domain: 'xn--bcher-kva.example' })).toMatchObject(refused(409, 'conflict'))
    expect((await call('DELETE', `/tenants/acme/domains/${encodeURIComponent('bücher.example')}`)).status).toBe(204)
  })

  it.each([
    { domain: 'co.uk', reason: 'domain_public_suffix' },
    { domain: 'github.io', reason: 'domain_public_suffix' },
    { domain: '10.0.0.1', reason: 'domain_malformed' },
    { domain: 'acme', reason: 'domain_malformed' },
  ])('$domain is nobody’s: $reason', async ({ domain, reason }) => {
    expect(await call('POST', '/tenants/acme/domains', { domain })).toMatchObject(refused(400, reason))
  })
})

describe('who may become a subject', () => {
  it('is said before and after the first SCIM token, which chooses', async () => {
    const path = '/tenants/acme/provisioning'
    expect((await call('GET', path)).body).toEqual({ mode: 'just_in_time', chosen: false })
    const token = await call('POST', '/tenants/acme/scim-tokens', { connectionId: acme.connectionId, name: 'IdP' })
    expect(token.body).toMatchObject({ provisioningMode: 'scim_only' })
    expect((await call('GET', path)).body).toEqual({ mode: 'scim_only', chosen: true })
    expect((await call('PUT', path, { mode: 'invited_only' })).body).toEqual({ mode: 'invited_only', chosen: true })
    expect(await call('PUT', path, { mode: 'anybody' })).toMatchObject(refused(400, 'body_invalid'))
  })

  it('is invited by an address in one form, for 30 days at most, until taken back', async () => {
    const path = '/tenants/acme/invitations'
    const given = { connectionId: acme.connectionId, namedBy: 'email', expiresAt: '2999-01-01T00:00:00Z' }
    const made = await call('POST', path, { ...given, value: 'Ada@ACME.example' })
    expect(made).toMatchObject({ status: 201, body: { value: 'ada@acme.example', usedAt: null } })
    expect(Date.parse(made.body.expiresAt) - Date.parse(made.body.createdAt)).toBe(30 * 86_400_000)
    expect(await call('POST', path, { ...given, value: 'ada' })).toMatchObject(refused(400, 'invitation_invalid'))
    expect((await call('DELETE', `${path}/${made.body.id}`)).status).toBe(204)
    expect(await call('DELETE', `${path}/${made.body.id}`)).toMatchObject(refused(404, 'not_found'))
    expect((await call('GET', path)).body.invitations).toMatchObject([{ id: made.body.id, revokedAt: expect.any(String) }])
  })
})

describe('which connection an address chooses', () => {
  const path = '/tenants/acme/connection-choice'
  it('is nothing until it is written, and then what was written', async () => {
    expect((await call('GET', path)).body).toEqual({ rules: [], fallbackConnectionId: null, revealsGroups: false })
    const choice = {
      rules: [{ when: "hint.startsWith('ext-')", connectionId: acme.connectionId }],
      fallbackConnectionId: acme.connectionId,
    }
    expect(await call('PUT', path, choice)).toMatchObject({ status: 200, body: choice })
    expect((await call('GET', path)).body).toMatchObject(choice)
  })
  it('may be a connection that was made a moment ago', async () => {
    const made = await call('POST', '/tenants/acme/connections', {
      kind: 'oidc',
      name: 'New',
      configuration: { issuer: 'https://new.example', clientId: 'x' },
    })
    expect((await call('PUT', path, { rules: [], fallbackConnectionId: made.body.id })).status).toBe(200)
    await call('PUT', path, { rules: [] })
  })
  it.each([
    { rules: [{ when: 'hint.', connectionId: '00000000-0000-4000-8000-000000000000' }], paths: ['rules.0.connectionId', 'rules.0.when'] },
    { rules: [], fallbackConnectionId: '00000000-0000-4000-8000-000000000000', paths: ['fallbackConnectionId'] },
  ])('is refused with every mistake: $paths', async ({ paths, ...choice }) => {
    const answer = await call('PUT', path, choice)
    expect(answer).toMatchObject(refused(400, 'connection_choice_invalid'))
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual(paths)
  })
})
