/** Who is found by what she recorded: everybody for whom the comparison holds, whoever wrote her, and nobody else. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { ConnectionId, SubjectId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findByRecordedKey, type KeyedUser } from './recorded-key.js'
import { type Db, inTenant } from './transaction.js'

let fixture: TestDatabase
let acme: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `recorded-${(slugs += 1)}` })
  await sql('DELETE FROM subjects WHERE tenant_id = $1', [acme.tenantId])
})

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)

type Person = { readonly stableId?: string; readonly claims?: unknown; readonly connectionId?: ConnectionId; readonly at?: ATenant }
const at = new Date(1_800_000_000_000)

/** As any version of a broker writes her, which knows nothing of keys. */
async function signIn({ stableId = 'u-1', claims = [], at: { tenantId, connectionId } = acme, ...more }: Person = {}): Promise<SubjectId> {
  const [row] = await sql<{ id: SubjectId }>(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $6)
     ON CONFLICT (tenant_id, connection_id, stable_id) DO UPDATE SET claims = EXCLUDED.claims RETURNING id`,
    [tenantId, randomUUID(), more.connectionId ?? connectionId, stableId, JSON.stringify({ authentication: randomUUID(), claims }), at],
  )
  if (!row) throw new Error('not written')
  return row.id
}

async function inDirectory(): Promise<string> {
  const id = randomUUID()
  await sql(
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, resource, created_at, updated_at) VALUES ($1, $2, $3, $2::uuid::text, $2::uuid::text, '{}', $4, $4)`,
    [acme.tenantId, id, acme.connectionId, at],
  )
  return id
}
const linkTo = (subject: SubjectId, user: string | null) =>
  sql('UPDATE subjects SET scim_user_id = $3 WHERE tenant_id = $1 AND id = $2', [acme.tenantId, subject, user])

const byEmail: SubjectLink = { scim: 'userName', claims: ['email'], isStableId: false }
const byNumber: SubjectLink = { scim: 'externalId', claims: ['employee_number'], isStableId: false }
const named = (name: string): KeyedUser => ({ userName: name, externalId: name })
const find = (user: KeyedUser, link: SubjectLink = byEmail, { tenantId, connectionId } = acme): Promise<readonly SubjectId[]> =>
  inTenant(fixture.database, tenantId, (db) => findByRecordedKey(db, { tenant: tenantId, connectionId, link }, user))
const keptFor = (subject: SubjectId) => sql<{ keys: Buffer[] }>('SELECT keys FROM recorded_keys WHERE subject_id = $1', [subject])

/** The comparison itself, of everybody: what the digests must leave nobody out of. */
async function compared({ userName, externalId }: KeyedUser, link: SubjectLink): Promise<readonly SubjectId[]> {
  const same = (text: string) => (link.scim === 'userName' ? `lower((${text}) COLLATE "und-x-icu") = $4` : `${text} = $4`)
  const rows = await sql<{ id: SubjectId }>(
    `SELECT id FROM subjects WHERE tenant_id = $1 AND connection_id = $2 AND scim_user_id IS NULL AND ($5 AND ${same('stable_id')}
       OR EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(claims -> 'claims') = 'array' THEN claims -> 'claims' ELSE '[]' END) AS claim
         WHERE claim ->> 0 = ANY ($3::text[]) AND jsonb_typeof(claim -> 1) = 'string' AND ${same('claim ->> 1')})) ORDER BY id`,
    [acme.tenantId, acme.connectionId, link.claims, link.scim === 'userName' ? userName.toLowerCase() : externalId, link.isStableId],
  )
  return rows.map(({ id }) => id)
}

