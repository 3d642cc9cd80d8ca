/** The same person at another connection of her tenant, when her directory has switched her off: whomever a login would refuse for it holds nothing on. */
import { randomUUID } from 'node:crypto'
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import { addSeconds, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { ScimUserData } from '@drawbridge/core/scim/user'
import type { ConnectionId, ScimUserId, SubjectId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTrip } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { endElsewhere } from './elsewhere.js'
import { namesakeLimits } from './namesakes.js'
import type { ScimCaller } from './scim-caller.js'
import { deleteScimUser, endAccessOfRefused, insertScimUser, updateScimUser } from './scim-users.js'
import { type Db, inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `elsewhere-${(slugs += 1)}` })
})

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = [acme.tenantId]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const here = <Value>(run: (db: Db) => Promise<Value>): Promise<Value> => inTenant(fixture.database, acme.tenantId, run)
const directory = (connectionId = acme.connectionId): ScimCaller => ({
  ...{ tenant: acme.tenantId, connectionId, now, requestId: 'request', newId: randomUUID },
})
const ada = (active = true): ScimUserData => ({ userName: 'Ada@acme.example', externalId: 'ada', active, attributes: {} })

type ScimKey = 'userName' | 'externalId'
async function anotherConnection(scim?: ScimKey, { tenantId } = acme): Promise<ConnectionId> {
  const configuration = scim === undefined ? {} : { scimLinkKey: { attribute: 'email', scim } }
  const [row] = await sql<{ id: ConnectionId }>(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Other', $3, $4) RETURNING id`,
    [tenantId, randomUUID(), JSON.stringify(configuration), new Date(now)],
  )
  return row?.id as ConnectionId
}
type Person = {
  readonly stableId?: string
  readonly linkValue?: string | null
  readonly email?: string
  readonly tenant?: ATenant
  readonly recorded?: readonly (readonly [string, string])[]
}
const declaredKey = (connection: string) =>
  `(SELECT configuration ->> 'scimLinkKey' FROM connections WHERE tenant_id = $1 AND id = ${connection})`
