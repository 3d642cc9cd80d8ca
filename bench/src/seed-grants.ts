/**
 * Millions of grants beside those that the product made: copies of one of them and of its refresh token, with clients and people of their own.
 *
 * Their ids are spread like random ones, because where a new row falls in an index is what its size costs. Secondary indexes are made again
 * afterwards, and nothing is checked against other tables: the copies satisfy all of that, and it would take an hour.
 */
import pg from 'pg'
import type { Laboratory } from './laboratory.js'

const grantsOfSubject = 10
const grantsOfClient = 100
const tenantsAtOnce = 100
/** One in so many grants belongs to the tenant that is measured. */
const ownShare = 10
const tables = ['clients', 'subjects', 'grants', 'refresh_tokens'] as const
type Table = (typeof tables)[number]

export async function seedGrants({ fixture, tenant }: Laboratory, grants: number): Promise<{ readonly gibibytes: number }> {
  const client = new pg.Client({ connectionString: fixture.ownerUrl })
  await client.connect()
  try {
    await client.query(
      "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '1GB'",
    )
    const restore = await dropSecondaryIndexes(client)
    const ids = (await client.query<{ id: string }>("SELECT id FROM tenants WHERE slug LIKE 'many-%' ORDER BY id")).rows.map(({ id }) => id)
    const own = Math.ceil(grants / ownShare)
    const each = Math.ceil((grants - own) / ids.length)
    await copyRows(client, { like: tenant.tenantId, tenants: [tenant.tenantId], issuer: tenant.issuerId, grants: own })
    for (let from = 0; from < ids.length; from += tenantsAtOnce)
      await copyRows(client, { like: tenant.tenantId, tenants: ids.slice(from, from + tenantsAtOnce), issuer: undefined, grants: each })
    for (const definition of restore) await client.query(definition)
    await client.query(`VACUUM (ANALYZE) ${tables.join(', ')}`)
    await client.query('CHECKPOINT')
    const { rows } = await client.query<{ size: string }>('SELECT pg_database_size(current_database()) AS size')
    return { gibibytes: Number(rows[0]?.size) / 1024 ** 3 }
  } finally {
    await client.end()
  }
}

/** Answers how they are made again. */
async function dropSecondaryIndexes(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
      WHERE i.indrelid::regclass::text = ANY ($1) AND NOT i.indisunique`,
    [tables],
  )
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`)
  return rows.map(({ definition }) => definition)
}

/** `issuer`: of the one tenant; the others' have the tenant's own id. `grants`: of each tenant. */
type Copies = { readonly like: string; readonly tenants: readonly string[]; readonly issuer: string | undefined; readonly grants: number }

async function copyRows(client: pg.Client, { like, tenants, issuer, grants }: Copies): Promise<void> {
  const issuerId = issuer === undefined ? 'of.tenant' : `'${issuer}'::uuid`
  const idOf = (kind: string, number: string): string => `md5('${kind} ' || of.tenant || ' ' || ${number})::uuid`
  const among = (number: string, of: number): string => `(${number} % ${Math.max(1, Math.ceil(grants / of))})`
  const clientOf = (number: string): string => `'many-' || ${number}`
  const place = { tenant_id: 'of.tenant', issuer_id: issuerId }
  const connection = issuer === undefined ? { connection_id: 'of.tenant' } : {}
  const resource = issuer === undefined ? { resource_tenant_id: 'of.tenant', resource_id: 'of.tenant' } : {}
  if (issuer === undefined) await giveResources(client, tenants)
  const copies: readonly (readonly [Table, number, Readonly<Record<string, string>>])[] = [
    ['clients', Math.ceil(grants / grantsOfClient), { ...place, client_id: clientOf('n') }],
    [
      'subjects',
      Math.ceil(grants / grantsOfSubject),
      {
        tenant_id: 'of.tenant',
        ...connection,
        id: idOf('subject', 'n'),
        stable_id: "'many-' || n",
        scim_user_id: 'NULL',
        link_value: 'NULL',
        email_key: "'many-' || n || '@' || of.tenant",
      },
    ],
    [
      'grants',
      grants,
      {
        ...place,
        id: idOf('grant', 'n'),
        client_id: clientOf(among('n', grantsOfClient)),
        subject_id: idOf('subject', among('n', grantsOfSubject)),
        ...connection,
        ...resource,
        session_id: 'NULL',
        expires_at: "now() + interval '7 days'",
      },
    ],
    [
      'refresh_tokens',
      grants,
      {
        ...place,
        token_hash: "sha256(('token ' || of.tenant || ' ' || n)::bytea)",
        grant_id: idOf('grant', 'n'),
        client_id: clientOf(among('n', grantsOfClient)),
        expires_at: "now() + interval '7 days'",
      },
    ],
  ]
  for (const [table, count, changed] of copies) await copyTable(client, { table, like, tenants, count, changed })
}

/** One for each, with the tenant's own id. */
async function giveResources(client: pg.Client, tenants: readonly string[]): Promise<void> {
  const name = "'https://mcp.example/' || tenant"
  await client.query(
    `WITH made AS (INSERT INTO resources (tenant_id, id, identifier, name, created_at) SELECT tenant, tenant, ${name}, ${name}, now() FROM unnest($1::uuid[]) AS of (tenant) RETURNING id)
     INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) SELECT id, id, id, id FROM made`,
    [tenants],
  )
}

type Copying = {
  readonly table: Table
  readonly like: string
  readonly tenants: readonly string[]
  readonly count: number
  readonly changed: Readonly<Record<string, string>>
}

async function copyTable(client: pg.Client, { table, like, tenants, count, changed }: Copying): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''`,
    [table],
  )
  const names = rows.map(({ name }) => name)
  await client.query(
    `INSERT INTO ${table} (${names.join(', ')})
     SELECT ${names.map((name) => (name in changed ? `${changed[name]} AS ${name}` : `pattern.${name}`)).join(', ')}
       FROM unnest($1::uuid[]) AS of (tenant) CROSS JOIN generate_series(0, $2::int - 1) AS n
       CROSS JOIN (SELECT * FROM ${table} WHERE tenant_id = $3 ORDER BY created_at DESC LIMIT 1) pattern
      ORDER BY 1, 2`,
    [tenants, count, like],
  )
}
