/** Runs every folder of examples/policies: drop one in, and a test appears. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parsePolicyCases, runPolicyCases } from './cases.js'
import { compilePolicy } from './compile.js'

const folder = join(process.cwd(), 'examples/policies')

describe.each(readdirSync(folder))('examples/policies/%s', (name) => {
  const compiled = compilePolicy(readFileSync(join(folder, name, 'policy.yaml'), 'utf8'))
  const cases = parsePolicyCases(readFileSync(join(folder, name, 'cases.yaml'), 'utf8'))

  test('compiles', () => {
    expect(compiled).toMatchObject({ ok: true })
    expect(cases).toMatchObject({ ok: true })
  })

  test.each(cases.ok ? cases.value.cases : [])('$name', (given) => {
    if (!compiled.ok || !cases.ok) throw new Error('does not compile')
    expect(runPolicyCases(compiled.value, { ...cases.value, cases: [given] }, [])).toEqual([])
  })
})
