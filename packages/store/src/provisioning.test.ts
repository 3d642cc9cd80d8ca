/** Who may become a subject, on a real PostgreSQL: the mode of the tenant, invitations, and whose domain an address lies in. */
import { randomUUID } from 'node:crypto'
import { claimedAddresses, parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { judgeProvisioning, provisioningModes } from '@drawbridge/core/identity/provisioning'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { ScimScope } from '@drawbridge/core/scim/scope'
import type { AuthorizationRequestId, BrowserSessionId, LoginRequestId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completeLogin } from './complete-login.js'
import { insertInvitation, listInvitations, markInvitationRevoked, type NewInvitation } from './invitations.js'
import { insertLoginRequest } from './login-requests.js'
import { insertScimToken, markScimTokenRevoked } from './scim-tokens.js'
import { findTenant, markProvisioningMode } from './tenants.js'
import { inTenant, onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let slugs = 0
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const freshTenant = (): Promise<ATenant> => aTenant(fixture, { slug: `provisioning-${(slugs += 1)}` })
const choose = ({ tenantId }: ATenant, mode: (typeof provisioningModes)[number]) =>
  inTenant(fixture.database, tenantId, (db) => markProvisioningMode(db, tenantId, mode))

type Answer = {
  readonly stableId?: string
  readonly email?: string
  readonly link?: { readonly by: 'userName' | 'externalId'; readonly value: string }
}

/** A whole trip, from its start to the verified answer: believed, or the reason of the refusal. */
async function signIn(tenant: ATenant, { stableId = 'newcomer', email, link }: Answer = {}): Promise<string> {
  const { tenantId, connectionId, issuerId, clientId } = tenant
  const [id, browserHash, expiresAt] = [randomUUID() as LoginRequestId, hashCredential(randomUUID()), addSeconds(now, 600)]
  const hot = onHotPath(fixture.database)
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt, saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, tenant) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt, freshDemanded: false, now }
  expect(await insertLoginRequest(hot, tenantId, request, trip)).toEqual({ kind: 'written' })
  const session = {
    acr: undefined,
    amr: [],
    authenticatedAt: now,
    idpSession: {},
    idpSessionNames: undefined,
    sealedLogoutHint: undefined,
    expiresAt,
  }
  const done = await completeLogin(hot, tenantId, {
    ...{ id, issuerId, connectionId, browserHash, issuedAt: now, now: addSeconds(now, 6), replayableUntil: expiresAt },
    replays: [{ kind: 'oidc_id_token', id }],
    subject: { id: randomUUID() as SubjectId, stableId, claims: {} },
    scimLink: link,
    addresses: {
      claimed: claimedAddresses(new Map(email === undefined ? [] : [['email', email]]), link?.value),
      own: email === undefined ? undefined : parseEmailAddress(email),
    },
    session: { ...session, id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()) },
    previousHandleHash: undefined,
    ...{ requestId: 'request', address: '127.0.0.1' },
  })
  return done.kind === 'refused' ? done.reason : done.kind
}