async function signedIn(
  connectionId: ConnectionId,
  { stableId = 'sub-7', linkValue = null, email, tenant = acme, recorded = [] }: Person = {},
) {
  const [row] = await sql<{ id: SubjectId }>(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, link_value, link_key, email_key, claims, claims_at, created_at, last_login_at)
     VALUES ($1, $2, $3, $4, $5, ${declaredKey('$3')}, $6, $8, $7, $7, $7) RETURNING id`,
    [
      ...[tenant.tenantId, randomUUID(), connectionId, stableId, linkValue, email ?? null, new Date(addSeconds(now, -60))],
      JSON.stringify({ claims: recorded }),
    ],
  )
  return row?.id as SubjectId
}
async function created(caller = directory()): Promise<ScimUserId> {
  const user = await here((db) => insertScimUser(db, caller, ada()))
  if (!user.ok) throw new Error('taken')
  return user.value.id
}
const says = (id: ScimUserId, active: boolean) => here((db) => updateScimUser(db, directory(), id, () => ok(ada(active))))
const state = async (id: SubjectId) =>
  (await sql<{ epoch: number; deactivated_at: Date | null }>('SELECT epoch, deactivated_at FROM subjects WHERE id = $1', [id]))[0]
const [ended, untouched] = [
  { epoch: 2, deactivated_at: null },
  { epoch: 1, deactivated_at: null },
]

describe.each([
  { key: 'userName', person: { linkValue: 'ada@acme.example' } },
  { key: 'externalId', person: { linkValue: 'ada' } },
  { key: undefined, person: { stableId: 'ada' } },
] as const)('who bears the declared key of a user at another connection ($key)', ({ key, person }) => {
  it.each([
    { how: 'is switched off', leave: (id: ScimUserId) => says(id, false) },
    { how: 'is deleted', leave: (id: ScimUserId) => here((db) => deleteScimUser(db, directory(), id)) },
  ])('holds nothing on when that user $how, with her own receipt, and is not deactivated', async ({ leave }) => {
    const hers = await signedIn(await anotherConnection(key), person)
    const id = await created()
    await leave(id)
    expect(await state(hers)).toEqual(ended)
    const events = await sql(
      'SELECT source, target, target_id, matched FROM deprovisioning_events WHERE tenant_id = $1 AND target_id = $2',
      [...[acme.tenantId, hers]],
    )
    expect(events).toEqual([{ source: 'scim', target: 'subject', target_id: hers, matched: true }])
    expect(await state(acme.subjectId)).toMatchObject({ deactivated_at: new Date(now) })
  })
})

it('by a key that is longer than an index takes, too', async () => {
  const [long] = await sql<{ text: string }>("SELECT string_agg(md5(n::text), '') AS text FROM generate_series(1, 1000) n", [])
  const externalId = long?.text ?? ''
  const hers = await signedIn(await anotherConnection('externalId'), { linkValue: externalId })
  const user = { id: randomUUID() as ScimUserId, userName: 'ada', externalId }
  await here((db) => endElsewhere(db, directory(), user, { reason: 'test', isNews: true }))
  expect(await state(hers)).toEqual(ended)
})

it('who comes with a user that is created inactive holds nothing on, either', async () => {
  const hers = await signedIn(await anotherConnection('userName'), { linkValue: 'ada@acme.example' })
  await here((db) => insertScimUser(db, directory(), ada(false)))
  expect(await state(hers)).toEqual(ended)
})

it('comes in again as soon as a login of hers would: when the directory switches the user on', async () => {
  const other = { ...acme, connectionId: await anotherConnection() }
  const hers = await signedIn(other.connectionId, { stableId: 'ada' })
  const id = await created()
  await says(id, false)
  const comesHome = async () => (await aTrip({ fixture, tenant: other, now: addSeconds(now, 2) }, { sub: 'ada' })).comeHome()
  expect([await state(hers), await comesHome()]).toEqual([ended, 'subject_deactivated'])
  await says(id, true)
  expect([await state(hers), await comesHome()]).toEqual([ended, 'believed'])
})

it('is told once: said again it ends nobody who holds nothing', async () => {
  const hers = await signedIn(await anotherConnection('userName'), { linkValue: 'ada@acme.example' })
  const id = await created()
  for (const _again of [1, 2]) await says(id, false)
  expect(await state(hers)).toEqual(ended)
})

describe('nothing is taken from', () => {
  const leaves = async (hers: SubjectId) => {
    await says(await created(), false)
    return state(hers)
  }

  it('whom the directory of her own connection has', async () => {
    const other = await anotherConnection('userName')
    const hers = await signedIn(other, { linkValue: 'ada@acme.example' })
    await created(directory(other))
    expect(await leaves(hers)).toEqual(untouched)
  })

  it.each([
    { who: 'has the name under another key', key: 'externalId', person: { linkValue: 'ada@acme.example' } },
    { who: 'only claims the address', key: 'userName', person: { linkValue: 'ada@other.example', email: 'ada@acme.example' } },
    { who: 'is called so, where another key is declared', key: 'userName', person: { stableId: 'ada' } },
    { who: 'has only the name, where none is declared', key: undefined, person: { linkValue: 'ada@acme.example' } },
  ] as const)('who $who', async ({ key, person }) => {
    expect(await leaves(await signedIn(await anotherConnection(key), person))).toEqual(untouched)
  })

  it('a person of another tenant', async () => {
    const globex = await aTenant(fixture, { slug: `globex-${(slugs += 1)}` })
    await anotherConnection('userName')
    const hers = await signedIn(await anotherConnection('userName', globex), { linkValue: 'ada@acme.example', tenant: globex })
    expect(await leaves(hers)).toEqual(untouched)
  })

  it('anybody elsewhere by a request that was refused: no login is refused for it', async () => {
    const hers = await signedIn(await anotherConnection('userName'), { linkValue: 'ada@acme.example' })
    const id = await created()
    await here((db) => endAccessOfRefused(db, directory(), id, () => ok(undefined)))
    expect(await state(hers)).toEqual(untouched)
  })
})

const many = (people: number, connectionId: ConnectionId, name: string) =>
  sql(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, link_value, link_key, claims, claims_at, created_at, last_login_at)
     SELECT $1, gen_random_uuid(), $2, 'u' || n, ${name}, ${declaredKey('$2')}, '{}', $3, $3, $3 FROM generate_series(1, ${people}) n`,
    [acme.tenantId, connectionId, new Date(now)],
  )

