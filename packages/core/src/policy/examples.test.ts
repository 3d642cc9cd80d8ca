/** Runs every folder of examples/policies: drop one in, and a test appears. A folder with a wall.yaml stands inside that wall. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parsePolicyCases, runPolicyCases } from './cases.js'
import { compilePolicy, compileWall, defaultWall } from './compile.js'
import { lintPolicy } from './lint.js'

const folder = join(process.cwd(), 'examples/policies')

describe.each(readdirSync(folder))('examples/policies/%s', (name) => {
  const read = (file: string): string => readFileSync(join(folder, name, file), 'utf8')
  const wall = existsSync(join(folder, name, 'wall.yaml')) ? compileWall(read('wall.yaml'), 1) : ({ ok: true, value: defaultWall } as const)
  const compiled = compilePolicy(read('policy.yaml'), { wall: wall.ok ? wall.value : defaultWall })
  const cases = parsePolicyCases(read('cases.yaml'))

  test('compiles', () => {
    expect(wall).toMatchObject({ ok: true })
    expect(compiled).toMatchObject({ ok: true })
    expect(cases).toMatchObject({ ok: true })
  })

  test('says nothing in vain', () => {
    if (!compiled.ok || !cases.ok) throw new Error('does not compile')
    const { resource, scopes } = cases.value
    if (resource === undefined || scopes === undefined) throw new Error('cases of an example declare their resource')
    expect(lintPolicy(compiled.value, [{ identifier: resource, scopes: Object.keys(scopes) }])).toEqual([])
  })

  test.each(cases.ok ? cases.value.cases : [])('$name', (given) => {
    if (!compiled.ok || !cases.ok) throw new Error('does not compile')
    expect(runPolicyCases(compiled.value, { ...cases.value, cases: [given] }, [])).toEqual([])
  })
})