const aScimUser = (tenant: ATenant, userName: string) =>
  sql(
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $3, $3, true, '{}', $4, $4)`,
    [tenant.tenantId, tenant.connectionId, userName, new Date(now)],
  )

const aDomain = (tenant: ATenant, domain: string, state: 'proven' | 'claimed' | 'lapsed', connectionId: string | null = null) =>
  sql(`INSERT INTO domains (tenant_id, domain, connection_id, verified_at, lapsed_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)`, [
    ...[tenant.tenantId, domain, connectionId, state === 'proven' ? new Date(now) : null, state === 'lapsed' ? new Date(now) : null],
    new Date(now),
  ])

const subjectsOf = async (tenant: ATenant) =>
  (await sql<{ stable_id: string }>('SELECT stable_id FROM subjects WHERE tenant_id = $1 ORDER BY stable_id', [tenant.tenantId])).map(
    (row) => row.stable_id,
  )
const lastReason = async (tenant: ATenant) =>
  (
    await sql<{ reason: string | null; detail: unknown }>(
      'SELECT reason, detail FROM audit_events WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1',
      [tenant.tenantId],
    )
  )[0]

describe('the mode of a tenant', () => {
  it('is just_in_time until somebody chooses: whom the IdP names is a subject', async () => {
    const tenant = await freshTenant()
    expect(await signIn(tenant)).toBe('believed')
  })

  it('scim_only lets in whom the directory has, and nobody else, not even who came before', async () => {
    const tenant = await freshTenant()
    await choose(tenant, 'scim_only')
    await aScimUser(tenant, 'grace')
    expect(await signIn(tenant, { stableId: 'grace' })).toBe('believed')
    expect(await signIn(tenant, { stableId: 'newcomer' })).toBe('subject_not_in_directory')
    expect(await signIn(tenant, { stableId: 'ada' })).toBe('subject_not_in_directory')
    expect(await lastReason(tenant)).toEqual({ reason: 'directory_missing', detail: {} })
    expect(await subjectsOf(tenant)).toEqual(['ada', 'grace'])
  })

  it('invited_only lets in whom an invitation names, and who is a subject already', async () => {
    const tenant = await freshTenant()
    await choose(tenant, 'invited_only')
    expect(await signIn(tenant, { stableId: 'ada' })).toBe('believed')
    expect(await signIn(tenant)).toBe('subject_not_invited')
    expect(await subjectsOf(tenant)).toEqual(['ada'])
  })
})

describe('the first SCIM token of a tenant', () => {
  const aToken = (tenant: ATenant, id: string = randomUUID(), scope?: ScimScope) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      insertScimToken(db, tenant.tenantId, {
        id,
        connectionId: tenant.connectionId,
        name: 'x',
        scope,
        secretHash: hashCredential(id),
        now,
      }),
    )
  const modeOf = async (tenant: ATenant) =>
    (await inTenant(fixture.database, tenant.tenantId, (db) => findTenant(db, tenant.tenantId)))?.provisioningMode
  const told = (tenant: ATenant) =>
    sql("SELECT reason, detail ->> 'mode' AS mode FROM audit_events WHERE tenant_id = $1 AND kind = 'tenant.provisioning_changed'", [
      tenant.tenantId,
    ])

  it('chooses nothing where it may only read: nobody is shut out for a report', async () => {
    const tenant = await freshTenant()
    await aToken(tenant, randomUUID(), 'scim:read')
    expect(await modeOf(tenant)).toBeUndefined()
    await aToken(tenant, randomUUID(), 'scim:users')
    expect(await modeOf(tenant)).toBe('scim_only')
  })

  it('chooses scim_only, says so in the trail, and revoking it takes nothing back', async () => {
    const tenant = await freshTenant()
    const id = randomUUID()
    await aToken(tenant, id)
    expect(await modeOf(tenant)).toBe('scim_only')
    await aToken(tenant)
    expect(await told(tenant)).toEqual([{ reason: 'first_scim_token', mode: 'scim_only' }])
    await inTenant(fixture.database, tenant.tenantId, (db) => markScimTokenRevoked(db, tenant.tenantId, id, now))
    expect(await modeOf(tenant)).toBe('scim_only')
    expect(await signIn(tenant)).toBe('subject_not_in_directory')
  })

  it('leaves alone what an admin has chosen', async () => {
    const tenant = await freshTenant()
    await choose(tenant, 'just_in_time')
    await aToken(tenant)
    expect(await modeOf(tenant)).toBe('just_in_time')
    expect(await told(tenant)).toEqual([])
  })
})

describe('an invitation', () => {
  const invite = async (tenant: ATenant, change: Partial<NewInvitation>): Promise<string> => {
    const id = randomUUID()
    const base = {
      id,
      connectionId: tenant.connectionId,
      namedBy: 'link_key',
      value: 'newcomer',
      expiresAt: addSeconds(now, 60),
      now,
    } as const
    await inTenant(fixture.database, tenant.tenantId, (db) => insertInvitation(db, tenant.tenantId, { ...base, ...change }))
    return id
  }
  const invitedOnly = async () => {
    const tenant = await freshTenant()
    await choose(tenant, 'invited_only')
    return tenant
  }
  const usedOf = async (tenant: ATenant) =>
    (await inTenant(fixture.database, tenant.tenantId, (db) => listInvitations(db, tenant.tenantId, { limit: 10 }))).map(
      ({ usedAt }) => usedAt,
    )

  it('is used by the login that it lets in, which says so, and lets her in again without one', async () => {
    const tenant = await invitedOnly()
    const id = await invite(tenant, {})
    expect(await signIn(tenant)).toBe('believed')
    expect(await lastReason(tenant)).toEqual({ reason: null, detail: { invitation: id } })
    expect(await usedOf(tenant)).toEqual([addSeconds(now, 6)])
    expect(await signIn(tenant)).toBe('believed')
    expect(await lastReason(tenant)).toEqual({ reason: null, detail: {} })
  })

  it('by the link key of the connection lets one in, of however many come at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tenant = await invitedOnly()
      await invite(tenant, { value: 'e-17' })
      const link = { by: 'externalId', value: 'e-17' } as const
      const ends = await Promise.all(['u-1', 'u-2', 'u-3'].map((stableId) => signIn(tenant, { stableId, link })))
      expect(ends.sort()).toEqual(['believed', 'subject_not_invited', 'subject_not_invited'])
      expect(await subjectsOf(tenant)).toHaveLength(2)
    }
  })

  it.each([
    { what: 'in a proven domain', state: 'proven', end: 'believed' },
    { what: 'in a domain that is only claimed', state: 'claimed', end: 'subject_not_invited' },
  ] as const)('by an address $what: $end', async ({ state, end }) => {
    const tenant = await invitedOnly()
    const domain = `${tenant.slug}-${state}.example`
    await aDomain(tenant, domain, state)
    await invite(tenant, { namedBy: 'email', value: `grace@${domain}` })
    expect(await signIn(tenant, { email: `Grace@${domain.toUpperCase()}` })).toBe(end)
  })

  it('by an address in a domain that is bound to another connection lets nobody in through this one', async () => {
    const tenant = await invitedOnly()
    const other = randomUUID()
    await sql(`INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`, [
      ...[tenant.tenantId, other, new Date(now)],
    ])
    await aDomain(tenant, `${tenant.slug}.example`, 'proven', other)
    await invite(tenant, { namedBy: 'email', value: `grace@${tenant.slug}.example` })
    expect(await signIn(tenant, { email: `grace@${tenant.slug}.example` })).toBe('subject_not_invited')
  })

  it('that has expired, was taken back, or names another tenant’s person lets nobody in', async () => {
    const tenant = await invitedOnly()
    await invite(tenant, { expiresAt: addSeconds(now, 5) })
    const revoked = await invite(tenant, {})
    await inTenant(fixture.database, tenant.tenantId, (db) => markInvitationRevoked(db, tenant.tenantId, revoked, now))
    await invite(await invitedOnly(), {})
    expect(await signIn(tenant)).toBe('subject_not_invited')
  })

  it('is not used by a login that is refused', async () => {
    const tenant = await invitedOnly()
    await invite(tenant, {})
    await sql('UPDATE tenants SET barrier_at = $2 WHERE id = $1', [tenant.tenantId, new Date(addSeconds(now, 60))])
    expect(await signIn(tenant)).toBe('evidence_below_barrier')
    expect(await usedOf(tenant)).toEqual([undefined])
  })
})

describe('an address that a login claims', () => {
  it('in a domain that another tenant has proven ends it, for who is known too; a claim without proof owns nothing', async () => {
    const [mine, other] = [await freshTenant(), await freshTenant()]
    const domain = `${other.slug}.example`
    await aDomain(other, domain, 'claimed')
    expect(await signIn(mine, { email: `boss@${domain}` })).toBe('believed')
    await sql('UPDATE domains SET verified_at = $2 WHERE domain = $1', [domain, new Date(now)])
    expect(await signIn(mine, { email: `boss@${domain}` })).toBe('address_of_another')
    expect(await signIn(mine, { stableId: 'ada', email: `boss@deep.below.${domain}` })).toBe('address_of_another')
    expect(await signIn(mine, { link: { by: 'userName', value: `BOSS@${domain}` } })).toBe('address_of_another')
    expect(await lastReason(mine)).toEqual({ reason: 'address_of_another', detail: {} })
    expect(await signIn(other, { email: `boss@${domain}` })).toBe('believed')
  })

  it('belongs to whoever has proven the longest part of its domain', async () => {
    const [whole, part] = [await freshTenant(), await freshTenant()]
    await aDomain(whole, `${whole.slug}.example`, 'proven')
    await aDomain(part, `part.${whole.slug}.example`, 'proven')
    expect(await signIn(part, { email: `x@deep.part.${whole.slug}.example` })).toBe('believed')
    expect(await signIn(whole, { email: `x@part.${whole.slug}.example` })).toBe('address_of_another')
    expect(await signIn(whole, { email: `x@${whole.slug}.example` })).toBe('believed')
  })

  it('in a domain whose proof has lapsed lets nobody new in, and leaves who is known alone', async () => {
    const tenant = await freshTenant()
    await aDomain(tenant, `${tenant.slug}.example`, 'lapsed')
    expect(await signIn(tenant, { email: `new@${tenant.slug}.example` })).toBe('domain_proof_missing')
    expect(await lastReason(tenant)).toMatchObject({ reason: 'domain_lapsed' })
    expect(await signIn(tenant, { stableId: 'ada', email: `ada@${tenant.slug}.example` })).toBe('believed')
    expect(await subjectsOf(tenant)).toEqual(['ada'])
  })

  it('in a domain that passes to another tenant takes no subject along, and gives none back', async () => {
    const [before, after] = [await freshTenant(), await freshTenant()]
    const domain = `passed.${before.slug}.example`
    const ada = { stableId: 'ada', email: `ada@${domain}` }
    const idsOf = (tenant: ATenant) => sql<{ id: string }>('SELECT id FROM subjects WHERE tenant_id = $1 ORDER BY id', [tenant.tenantId])
    await aDomain(before, domain, 'proven')
    expect(await signIn(before, ada)).toBe('believed')
    const hers = await idsOf(before)
    await sql('UPDATE domains SET verified_at = NULL, lapsed_at = $2 WHERE domain = $1', [domain, new Date(now)])
    await aDomain(after, domain, 'proven')
    const theirs = await idsOf(after)
    expect(await signIn(before, ada)).toBe('address_of_another')
    expect(await signIn(after, { ...ada, stableId: 'ada-of-after' })).toBe('believed')
    expect(await idsOf(before)).toEqual(hers)
    expect((await idsOf(after)).filter(({ id }) => hers.some((one) => one.id === id))).toEqual([])
    expect(await idsOf(after)).toHaveLength(theirs.length + 1)
  })

  it('links nobody as long as its domain is not proven, and whoever is linked already stays so', async () => {
    const tenant = await freshTenant()
    const userName = `grace@${tenant.slug}.example`
    const byAddress = { stableId: 'u-1', link: { by: 'userName', value: userName } } as const
    await aScimUser(tenant, userName)
    expect(await signIn(tenant, byAddress)).toBe('domain_proof_missing')
    expect(await lastReason(tenant)).toMatchObject({ reason: 'link_unproven' })
    await aDomain(tenant, `${tenant.slug}.example`, 'proven')
    expect(await signIn(tenant, byAddress)).toBe('believed')
    await sql('UPDATE domains SET verified_at = NULL, lapsed_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
    expect(await signIn(tenant, byAddress)).toBe('believed')
  })
})

it('the statement lets in exactly whom the rule of core does', async () => {
  const publicOf = {
    ...{ provisioned: 'believed', address_of_another: 'address_of_another', directory_missing: 'subject_not_in_directory' },
    ...{ domain_lapsed: 'domain_proof_missing', link_unproven: 'domain_proof_missing', not_invited: 'subject_not_invited' },
  } as const
  const foreign = `${(await freshTenant()).slug}.foreign.example`
  await sql('INSERT INTO domains (tenant_id, domain, verified_at, created_at) SELECT id, $1, now(), now() FROM tenants WHERE slug = $2', [
    ...[foreign, foreign.split('.')[0]],
  ])
  const seen = new Set<string>()
  for (const mode of provisioningModes) {
    const tenant = await freshTenant()
    const domainOf = { foreign, lapsed: `lapsed.${tenant.slug}.example`, unproven: `unproven.${tenant.slug}.example` } as const
    await aDomain(tenant, domainOf.lapsed, 'lapsed')
    await choose(tenant, mode)
    for (const [index, given] of combinations.entries()) {
      const verdict = judgeProvisioning({ ...given, mode, ...factsOf(given.address) })
      const value = given.address === 'unproven' ? `u-${index}@${domainOf.unproven}` : `u-${index}`
      const email = given.address === 'foreign' || given.address === 'lapsed' ? { email: `u-${index}@${domainOf[given.address]}` } : {}
      await arrange(tenant, value, given)
      const end = await signIn(tenant, { stableId: value, link: { by: 'userName', value }, ...email })
      expect({ mode, ...given, end }).toMatchObject({ end: publicOf[verdict] })
      seen.add(verdict)
    }
  }
  expect(seen).toEqual(new Set(Object.keys(publicOf)))
}, 180_000)

const addresses = ['none', 'foreign', 'lapsed', 'unproven'] as const
const bools = [false, true]
const combinations = bools.flatMap((isKnown) =>
  bools.flatMap((isInDirectory) =>
    bools.flatMap((isInvited) => addresses.map((address) => ({ isKnown, isInDirectory, isInvited, isLinked: false, address }))),
  ),
)
const factsOf = (address: (typeof addresses)[number]) => ({
  ...{ claimsForeignAddress: address === 'foreign', isOfLapsedDomain: address === 'lapsed', isLinkUnproven: address === 'unproven' },
})

async function arrange(tenant: ATenant, value: string, given: (typeof combinations)[number]): Promise<void> {
  const key = [tenant.tenantId, tenant.connectionId, value]
  if (given.isInDirectory) await aScimUser(tenant, value)
  if (given.isKnown)
    await sql(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       VALUES ($1, gen_random_uuid(), $2, $3, '{}', now(), now(), now())`,
      key,
    )
  if (given.isInvited)
    await sql(
      `INSERT INTO invitations (tenant_id, id, connection_id, named_by, value, created_at, expires_at)
       VALUES ($1, gen_random_uuid(), $2, 'link_key', $3, now(), '2099-01-01')`,
      key,
    )
}
