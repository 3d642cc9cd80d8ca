/** Whose groups choose the connection, and what a stranger who types addresses can see of that. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, aDomain, anAuthorizeUrl, anIdp, anotherConnection, aPlainBrowser } from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const issuer = 'http://localhost:4400/t/acme'
let now: Instant = instant(1_800_000_000_000)
let fixture: TestDatabase
let broker: TestBroker
let race: ARace
let idp: AnIdp
let acme: ATenant
let globex: ATenant
let call: Call
let staff: ConnectionId
let agency: ConnectionId

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  staff = acme.connectionId
  agency = await anotherConnection(fixture, acme, 'Agency')
  await owner(
    "INSERT INTO domains (tenant_id, domain, verified_at, created_at) VALUES ($1, 'acme.example', now(), now()), ($1, 'claimed.example', NULL, now())",
    acme.tenantId,
  )
  await aDomain(fixture, acme, { connectionId: staff, domain: 'bound.example', verified: true })
  idp = anIdp(() => now)
  race = aRace(fixture.database)
  broker = await aBroker(race.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const owner = (text: string, ...parameters: unknown[]) => asOwner(fixture.ownerUrl, text, parameters)
const choose = async (rules: readonly object[], more: object = { revealsGroups: true }) => {
  const saved = await call('PUT', '/tenants/acme/connection-choice', { rules, fallbackConnectionId: staff, ...more })
  broker.deps.configuration.invalidate()
  return saved
}
const byGroup = () => choose([{ groups: ['contractors'], connectionId: agency }])

beforeEach(async () => {
  now = addSeconds(now, 600)
  await owner('TRUNCATE subjects, scim_users CASCADE')
  expect((await byGroup()).status).toBe(200)
})

type Given = {
  groups?: readonly string[] | 'unknown' | 'absent'
  connectionId?: ConnectionId
  tenant?: ATenant
  saidAt?: Instant
  scimUserId?: string
}
/** Somebody who signed in, as her login leaves her. */
async function aSubject(address: string, given: Given = {}) {
  const { groups = ['contractors'], connectionId = staff, tenant = acme, saidAt = now } = given
  const state = typeof groups === 'string' ? { state: groups } : { state: 'known', value: groups }
  await owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, email_key, claims_at, created_at, last_login_at)
     VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), $3, $4, $5, $6, $6, $6)`,
    ...[tenant.tenantId, tenant === acme ? connectionId : tenant.connectionId, given.scimUserId ?? null, JSON.stringify({ groups: state })],
    ...[address.toLowerCase(), new Date(saidAt)],
  )
}

/** Where the page of choice sends whoever types this; always somewhere. */
async function typed(email: string) {
  idp.started.length = 0
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const asked = await browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'read' }))
  const left = await browser.submit(asked.location, { email })
  return { ...left, connection: idp.started[0]?.connectionId }
}
async function hinted(hint: string) {
  idp.started.length = 0
  const left = await aPlainBrowser({ issuer, url: broker.url }).visit(anAuthorizeUrl(issuer, acme, { scope: 'read', login_hint: hint }))
  return { ...left, connection: idp.started[0]?.connectionId }
}
const chosenFor = async (email: string) => (await typed(email)).connection

describe('the groups of an address choose', () => {
  it('where one person of a proven domain is known to be in one, typed or given as a hint, in any case', async () => {
    await aSubject('ada@acme.example')
    expect(await chosenFor('ada@acme.example')).toBe(agency)
    expect(await chosenFor('ADA@Acme.Example')).toBe(agency)
    expect((await hinted('ada@acme.example')).connection).toBe(agency)
  })
  it('by what her own last login said, of which the next one takes her address, too', async () => {
    idp.says = { ...idp.says, sub: 'grace', groups: ['staff', 'contractors'] }
    await call('PUT', `/tenants/acme/connections/${agency}`, {
      kind: 'oidc',
      name: 'Agency',
      configuration: {
        ...{ issuer: 'https://idp.example', clientId: 'drawbridge' },
        mapping: { claims: { email: { expression: "'Grace@acme.example'" } }, groups: { from: ['groups'] } },
      },
    })
    broker.deps.configuration.invalidate()
    const browser = aPlainBrowser({ issuer, url: broker.url })
    await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme, { connection: agency })), agency)
    expect(await chosenFor('grace@acme.example')).toBe(agency)
    await owner("UPDATE subjects SET claims = jsonb_set(claims, '{groups,value}', '[\"staff\"]') WHERE email_key = 'grace@acme.example'")
    expect(await chosenFor('grace@acme.example')).toBe(staff)
  })
  it('after conditions, and only where those hold', async () => {
    await choose([{ when: "hint.startsWith('ext-')", groups: ['contractors'], connectionId: agency }])
    await aSubject('ada@acme.example')
    await aSubject('ext-ben@acme.example')
    expect(await chosenFor('ada@acme.example')).toBe(staff)
    expect(await chosenFor('ext-ben@acme.example')).toBe(agency)
  })
})

describe('nothing is chosen by groups', () => {
  it.each([
    { of: 'nobody', arrange: async () => undefined },
    { of: 'a person who is in none of them', arrange: () => aSubject('ada@acme.example', { groups: ['staff'] }) },
    { of: 'a person whose groups did not come', arrange: () => aSubject('ada@acme.example', { groups: 'unknown' }) },
    { of: 'a person whose IdP sends none', arrange: () => aSubject('ada@acme.example', { groups: 'absent' }) },
    {
      of: 'a person who was last heard of too long ago',
      arrange: () => aSubject('ada@acme.example', { saidAt: addSeconds(now, -31 * 86_400) }),
    },
    {
      of: 'a deactivated person',
      arrange: async () => {
        await aSubject('ada@acme.example')
        await owner('UPDATE subjects SET deactivated_at = now()')
      },
    },
    {
      of: 'a person whom her directory switched off',
      arrange: async () => aSubject('ada@acme.example', { scimUserId: await aScimUser(fixture, acme, 'ada', { active: false }) }),
    },
    {
      of: 'a person whom her directory deleted',
      arrange: async () =>
        aSubject('ada@acme.example', { scimUserId: await aScimUser(fixture, acme, 'ada', { active: false, deleted: true }) }),
    },
    {
      of: 'an address that two people have',
      arrange: async () => {
        await aSubject('ada@acme.example')
        await aSubject('ada@acme.example', { connectionId: agency })
      },
    },
    {
      of: 'an address that another person of the directory has',
      arrange: async () => {
        await aSubject('ada@acme.example')
        await aScimUser(fixture, acme, 'ada@acme.example')
      },
    },
    { of: 'a person of another company', arrange: () => aSubject('ada@acme.example', { tenant: globex }) },
    { of: 'a person whom the directory knows and who never signed in', arrange: () => aScimUser(fixture, acme, 'ada@acme.example') },
  ])('of $of, and her address goes where a stranger’s goes, in the same words', async ({ arrange }) => {
    const stranger = await typed('nobody@acme.example')
    await arrange()
    const hers = await typed('ada@acme.example')
    expect(hers.connection).toBe(staff)
    const alike = ({ status, text, location }: typeof hers) => ({
      status,
      text,
      host: new URL(location).host,
      path: new URL(location).pathname,
    })
    expect(alike(hers)).toEqual(alike(stranger))
  })
  it('of an address in a domain that is not proven, or bound to another connection than hers', async () => {
    for (const address of ['ada@claimed.example', 'ada@elsewhere.example']) {
      await aSubject(address)
      expect(await chosenFor(address)).toBe(staff)
    }
    await aSubject('ada@bound.example', { connectionId: agency })
    expect(await chosenFor('ada@bound.example')).toBe(staff)
    await aSubject('ben@bound.example', { connectionId: staff })
    expect(await chosenFor('ben@bound.example')).toBe(agency)
  })
  it('any more of a domain whose proof has lapsed', async () => {
    await aSubject('ada@acme.example')
    await owner("UPDATE domains SET verified_at = NULL, lapsed_at = now() WHERE domain = 'acme.example'")
    broker.deps.configuration.invalidate()
    const chosen = await chosenFor('ada@acme.example')
    await owner("UPDATE domains SET verified_at = now(), lapsed_at = NULL WHERE domain = 'acme.example'")
    expect(chosen).toBe(staff)
  })
})

it('who is linked to her directory user is one person, who goes where her login said', async () => {
  await aSubject('ada@acme.example', { scimUserId: await aScimUser(fixture, acme, 'ada@acme.example') })
  expect(await chosenFor('ada@acme.example')).toBe(agency)
})

it('whoever tries many addresses is told to wait, and is sent nowhere meanwhile', async () => {
  await aSubject('ada@acme.example')
  const answers = []
  for (let index = 0; index <= rateLimits.group_choice.burst; index += 1) answers.push(await hinted('ada@acme.example'))
  const last = answers.at(-1)
  expect([last?.status, last?.connection, last?.text.includes('rate_limited')]).toEqual([429, undefined, true])
  expect(answers[0]?.connection).toBe(agency)
  // What asks for no groups is not held up.
  expect((await hinted('ada@elsewhere.example')).location).toContain('/authorize/choose-connection?request=')
})

it('one statement is spent on it, whoever has the address, and none where no rule on groups is in the way', async () => {
  let asked = 0
  race.before('find_address_holders', async () => (asked += 1), Number.POSITIVE_INFINITY)
  const lookUps = async (hint: string) => {
    asked = 0
    await hinted(hint)
    return asked
  }
  await aSubject('ada@acme.example')
  for (const hint of ['ada@acme.example', 'nobody@acme.example']) expect(await lookUps(hint)).toBe(1)
  expect(await lookUps('ada@claimed.example')).toBe(0)
  await choose([{ when: "domain == 'acme.example'", connectionId: agency }], { revealsGroups: false })
  expect(await lookUps('ada@acme.example')).toBe(0)
})

it('a company has to accept what this shows, and the trail holds that it did', async () => {
  const refused = await choose([{ groups: ['contractors'], connectionId: agency }], { revealsGroups: false })
  expect(refused).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:connection_choice_invalid' } })
  expect(refused.body.errors).toEqual([{ path: 'rules.0.groups', message: expect.stringContaining('revealsGroups') }])
  const { body } = await call('GET', '/tenants/acme/audit-events?kind=tenant.connection_choice_changed')
  expect(body.auditEvents[0].detail).toMatchObject({ revealsGroups: true, rules: [{ groups: ['contractors'] }] })
})
