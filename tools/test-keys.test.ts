import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const asks = `
import { generateKeyPairSync } from 'node:crypto'
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
const textOf = (key) => key.export({ type: 'spki', format: 'pem' })
const one = Array.from({ length: 33 }, pair)
globalThis[Symbol.for('drawbridge.test-keys.next-file')]()
const next = Array.from({ length: 33 }, pair)
console.log(JSON.stringify({ one: one.map(textOf), next: next.map(textOf), types: one.map((key) => key.asymmetricKeyType) }))`

it('a test file is given no pair twice, though fewer are kept than it asks for; the file after it is given the same ones', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'))
  // Kept ones: of another kind, so that they are told apart from one that is made.
  for (let i = 0; i < 32; i += 1) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(join(folder, `2048-${String(i).padStart(20, '0')}-kept${i}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  }
  const hook = new URL('test-keys.mjs', import.meta.url).href
  const environment = { ...process.env, NODE_OPTIONS: '', DRAWBRIDGE_TEST_KEYS: folder }
  const said = execFileSync(process.execPath, ['--import', hook, '--input-type=module', '--eval', asks], {
    env: environment,
    encoding: 'utf8',
  })
  const { one, next, types } = JSON.parse(said) as { one: string[]; next: string[]; types: string[] }
  expect(types).toEqual([...Array(32).fill('ec'), 'rsa'])
  expect(new Set(one).size).toBe(33)
  expect([...next].sort()).toEqual([...one].sort())
})
