#!/usr/bin/env node
// Everything that must hold beside the tests: format, lint, types of the tests, layers are in the tests, refusals are tested, generated pages are fresh, migrations match the schema.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name) => join(root, 'node_modules', '.bin', name)
const checks = [
  ['format', bin('biome'), ['check', '--linter-enabled=false', '.'], 'run: pnpm format'],
  ['lint', bin('oxlint'), ['--type-aware'], 'mend what it names, or give the suppression a reason on its line'],
  ['types of code and tests', bin('tsc'), ['-b', '.', 'tsconfig.tests.json'], 'mend the types'],
  [
    'every refusal is in a test',
    process.execPath,
    [join(root, 'tools', 'check-errors.mjs')],
    'write the test, or say in notYetReached what it needs',
  ],
  ['generated pages are fresh', process.execPath, [join(root, 'tools', 'print-docs.mjs'), '--check'], 'run: pnpm docs'],
]

let failed = 0
for (const [name, file, args, remedy] of checks) {
  const result = spawnSync(file, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 })
  const held = result.status === 0
  console.log(`${held ? 'holds' : 'FAILS'}  ${name}`)
  if (held) continue
  failed += 1
  console.log(`${result.stdout}${result.stderr}${result.error?.message ?? ''}\n  remedy: ${remedy}\n`)
}
process.exit(failed === 0 ? 0 : 1)
