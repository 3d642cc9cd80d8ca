/**
 * `scimmy-routers` as a server of its own, run by `scimmy.ts`: its routers in bare Express over one PostgreSQL table, with the few lines that its
 * documentation leaves to the user. One token, no tenants, no audit trail, no end of anything that a person holds.
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { loadPeer } from './peer-packages.js'

export type ScimmySetting = { readonly folder: string; readonly port: number; readonly databaseUrl: string; readonly token: string }

type Resource = {
  readonly id?: string
  readonly filter?: readonly Readonly<Record<string, readonly unknown[]>>[]
}
type User = Record<string, unknown>
type Declared = {
  ingress(handler: (resource: Resource, user: User) => Promise<User>): Declared
  egress(handler: (resource: Resource) => Promise<User | readonly User[]>): Declared
  degress(handler: (resource: Resource) => Promise<void>): Declared
}
type Scimmy = { readonly Resources: { declare(resource: unknown): Declared; readonly User: unknown } }
type Application = { use(...what: unknown[]): unknown; listen(port: number, host: string, then: () => void): unknown }
type Routers = new (options: object) => unknown

async function main({ folder, port, databaseUrl, token }: ScimmySetting): Promise<void> {
  const express = loadPeer<() => Application>(folder, 'express')
  const scimmy = loadPeer<{ readonly default: Scimmy }>(folder, 'scimmy').default
  const ScimmyRouters = loadPeer<{ readonly default: Routers }>(folder, 'scimmy-routers').default
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  await pool.query(
    'CREATE TABLE users (id uuid PRIMARY KEY, user_name text NOT NULL, resource jsonb NOT NULL); CREATE UNIQUE INDEX ON users (lower(user_name))',
  )
  const rows = async (text: string, values: unknown[]): Promise<User[]> =>
    (await pool.query<{ id: string; resource: User }>(text, values)).rows.map(({ id, resource }) => ({ ...resource, id }))
  scimmy.Resources.declare(scimmy.Resources.User)
    .ingress(async ({ id }, user) => {
      const of = { id: id ?? randomUUID(), text: JSON.stringify(user) }
      const write =
        id === undefined
          ? { name: 'insert', text: 'INSERT INTO users (id, user_name, resource) VALUES ($1, $2, $3)' }
          : { name: 'update', text: 'UPDATE users SET user_name = $2, resource = $3 WHERE id = $1' }
      await pool.query({ ...write, values: [of.id, user['userName'], of.text] })
      return { ...(JSON.parse(of.text) as User), id: of.id }
    })
    .egress(async ({ id, filter }) => {
      if (id !== undefined) {
        const [user] = await rows('SELECT id, resource FROM users WHERE id = $1', [id])
        if (user === undefined) throw new Error('no such user')
        return user
      }
      const name = filter?.[0]?.['userName']?.[1]
      return name === undefined
        ? rows('SELECT id, resource FROM users LIMIT 100', [])
        : rows('SELECT id, resource FROM users WHERE lower(user_name) = lower($1)', [name])
    })
    .degress(async ({ id }) => void (await pool.query('DELETE FROM users WHERE id = $1', [id])))
  const app = express()
  const handler = (request: { headers: { authorization?: string } }) => {
    if (request.headers.authorization !== `Bearer ${token}`) throw new Error('not allowed')
    return 'bench'
  }
  app.use('/scim', new ScimmyRouters({ type: 'bearer', handler, baseUri: () => `http://127.0.0.1:${port}/scim` }))
  app.listen(port, '127.0.0.1', () => console.log('{}'))
}

await main(JSON.parse(process.argv[2] ?? '{}') as ScimmySetting)
