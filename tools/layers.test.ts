// The direction of imports is a test, and so is the tool that checks it: an empty reading or an overlooked violation fails here.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const leastModules = 100

type Cruise = { summary: { violations: { rule: { name: string }; from: string; to: string }[]; totalCruised: number } }

function cruise(folder: string, paths: readonly string[]): Cruise {
  const tool = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs')
  const result = spawnSync(process.execPath, [tool, '--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', ...paths], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (!result.stdout.startsWith('{')) throw new Error(`dependency-cruiser failed: ${result.stderr}`)
  return JSON.parse(result.stdout) as Cruise
}

test('every import points inward and no module is part of a cycle', () => {
  const { summary } = cruise(root, ['apps', 'packages', 'examples'])
  expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([])
  expect(summary.totalCruised).toBeGreaterThan(leastModules)
})

test('a planted violation is found', () => {
  const { summary } = cruise(join(root, 'tools', 'fixtures', 'planted'), ['packages'])
  expect(summary.violations.map(({ rule }) => rule.name)).toEqual(['core-touches-no-system'])
})
