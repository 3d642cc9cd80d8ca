// The migrations make exactly the tables of prisma/schema: an edit of one without the other fails here.
// Foreign keys are the exception: they are written by hand in the migrations, since Prisma relations would add nothing we use.
import { spawnSync } from 'node:child_process'
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