it('more than one person can be are an alarm, and none of them is ended', async () => {
  await many(namesakeLimits.endedSingly + 1, await anotherConnection('userName'), "'ada@acme.example'")
  await says(await created(), false)
  expect(await sql('SELECT 1 FROM subjects WHERE tenant_id = $1 AND epoch > 1')).toHaveLength(1)
  const alarms = "SELECT reason, detail ->> 'ended' AS ended FROM audit_events WHERE tenant_id = $1 AND kind = 'deprovisioning.ambiguous'"
  expect(await sql(alarms)).toEqual([{ reason: 'the directory set active to false', ended: 'nobody' }])
})

describe('of more than one person can be, the contacts', () => {
  const told = async () =>
    (
      await sql<{ kind: string; about: string }>(
        "SELECT act ->> 'kind' AS kind, act ->> 'about' AS about FROM announcements CROSS JOIN jsonb_array_elements(acts) AS act WHERE tenant_id = $1",
      )
    ).map(({ kind, about }) => [kind, about])
  const [theDirectory] = ['IdP']
  beforeEach(async () => {
    await sql(
      `INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, gen_random_uuid(), 'IT', 'it@acme.example', now())`,
    )
    await sql(`UPDATE connections SET name = '${theDirectory}' WHERE tenant_id = $1`)
  })

  it.each([
    { what: 'switches her off', leave: (id: ScimUserId) => says(id, false) },
    { what: 'deletes her', leave: (id: ScimUserId) => here((db) => deleteScimUser(db, directory(), id)) },
  ])('are told when the directory $what, and not again when it says so again', async ({ leave }) => {
    await many(namesakeLimits.endedSingly + 1, await anotherConnection('userName'), "'ada@acme.example'")
    const id = await created()
    expect(await told()).toEqual([])
    for (const _again of [1, 2]) await leave(id)
    expect(await told()).toEqual([['deprovisioning.ambiguous', theDirectory]])
  })

  it('hear nothing where somebody is ended', async () => {
    await signedIn(await anotherConnection('userName'), { linkValue: 'ada@acme.example' })
    await says(await created(), false)
    expect(await told()).toEqual([])
  })
})

describe('too many at one connection keep nobody at another', () => {
  const alarms = () =>
    sql(
      "SELECT detail -> 'connections' AS at FROM audit_events WHERE tenant_id = $1 AND kind = 'deprovisioning.ambiguous' AND detail ->> 'elsewhere' = 'true'",
    )
  const alsoMany = async () => {
    const crowd = await anotherConnection('userName')
    await many(namesakeLimits.endedSingly + 1, crowd, "'ada@acme.example'")
    return { crowd, hers: await signedIn(await anotherConnection('userName'), { linkValue: 'ada@acme.example' }) }
  }

  it('and the alarm names where they are', async () => {
    const { crowd, hers } = await alsoMany()
    await says(await created(), false)
    expect([await state(hers), await alarms()]).toEqual([ended, [{ at: [crowd] }]])
  })

  it('nor are they an alarm where their own directory answers for them', async () => {
    const { crowd, hers } = await alsoMany()
    await created(directory(crowd))
    await says(await created(), false)
    expect([await state(hers), await alarms()]).toEqual([ended, []])
  })
})