describe('who is found', () => {
  const names = [
    'ada@acme.example',
    'Ada@Acme.example',
    'İPEK',
    'i̇pek',
    'ΟΔΟΣ',
    'οδος',
    'Straße',
    'STRASSE',
    'Ω',
    'ω',
    '',
    ' ',
    '"',
    '\u{1F600}',
  ]
  const links: readonly SubjectLink[] = [
    byEmail,
    byNumber,
    { scim: 'userName', claims: ['upn', 'email'], isStableId: true },
    { scim: 'externalId', claims: [], isStableId: true },
    { scim: 'userName', claims: [], isStableId: false },
  ]

  test('is everybody for whom the comparison holds, by whichever claim the connection asks today, and nobody else', async () => {
    const elsewhere = await aTenant(fixture, { slug: `elsewhere-${(slugs += 1)}` })
    for (const [nth, name] of names.entries()) {
      const other = names[(nth + 3) % names.length]
      await signIn({
        stableId: `${name}#`,
        claims: [
          ['email', name],
          ['upn', other],
          ['employee_number', name],
        ],
      })
      await signIn({ stableId: name, claims: [['employee_number', other]] })
      await signIn({
        stableId: `list ${nth}`,
        claims: [
          ['email', [name]],
          ['employee_number', 17],
        ],
      })
      await signIn({ stableId: name, claims: [['email', name]], at: elsewhere })
    }
    await signIn({ stableId: 'odd 1', claims: { email: 'ada@acme.example' } })
    await signIn({ stableId: 'odd 2', claims: ['email', ['email'], [], null, [null, 'ada@acme.example']] })
    const seen = new Set<number>()
    for (const link of links)
      for (const name of names) {
        const expected = name === '' ? [] : await compared(named(name), link)
        expect(await find(named(name), link), `${JSON.stringify(link)} ${name}`).toEqual(expected)
        seen.add(expected.length)
      }
    // Or it would have compared nobody with nobody.
    expect([...seen].some((count) => count > 2)).toBe(true)
  })

  test('is told from those who differ in case alone, where case counts', async () => {
    const people = await Promise.all(
      ['E-17', 'e-17', 'E-17'].map((number, nth) => signIn({ stableId: `e ${nth}`, claims: [['employee_number', number]] })),
    )
    expect(await find(named('E-17'), byNumber)).toEqual([people[0], people[2]].toSorted())
    expect(await find(named('e-17'), byNumber)).toEqual([people[1]])
    expect(await find(named('E-18'), byNumber)).toEqual([])
  })

  test('is of this connection alone', async () => {
    const other = randomUUID() as ConnectionId
    await sql(`INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`, [
      ...[acme.tenantId, other, at],
    ])
    await signIn({ claims: [['email', 'ada@acme.example']], connectionId: other })
    expect(await find(named('ada@acme.example'))).toEqual([])
  })
})

describe('whoever writes a subject, she', () => {
  test('is found by what she recorded last, and no more by what she recorded before', async () => {
    const ada = await signIn({ claims: [['email', 'ada@acme.example']] })
    expect(await signIn({ claims: [['email', 'countess@acme.example']] })).toBe(ada)
    expect([await find(named('ada@acme.example')), await find(named('countess@acme.example'))]).toEqual([[], [ada]])
  })

  test('has no keys while she is linked, and is found once an admin takes the link away, by what she recorded meanwhile', async () => {
    const ada = await signIn({ claims: [['email', 'ada@acme.example']] })
    expect(await keptFor(ada)).toHaveLength(1)
    await linkTo(ada, await inDirectory())
    await signIn({ claims: [['email', 'countess@acme.example']] })
    expect([await keptFor(ada), await find(named('countess@acme.example'))]).toEqual([[], []])
    await linkTo(ada, null)
    expect([await find(named('ada@acme.example')), await find(named('countess@acme.example'))]).toEqual([[], [ada]])
  })

  test('leaves no keys behind', async () => {
    const ada = await signIn()
    await sql('DELETE FROM subjects WHERE id = $1', [ada])
    expect(await keptFor(ada)).toEqual([])
  })

  test('is written once: a login that says the same as the one before writes no keys', async () => {
    const version = async (id: SubjectId) =>
      (await sql<{ at: string }>('SELECT ctid::text AS at FROM recorded_keys WHERE subject_id = $1', [id]))[0]
    const ada = await signIn({ claims: [['email', 'ada@acme.example']] })
    const before = await version(ada)
    await signIn({ claims: [['email', 'ada@acme.example']] })
    expect(await version(ada)).toEqual(before)
  })
})

const fill = readFileSync(new URL('../../../prisma/migrations/0148_recorded_keys_filled/migration.sql', import.meta.url), 'utf8')

