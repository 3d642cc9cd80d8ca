// The migrations make exactly the tables of prisma/schema: an edit of one without the other fails here.
// Foreign keys are the exception: they are written by hand in the migrations, since Prisma relations would add nothing we use.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const expected = /^(\[\*\] Changed the `\w+` table|\s*\[-\] Removed foreign key on columns \([\w, ]+\))?\s*$/

test('migrations and schema agree', () => {
  const prisma = [join(root, 'tools', 'prisma.mjs'), 'migrate', 'diff', '--from-config-datasource', '--to-schema', 'prisma/schema']
  const env = { ...process.env, DATABASE_URL: process.env['DRAWBRIDGE_TEST_OWNER_URL'] ?? '' }
  const result = spawnSync(process.execPath, prisma, { cwd: root, env, encoding: 'utf8' })
  expect(result.status).toBe(0)
  expect(result.stdout.split('\n').filter((line) => !expected.test(line))).toEqual([])
  expect(result.stdout).toContain('Removed foreign key') // or the comparison read nothing
}, 60_000)

/** Brokers go on while a migration runs, and each is one transaction. Those before it did not keep to this. */
const sinceWhen = '0132'
const migrationsSince = (): readonly (readonly [string, string])[] =>
  readdirSync(join(root, 'prisma', 'migrations'))
    .filter((name) => /^\d{4}_/.test(name) && name >= sinceWhen)
    .map((name) => [name, readFileSync(join(root, 'prisma', 'migrations', name, 'migration.sql'), 'utf8')])

/** Lines that begin a statement; the bodies of functions are indented, or of tables that nobody has written yet. */
const linesOf = (sql: string, which: RegExp): readonly string[] => sql.split('\n').filter((line) => which.test(line))
const keepsReadersOut = /^(?:ALTER TABLE|DROP INDEX)\b/
const goesThroughATable = /^(?:CREATE (?:UNIQUE )?INDEX|UPDATE|DELETE|INSERT|WITH)\b/

test('what keeps readers out until the commit is in no migration that goes through a table', () => {
  const migrations = migrationsSince()
  const both = migrations.filter(([, sql]) => [keepsReadersOut, goesThroughATable].every((which) => linesOf(sql, which).length > 0))
  expect(both.map(([name]) => name)).toEqual([])
  // Or it would have looked at none of them.
  for (const which of [keepsReadersOut, goesThroughATable]) expect(migrations.some(([, sql]) => linesOf(sql, which).length > 0)).toBe(true)
})

test('a migration builds or drops indexes of one table: whoever writes two is waited for with the first of them, and waits', () => {
  const tablesOf = (sql: string) => new Set(linesOf(sql, /^CREATE (?:UNIQUE )?INDEX\b/).map((line) => / ON "?(\w+)"?/.exec(line)?.[1]))
  const several = migrationsSince().filter(([, sql]) => tablesOf(sql).size > 1 || linesOf(sql, /^DROP INDEX\b/).length > 1)
  expect(several.map(([name]) => name)).toEqual([])
})