describe('a link key that is declared after somebody has signed in', () => {
  const declare = (connection: ConnectionId, attribute: string, scim: ScimKey) =>
    sql('UPDATE connections SET configuration = $3 WHERE tenant_id = $1 AND id = $2', [
      ...[acme.tenantId, connection, JSON.stringify({ scimLinkKey: { attribute, scim } })],
    ])
  const leaves = async (userName: string, link: SubjectLink) => {
    const caller = { ...directory(), linkAt: () => link }
    const user = { id: randomUUID() as ScimUserId, userName, externalId: 'ada' }
    await here((db) => endElsewhere(db, caller, user, { reason: 'test', isNews: true }))
  }
  const byName = { scim: 'userName', claims: ['email'], isStableId: false } as const

  it('finds her by what her login recorded', async () => {
    const other = await anotherConnection()
    const hers = await signedIn(other, { recorded: [['email', 'Ada@acme.example']] })
    const another = await signedIn(other, { stableId: 'sub-8', recorded: [['email', 'eve@acme.example']] })
    await declare(other, 'email', 'userName')
    await leaves('Ada@acme.example', byName)
    expect([await state(hers), await state(another)]).toEqual([ended, untouched])
  })

  it('finds all of several', async () => {
    const other = await anotherConnection()
    const both = [
      await signedIn(other, { recorded: [['email', 'ada@acme.example']] }),
      await signedIn(other, { stableId: 'sub-8', recorded: [['email', 'ADA@acme.example']] }),
    ]
    await declare(other, 'email', 'userName')
    await leaves('Ada@acme.example', byName)
    expect(await Promise.all(both.map(state))).toEqual([ended, ended])
  })

  it('finds nobody by a claim that it does not name, nor where another kind is declared now', async () => {
    const other = await anotherConnection()
    const hers = await signedIn(other, { recorded: [['email', 'ada@acme.example']] })
    await declare(other, 'employeeNumber', 'userName')
    await leaves('ada@acme.example', { ...byName, claims: ['number'] })
    await declare(other, 'employeeNumber', 'externalId')
    await leaves('ada@acme.example', byName)
    expect(await state(hers)).toEqual(untouched)
  })

  it('finds nobody by the value of the key before, of which kind ever', async () => {
    const other = await anotherConnection('externalId')
    const hers = await signedIn(other, { linkValue: 'ada' })
    await declare(other, 'employeeNumber', 'externalId')
    await leaves('nobody', { scim: 'externalId', claims: ['number'], isStableId: false })
    expect(await state(hers)).toEqual(untouched)
  })
})

describe('of five thousand people elsewhere, a look reads those who are meant', () => {
  const people = 5000
  const read = async (db: Db): Promise<number> => {
    const { rows } = await db.query<{ rows: number }>(
      `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_xact_user_tables WHERE relname IN ('subjects', 'scim_users')`,
    )
    return rows[0]?.rows ?? 0
  }

  it.each(['after ANALYZE', 'though ANALYZE has seen others alone'])(
    '%s',
    async (when) => {
      // Otherwise it learns of them meanwhile.
      await sql('ALTER TABLE subjects SET (autovacuum_enabled = false)', [])
      await sql('ANALYZE subjects', [])
      const [byName, byId] = [await anotherConnection('userName'), await anotherConnection()]
      await many(people / 2, byName, "'person' || n || '@acme.example'")
      await many(people / 2, byId, 'NULL')
      if (when === 'after ANALYZE') await sql('ANALYZE subjects', [])
      for (const [userName, externalId] of [
        ['Person77@acme.example', 'u77'],
        ['nobody', 'nobody'],
      ] as const)
        expect(
          await here(async (db) => {
            const before = await read(db)
            const user = { id: randomUUID() as ScimUserId, userName, externalId }
            await endElsewhere(db, directory(), user, { reason: 'test', isNews: true })
            return (await read(db)) - before
          }),
        ).toBeLessThan(20)
      expect(await sql('SELECT 1 FROM subjects WHERE tenant_id = $1 AND epoch > 1')).toHaveLength(2)
    },
    120_000,
  )
})