async function somebodyWaits(): Promise<void> {
  const waiting = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
  while ((await sql<{ count: number }>(waiting))[0]?.count !== 1) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('who says something else while the migration runs is found by that, and not by what the migration read', async () => {
  const ada = await signIn({ claims: [['email', 'ada@acme.example']] })
  await sql('TRUNCATE recorded_keys')
  const migration = new pg.Client({ connectionString: fixture.ownerUrl })
  await migration.connect()
  await migration.query('BEGIN')
  await migration.query(fill)
  const login = signIn({ claims: [['email', 'countess@acme.example']] })
  await somebodyWaits()
  await migration.query('COMMIT')
  await migration.end()
  await login
  expect([await find(named('ada@acme.example')), await find(named('countess@acme.example'))]).toEqual([[], [ada]])
  expect(await keptFor(ada)).toHaveLength(1)
})

test('who was here before the keys were kept has the same ones by the migration as by the trigger, and who is linked has none', async () => {
  await signIn({
    stableId: 'Grace',
    claims: [
      ['email', 'Grace@acme.example'],
      ['employee_number', '17'],
    ],
  })
  await linkTo(await signIn({ stableId: 'linked' }), await inDirectory())
  const all = () => sql('SELECT * FROM recorded_keys ORDER BY tenant_id, subject_id')
  const before = await all()
  expect(before.length).toBeGreaterThan(0)
  await sql('TRUNCATE recorded_keys')
  await sql(fill)
  expect(await all()).toEqual(before)
})

describe('no role of ours', () => {
  test.each(['tenantPool', 'hotPool', 'acrossPool'] as const)('reads or writes the keys itself (%s)', async (pool) => {
    for (const statement of ['SELECT keys FROM recorded_keys', 'DELETE FROM recorded_keys'])
      await expect(fixture.database[pool].query(statement)).rejects.toMatchObject({ code: '42501' })
  })

  test('is told of people of another tenant, though it names their connection', async () => {
    const ada = await signIn({ claims: [['email', 'ada@acme.example']] })
    const other = await aTenant(fixture, { slug: `curious-${(slugs += 1)}` })
    const ask = (db: Db) =>
      db.query<{ id: string }>("SELECT people_of_recorded_key($1, '{email}', 'ada@acme.example') AS id", [acme.connectionId])
    expect((await inTenant(fixture.database, other.tenantId, ask)).rows).toEqual([])
    expect((await inTenant(fixture.database, acme.tenantId, ask)).rows).toEqual([{ id: ada }])
    for (const pool of [fixture.database.hotPool, fixture.database.acrossPool])
      await expect(
        pool.query("SELECT people_of_recorded_key($1, '{email}', 'ada@acme.example')", [acme.connectionId]),
      ).rejects.toMatchObject({
        code: '42501',
      })
  })
})

describe('of three thousand people whom no directory has told of, a look reads those who are meant', () => {
  const people = 3000
  /** What a transaction has read of these tables so far, inside of functions too. */
  const read = async (db: Db): Promise<number> => {
    const { rows } = await db.query<{ rows: number }>(
      `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_xact_user_tables WHERE relname IN ('subjects', 'recorded_keys')`,
    )
    return rows[0]?.rows ?? 0
  }
  const readBy = (run: (db: Db) => Promise<unknown>): Promise<number> =>
    inTenant(fixture.database, acme.tenantId, async (db) => {
      const before = await read(db)
      await run(db)
      return (await read(db)) - before
    })
  const look = (user: KeyedUser, link: SubjectLink) => (db: Db) =>
    findByRecordedKey(db, { tenant: acme.tenantId, connectionId: acme.connectionId, link }, user)

  test.each(['after ANALYZE', 'though ANALYZE has seen others alone'])('%s', async (when) => {
    // Otherwise it learns of them meanwhile.
    for (const table of ['subjects', 'recorded_keys']) await sql(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`)
    const elsewhere = await aTenant(fixture, { slug: `known-${(slugs += 1)}` })
    await signIn({ claims: [['email', 'ada@acme.example']], at: elsewhere })
    await sql('ANALYZE subjects, recorded_keys')
    await sql(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, 'u' || n, jsonb_build_object('claims', jsonb_build_array(jsonb_build_array('email', 'Person' || n || '@acme.example'),
         jsonb_build_array('employee_number', n::text), jsonb_build_array('department', 'Research'))), $3, $3, $3 FROM generate_series(1, ${people}) n`,
      [acme.tenantId, acme.connectionId, at],
    )
    if (when === 'after ANALYZE') await sql('ANALYZE subjects, recorded_keys')
    const looks = [
      look(named('person77@acme.example'), byEmail),
      look(named('77'), byNumber),
      look(named('nobody@acme.example'), byEmail),
      look(named('U77'), { ...byEmail, isStableId: true }),
      // What everybody says under another claim is nobody's key.
      look(named('research'), byEmail),
    ]
    for (const one of looks) expect(await readBy(one)).toBeLessThan(10)
    const all = 'SELECT id FROM subjects WHERE lower(stable_id COLLATE "und-x-icu") = \'u77\''
    expect(await readBy((db) => db.query(all))).toBeGreaterThanOrEqual(people)
  })
})
